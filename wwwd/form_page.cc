#include "wwwd/form_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/text.h"
#include "wwwd/words.h"

namespace wwwd {

using form::Field;
using form::Type;
using form::Values;
using form::Who;
using po::messages::WebField;
using po::messages::WebProblem;
using po::messages::WebRevision;
using List = std::vector<std::string>;

// ---- names

std::string field_label(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '-', ' ');
  // Words that are one word in the language of the people who read it.
  for (auto [from, to] :
       {std::pair<std::string_view, std::string_view>{"Log In ", "Log-in "}, {"Clear Text", "Clear-Text"}}) {
    std::size_t at = out.find(from);
    if (at != std::string::npos) out.replace(at, from.size(), to);
  }
  if (out.ends_with(" Log In")) out.replace(out.size() - 7, 7, " Log-in");
  return out;
}

static std::string_view strip_rule(std::string_view rule) {
  auto is_rule = [](char c) { return c == '-' || c == '=' || c == ' '; };
  while (!rule.empty() && is_rule(rule.front())) rule.remove_prefix(1);
  while (!rule.empty() && is_rule(rule.back())) rule.remove_suffix(1);
  return rule;
}

/// Abbreviations stay in capitals.
static bool is_abbreviation(std::string_view word) {
  static constexpr std::string_view kKnown[] = {"SMTP", "POP3", "UNIX", "TLS", "DNS", "INTERNET"};
  while (word.starts_with('(')) word.remove_prefix(1);
  while (word.ends_with(')')) word.remove_suffix(1);
  return std::find(std::begin(kKnown), std::end(kKnown), word) != std::end(kKnown) ||
         word.find_first_of("0123456789") != std::string_view::npos;
}

std::string section_title(std::string_view rule) {
  std::string_view text = strip_rule(rule);
  bool optional = text.find("** Optional **") != std::string_view::npos;
  text = strip_rule(text.substr(0, text.find("-- **")));
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find(' ', at), text.size());
    std::string_view word = text.substr(at, end - at);
    at = end + 1;
    if (word == "--") {
      out += " –";
      continue;
    }
    bool capitals = std::none_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    std::string lower = po::ascii_lower(word);
    if (word == "INTERNET") lower = "Internet";
    if (word == "WEB") lower = "web";
    if (!out.empty()) out += ' ';
    out += capitals && !is_abbreviation(word) ? lower : word == "INTERNET" ? lower : std::string(word);
  }
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return optional ? out + " (optional)" : out;
}

std::string field_id(std::string_view name) {
  return "f-" + form::name_key(name);
}

/// Hints are written for the text form, where nothing is an empty bracket.
static std::string hint_of(const Field& field) {
  if (field.type == Type::kChoice || field.hint == "yes or no") return {};
  std::string out(field.hint);
  for (std::size_t at; (at = out.find("[]")) != std::string::npos;) out.replace(at, 2, "empty");
  return out;
}

// ---- values

static bool may_read(const Field& field, Who who) {
  return who == Who::kPostmaster || field.read == Who::kOwner || field.change == Who::kOwner;
}
static bool may_change(const Field& field, Who who) {
  return field.type != Type::kReadOnly && (who == Who::kPostmaster || field.change == Who::kOwner);
}

bool too_long_for_input(const Field& field, const List& values) {
  if (!field.list()) return false;
  std::size_t size = 0;
  for (const std::string& value : values) size += value.size() + 1;
  return size > (field.type == Type::kLines ? kMostLines : kMostListed);
}

/// What stands in the input.
static List shown_values(const FormView& view, const Field& field) {
  auto typed = view.typed.find(field.name);
  if (typed != view.typed.end()) return typed->second;
  List values = form::values_of(view.values, field.name);
  if (values.empty() && !field.list() && !field.default_value.empty()) values.push_back(field.default_value);
  return values;
}

static std::string joined(const List& values) {
  return fmt::format("{}", fmt::join(values, "\n"));
}

static List lines_of(std::string_view text, bool keep_blank) {
  List out;
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!keep_blank) line = po::trim(line);
    if (keep_blank || !line.empty()) out.emplace_back(line);
  }
  while (!out.empty() && out.back().empty()) out.pop_back();
  return out;
}

static List posted_field(const Field& field, const Parameters& posted) {
  if (field.list()) return lines_of(posted.value(field.name), field.type == Type::kLines);
  List out;
  for (std::string_view value : posted.all(field.name)) {
    if (field.type != Type::kPassword) value = po::trim(value);
    if (!value.empty()) out.emplace_back(value);
  }
  return out;
}

Values posted_values(const form::Form& form, Who who, const Parameters& posted) {
  Values out;
  for (const form::Section& section : form.sections) {
    for (const Field& field : section.fields) {
      if (!may_change(field, who) || !posted.has(field.name)) continue;
      List values = posted_field(field, posted);
      if (field.type != Type::kPassword || !values.empty()) out.emplace(field.name, std::move(values));
    }
  }
  return out;
}

std::vector<WebField> to_fields(const Values& values) {
  std::vector<WebField> out;
  for (const auto& [name, list] : values) out.push_back({name, list});
  return out;
}

Values to_values(const std::vector<WebField>& fields) {
  Values out;
  for (const WebField& field : fields) out.insert_or_assign(field.name, field.values);
  return out;
}

Merged merge_typed(const form::Form& form, const Values& typed, const Values& now,
                   const std::vector<WebRevision>& since) {
  Merged merged{typed, {}};
  Values shown;  // what stood in the page: the oldest `before` since then
  for (const WebRevision& revision : since)
    for (const WebRevision::Line& line : revision.lines) shown.insert_or_assign(line.field, line.before);
  for (auto& [name, before] : shown) {
    const Field* field = form.find(name);
    auto mine = merged.typed.find(name);
    if (field == nullptr || mine == merged.typed.end() || field->type == Type::kPassword) continue;
    const List& current = form::values_of(now, name);
    if (mine->second == before) {
      mine->second = current;
    } else if (mine->second != current) {
      merged.others.emplace(name, current);
    }
  }
  return merged;
}

// ---- rows

namespace {

/// One field on its way into the page.
class Row {
 public:
  Row(Html& h, const FormView& view, const Field& field)
      : h_(h),
        view_(view),
        field_(field),
        key_(form::name_key(field.name)),
        hint_(hint_of(field)),
        inputs_(may_change(field, view.who)),
        values_(shown_values(view, field)),
        too_long_(too_long_for_input(field, values_)) {
    for (const WebProblem& problem : view.problems)
      if (view.form->find(problem.field) == &field) problems_.push_back(&problem);
  }

  void write();

 private:
  [[nodiscard]] std::string id() const { return "f-" + key_; }
  [[nodiscard]] bool wrong() const { return !problems_.empty(); }
  [[nodiscard]] std::string described_by() const;
  [[nodiscard]] bool is_group() const { return field_.type == Type::kYesNo; }
  [[nodiscard]] std::string_view row_class() const;
  void write_head();
  void write_control();
  void write_read_only();
  void write_too_long();
  void write_yes_no();
  void write_choice();
  void write_passwords();
  void write_text();
  void write_lines();
  void write_notes();

  Html& h_;
  const FormView& view_;
  const Field& field_;
  std::string key_, hint_;
  bool inputs_;    ///< else it is shown only
  List values_;    ///< of the inputs
  bool too_long_;  ///< for inputs
  std::vector<const WebProblem*> problems_;
};

std::string Row::described_by() const {
  std::string out;
  if (wrong()) out += "e-" + key_ + " ";
  if (!hint_.empty()) out += "u-" + key_ + " ";
  if (!field_.help.empty()) out += "h-" + key_ + " ";
  if (view_.others.contains(field_.name)) out += "o-" + key_ + " ";
  if (!out.empty()) out.pop_back();
  return out;
}

std::string_view Row::row_class() const {
  if (wrong()) return field_.indent ? "row indent invalid" : "row invalid";
  return field_.indent ? "row indent" : "row";
}

void Row::write() {
  if (inputs_ && is_group() && !too_long_) {
    h_.open("div", {{"class", row_class()},
                    {"role", "radiogroup"},
                    {"aria-labelledby", "l-" + key_},
                    html::Attribute::unless_empty("aria-describedby", described_by()),
                    html::Attribute::unless_empty("aria-invalid", wrong() ? "true" : "")});
  } else {
    h_.open("div", {{"class", row_class()}});
  }
  write_head();
  h_.open("div", {{"class", "control"}});
  if (!inputs_) {
    write_read_only();
  } else if (too_long_) {
    write_too_long();
  } else {
    write_control();
  }
  write_notes();
  h_.close("div").close("div");
}

void Row::write_head() {
  h_.open("div", {{"class", "head"}});
  std::string label = field_label(field_.name);
  if (inputs_ && !is_group() && !too_long_) {
    h_.open("label", {{"for", id()}}).text(label);
    if (field_.required) h_.element("span", {{"class", "required"}}, " (required)");
    h_.close("label");
  } else {
    h_.element("span", {{"class", "label"}, {"id", "l-" + key_}}, label);
  }
  if (!field_.help.empty()) h_.element("p", {{"class", "help"}, {"id", "h-" + key_}}, field_.help);
  h_.close("div");
}

void Row::write_control() {
  switch (field_.type) {
    case Type::kYesNo:
      return write_yes_no();
    case Type::kChoice:
      return write_choice();
    case Type::kPassword:
      return write_passwords();
    default:
      return field_.list() ? write_lines() : write_text();
  }
}

void Row::write_read_only() {
  const List& values = form::values_of(view_.values, field_.name);
  if (field_.type == Type::kPassword) return;
  // "[] for the system's limit" says what nothing means.
  static constexpr std::string_view kMeans = "[] for ";
  std::size_t means = field_.hint.find(kMeans);
  if (values.empty())
    h_.element("p", {{"class", "value none"}},
               means == std::string_view::npos ? "none" : field_.hint.substr(means + kMeans.size()));
  if (field_.type == Type::kLines) {
    h_.element("pre", {{"class", "value"}}, joined(values));
    return;
  }
  for (const std::string& value : values) h_.element("p", {{"class", "value"}}, value);
}

void Row::write_too_long() {
  if (field_.type == Type::kLines) {
    h_.element("p", {{"class", "value"}},
               fmt::format("{} lines: too many for this page. post.office form shows and sets them.",
                           values_.size()));
    return;
  }
  h_.open("p", {{"class", "value"}});
  h_.link(view_.path + "/list/" + std::string(field_.name),
          fmt::format("{} entries: search, add, remove", values_.size()));
  h_.close("p");
}

void Row::write_yes_no() {
  std::string now = values_.empty() ? "" : po::ascii_lower(values_[0]);
  h_.open("div", {{"class", "radios"}});
  for (std::string_view choice : {"yes", "no"}) {
    std::string choice_id = choice == "yes" ? id() : id() + "-no";
    h_.open("label", {{"for", choice_id}});
    h_.empty("input", {{"type", "radio"},
                       {"id", choice_id},
                       {"name", field_.name},
                       {"value", choice},
                       {"checked", now == choice}});
    h_.text(choice == "yes" ? "Yes" : "No").close("label");
  }
  h_.close("div");
}

void Row::write_choice() {
  std::string now = values_.empty() ? "" : values_[0];
  h_.open("select", {{"id", id()},
                     {"name", field_.name},
                     html::Attribute::unless_empty("aria-describedby", described_by()),
                     html::Attribute::unless_empty("aria-invalid", wrong() ? "true" : "")});
  bool known = false;
  for (const form::Choice& choice : field_.choices) {
    known = known || choice.value == now;
    h_.element("option", {{"value", choice.value}, {"selected", choice.value == now}}, choice.value);
  }
  if (!known && !now.empty()) h_.element("option", {{"value", now}, {"selected", true}}, now);
  h_.close("select");
}

void Row::write_passwords() {
  for (bool again : {false, true}) {
    std::string input = again ? id() + "-again" : id();
    if (again) h_.element("label", {{"for", input}, {"class", "again"}}, "Once more");
    h_.empty("input", {{"type", "password"},
                       {"id", input},
                       {"name", field_.name},
                       {"autocomplete", "new-password"},
                       {"maxlength", field_.max_octets},
                       html::Attribute::unless_empty("aria-describedby", described_by()),
                       html::Attribute::unless_empty("aria-invalid", wrong() ? "true" : "")});
  }
}

void Row::write_text() {
  bool number = field_.type == Type::kNumber;
  bool words = field_.type == Type::kText;
  h_.empty("input", {{"type", "text"},
                     {"id", id()},
                     {"name", field_.name},
                     {"value", values_.empty() ? std::string_view() : std::string_view(values_[0])},
                     {"class", number ? "number" : "line"},
                     html::Attribute::unless_empty("inputmode", number                          ? "numeric"
                                                                : field_.type == Type::kAddress ? "email"
                                                                                                : ""),
                     {"autocomplete", "off"},
                     html::Attribute::unless_empty("autocapitalize", words ? "" : "none"),
                     html::Attribute::unless_empty("spellcheck", words ? "" : "false"),
                     html::Attribute::unless_empty("aria-required", field_.required ? "true" : ""),
                     html::Attribute::unless_empty("aria-describedby", described_by()),
                     html::Attribute::unless_empty("aria-invalid", wrong() ? "true" : "")});
}

void Row::write_lines() {
  bool prose = field_.type == Type::kLines;
  std::size_t rows = std::clamp<std::size_t>(values_.size() + 1, prose ? 4 : 2, 14);
  // A browser takes one line end behind the start tag away: one is put there for it.
  h_.element("textarea",
             {{"id", id()},
              {"name", field_.name},
              {"rows", rows},
              {"class", prose ? "prose" : "entries"},
              {"autocapitalize", "none"},
              {"spellcheck", "false"},
              html::Attribute::unless_empty("aria-required", field_.required ? "true" : ""),
              html::Attribute::unless_empty("aria-describedby", described_by()),
              html::Attribute::unless_empty("aria-invalid", wrong() ? "true" : "")},
             "\n" + joined(values_));
}

void Row::write_notes() {
  if (!problems_.empty()) {
    h_.open("div", {{"class", "error"}, {"id", "e-" + key_}});
    std::size_t most = std::min(problems_.size(), kMostProblems);
    for (std::size_t i = 0; i < most; ++i) {
      const WebProblem* problem = problems_[i];
      bool which = field_.list() && !problem->value.empty();
      h_.element("p", which ? problem->value + ": " + problem->rule : sentence(problem->rule));
    }
    h_.close("div");
  }
  auto other = view_.others.find(field_.name);
  if (other != view_.others.end()) {
    h_.open("div", {{"class", "other"}, {"id", "o-" + key_}}).element("p", "Somebody else made it:");
    h_.element("pre", other->second.empty() ? "(empty)" : joined(other->second)).close("div");
  }
  std::string_view manner = inputs_ && field_.list() ? "One entry per line" : "";
  if (field_.type == Type::kLines) manner = "";
  if (!hint_.empty() && inputs_) {
    h_.element("p", {{"class", "hint"}, {"id", "u-" + key_}},
               manner.empty() ? hint_ : fmt::format("{}: {}", manner, hint_));
  } else if (!manner.empty()) {
    h_.element("p", {{"class", "hint"}}, manner);
  }
}

bool has_rows(const form::Section& section, Who who) {
  return std::any_of(section.fields.begin(), section.fields.end(),
                     [who](const Field& f) { return may_read(f, who); });
}

}  // namespace

void write_fields(Html& h, const FormView& view) {
  for (const form::Section& section : view.form->sections) {
    if (!has_rows(section, view.who)) continue;
    std::string title = section_title(section.rule);
    h.open("section", {{"class", "fields"}});
    if (!title.empty()) h.element("h2", title);
    for (const Field& field : section.fields)
      if (may_read(field, view.who)) Row(h, view, field).write();
    h.close("section");
  }
}

Notice problem_notice(const FormView& view) {
  Notice notice{Tone::kProblem, "Nothing was changed: this is not right yet", {}};
  notice.more.open("ul");
  std::size_t most = std::min(view.problems.size(), kMostProblems);
  for (std::size_t i = 0; i < most; ++i) {
    const WebProblem& problem = view.problems[i];
    const Field* field = view.form->find(problem.field);
    notice.more.open("li");
    if (field != nullptr) notice.more.link("#" + field_id(field->name), field_label(field->name)).text(": ");
    if (field == nullptr && !problem.field.empty()) notice.more.text(problem.field + ": ");
    notice.more.text(sentence(problem.rule)).close("li");
  }
  if (most < view.problems.size())
    notice.more.element("li", fmt::format("and {} more", view.problems.size() - most));
  notice.more.close("ul");
  return notice;
}

}  // namespace wwwd
