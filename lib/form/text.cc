#include "lib/form/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "lib/form/forms.h"
#include "lib/text.h"

namespace form {
namespace {

constexpr std::string_view kIndent = "     ";
constexpr std::size_t kLeastColumn = 20;

/// The octet that `\xNN` at `at` stands for, or -1.
int escaped_octet(std::string_view text, std::size_t at) {
  if (at + 3 >= text.size() || text[at] != '\\' || text[at + 1] != 'x') return -1;
  int high = po::hex_value(text[at + 2]), low = po::hex_value(text[at + 3]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool must_escape(std::string_view value, std::size_t at) {
  auto octet = static_cast<unsigned char>(value[at]);
  return (octet < 0x20 && octet != '\t') || octet == 0x7f || escaped_octet(value, at) >= 0;
}

std::string label(const Field& field) {
  return fmt::format("{}{}:", field.indent ? kIndent : "", field.name);
}

/// One field alone stands as the Guide prints it: "Aliases: [...]".
std::size_t value_column(const Form& form) {
  bool alone = form.sections.size() == 1 && form.sections.front().fields.size() == 1;
  std::size_t column = alone ? 0 : kLeastColumn;
  for (const Section& section : form.sections)
    for (const Field& field : section.fields) column = std::max(column, label(field).size() + 1);
  return column;
}

void render_field(const Field& field, const Values& values, std::size_t column, const RenderOptions& options,
                  std::string& out) {
  static const std::vector<std::string> kHidden;
  bool hidden = field.type == Type::kPassword && !options.passwords;
  const auto& list = hidden ? kHidden : values_of(values, field.name);
  out += fmt::format("{:<{}}[{}]", label(field), column, list.empty() ? "" : escape_value(list[0]));
  if (options.hints && !field.hint.empty()) out += fmt::format("   ({})", field.hint);
  out += '\n';
  for (std::size_t i = 1; i < list.size(); ++i)
    out += fmt::format("{:<{}}[{}]\n", "", column, escape_value(list[i]));
}

bool is_rule(std::string_view line) {
  return line.size() >= 3 && std::string_view("-=_*").find(line[0]) != std::string_view::npos &&
         line[1] == line[0] && line[2] == line[0];
}

/// The words of a ruled heading.
std::string_view rule_title(std::string_view line) {
  constexpr std::string_view kRule = "-=_* \t";
  auto from = line.find_first_not_of(kRule);
  if (from == std::string_view::npos) return {};
  return line.substr(from, line.find_last_not_of(kRule) - from + 1);
}

bool is_heading(std::string_view line) {
  return is_rule(line) && line[0] == '=' && !rule_title(line).empty();
}

/// Reads the bracket that `rest` begins with; false if it does not end on this line.
bool take_bracket(std::string_view& rest, std::string& value) {
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (int octet = escaped_octet(rest, i); octet >= 0) {
      value.push_back(static_cast<char>(octet));
      i += 3;
    } else if (rest[i] != ']') {
      value.push_back(rest[i]);
    } else if (i + 1 < rest.size() && rest[i + 1] == ']') {
      value.push_back(']');
      ++i;
    } else {
      rest.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

/// Skips a hint; parentheses inside it count. One that does not end takes the rest of the line.
void skip_hint(std::string_view& rest) {
  int depth = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '(') ++depth;
    if (rest[i] == ')' && --depth == 0) {
      rest.remove_prefix(i + 1);
      return;
    }
  }
  rest = {};
}

}  // namespace

std::string escape_value(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (must_escape(value, i))
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(value[i]));
    else if (value[i] == ']')
      out += "]]";
    else
      out += value[i];
  }
  return out;
}

std::string render(const Form& form, const Values& values, const RenderOptions& options) {
  auto is_printed = [&](const Field& field) {
    if (options.reader == Who::kOwner && field.read == Who::kPostmaster) return false;
    return options.shown_only || field.type != Type::kReadOnly || is_of_account(form);
  };
  std::string out = fmt::format("===== {} =====\n", form.title);
  std::size_t column = value_column(form);
  for (const Section& section : form.sections) {
    out += section.rule.empty() ? std::string("\n") : fmt::format("\n{}\n", section.rule);
    for (const Field& field : section.fields)
      if (is_printed(field)) render_field(field, values, column, options, out);
  }
  if (options.revision)
    out += fmt::format("\n{}: [{}]   (leave it: it tells whether the form was changed meanwhile)\n",
                       kRevisionField, *options.revision);
  return out;
}

bool Parser::peek_line(std::string_view& line) {
  if (at_ >= text_.size()) return false;
  line_end_ = std::min(text_.find('\n', at_), text_.size());
  line = text_.substr(at_, line_end_ - at_);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return true;
}

void Parser::take_line() {
  at_ = line_end_ + 1;
  ++line_;
}

std::optional<Parsed> Parser::next() {
  Parsed parsed;
  in_ = In::kNothing;
  std::string_view line;
  while (peek_line(line)) {
    bool started = !parsed.fields.empty() || !parsed.problems.empty();
    if (started && begins_form(line)) break;
    if (!started) parsed.line = line_;
    read_line(line, parsed);
    take_line();
  }
  if (parsed.fields.empty() && parsed.problems.empty()) return std::nullopt;
  parsed.form = form_;
  return parsed;
}

bool Parser::begins_form(std::string_view line) const {
  line = po::trim(line);
  if (is_heading(line)) return any_ || form_->is_named(rule_title(line));
  if (!form_) return false;
  auto colon = line.find(':');
  if (line.empty() || line[0] == '[' || line[0] == '(' || colon == std::string_view::npos) return false;
  return form_->first().is_named(line.substr(0, colon));
}

void Parser::read_line(std::string_view line, Parsed& into) {
  line = po::trim(line);
  if (line.empty() || line[0] == '#' || line[0] == '(') return;
  if (line[0] == '[') return read_values(line, into);
  if (is_rule(line)) return read_rule(line, into);
  read_field(line, into);
}

void Parser::read_rule(std::string_view line, Parsed& into) {
  if (in_ != In::kUnknownForm) in_ = In::kNothing;
  if (is_heading(line)) read_heading(find_form(rule_title(line)), rule_title(line), into);
}

void Parser::read_heading(const Form* named, std::string_view title, Parsed& into) {
  in_ = In::kNothing;
  if (!any_) {
    if (named && named != form_)
      problem(into, fmt::format("a {} form does not belong here; this command reads {} forms", named->title,
                                form_->title));
    return;
  }
  form_ = named;
  if (named) return;
  problem(into, "there is no such form; 'post.office form list' names them", std::string(title));
  in_ = In::kUnknownForm;
}

/// True if the line is Form-Revision.
bool Parser::read_revision(std::string_view name, std::string_view rest, Parsed& into) {
  if (!same_name(name, kRevisionField)) return false;
  field_name_ = kRevisionField;
  in_ = In::kUnknownField;  // what stands below it is not its own
  rest = po::trim(rest);
  std::string value;
  std::uint64_t revision = 0;
  bool bracket = rest.starts_with('[') && take_bracket(rest, value);
  if (bracket && po::trim(value).empty()) return true;
  std::string_view digits = po::trim(value);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), revision);
  if (!bracket || error != std::errc() || end != digits.data() + digits.size())
    problem(into, "leave this line as it was printed, or leave it out", value);
  else
    into.revision = revision;
  return true;
}

void Parser::read_field(std::string_view line, Parsed& into) {
  if (in_ == In::kUnknownForm) return;  // complained about already
  auto colon = std::min(line.find(':'), line.size());
  std::string_view name = po::trim(line.substr(0, colon));
  in_ = In::kUnknownField;
  field_name_.clear();
  if (colon == line.size() || same_name(name, {}))
    return problem(into, "a line of a form is Field-Name: [value]", std::string(line));
  field_name_ = name.substr(0, 100);  // Problem::text() makes it fit to be shown
  if (!form_) {
    field_name_.clear();
    problem(into,
            "a file of forms begins with a heading such as ===== Account Data =====", std::string(line));
    in_ = In::kUnknownForm;
    return;
  }
  if (read_revision(name, line.substr(colon + 1), into)) return;
  const Field* field = form_->find(name);
  if (!field) return problem(into, fmt::format("the {} form has no such field", form_->title));
  field_name_ = field->name;
  for (const Given& earlier : into.fields)
    if (earlier.field == field)
      return problem(into, fmt::format("given twice, first in line {}", earlier.line));
  in_ = In::kField;
  into.fields.push_back({field, line_, {}});
  read_values(line.substr(colon + 1), into);
}

void Parser::read_values(std::string_view rest, Parsed& into) {
  if (in_ == In::kUnknownField || in_ == In::kUnknownForm) return;  // complained about already
  if (in_ == In::kNothing) return problem(into, "this value stands below no field", std::string(rest));
  bool secret = into.fields.back().field->type == Type::kPassword;
  for (rest = po::trim(rest); !rest.empty(); rest = po::trim(rest)) {
    if (rest[0] == '(') {
      skip_hint(rest);
      continue;
    }
    std::string shown = secret ? std::string() : std::string(rest);
    if (rest[0] != '[')
      return problem(into, "values stand between [ and ]; a ] inside one is written ]]", shown);
    std::string value;
    if (!take_bracket(rest, value)) return problem(into, "the closing ] is missing", shown);
    into.fields.back().values.push_back(std::move(value));
  }
}

void Parser::problem(Parsed& into, std::string rule, std::string value) {
  into.problems.push_back({line_,
                           in_ == In::kNothing || in_ == In::kUnknownForm ? std::string() : field_name_,
                           std::move(value), std::move(rule)});
}

}  // namespace form
