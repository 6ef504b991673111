#include "lib/form/check.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "lib/access.h"
#include "lib/address.h"
#include "lib/directory/next_hop.h"
#include "lib/directory/queue_start.h"
#include "lib/directory/resolution.h"
#include "lib/text.h"

namespace form {
namespace {

using Checked = po::Result<std::string>;  // its error text is the rule

tl::unexpected<po::Error> wrong(std::string rule) {
  return po::permanent(std::move(rule));
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

Checked check_line(std::string_view value) {
  auto nfc = po::to_nfc(value);
  if (!nfc) return wrong("this is not UTF-8 text");
  if (po::has_control(*nfc)) return wrong("control characters are not allowed");
  return *nfc;
}

Checked check_free_line(std::string_view value) {
  std::string tabs_aside(value);
  std::replace(tabs_aside.begin(), tabs_aside.end(), '\t', ' ');
  if (auto ok = check_line(tabs_aside); !ok) return ok;
  return std::string(value);
}

Checked check_password(std::string_view value, std::uint32_t least) {
  if (value.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos)
    return wrong("a password stands on one line");
  if (characters(value) < least) return wrong(fmt::format("a password has at least {} characters", least));
  constexpr std::string_view kBlank = " \t";
  if (kBlank.find(value.front()) != std::string_view::npos ||
      kBlank.find(value.back()) != std::string_view::npos)
    return wrong("spaces and tabs may stand anywhere in a password but first or last");
  return std::string(value);
}

Checked check_login(std::string_view value) {
  auto line = check_line(value);
  if (!line) return line;
  if (value.find(' ') != std::string_view::npos) return wrong("a log-in name is one word");
  return line;
}

Checked check_address(std::string_view value, const CheckContext& context) {
  auto mailbox = po::parse_mailbox(value, {.utf8 = true, .need_domain = false});
  if (!mailbox) return tl::make_unexpected(mailbox.error());
  if (mailbox->domain.empty()) mailbox->domain = context.completion_domain;
  return mailbox->canonical();
}

Checked check_word(const Field& field, std::string_view value) {
  std::string word = po::ascii_lower(value);
  std::string rule = "give ";
  for (const Choice& choice : field.choices) {
    if (po::equal_ignoring_case(choice.value, word)) return std::string(choice.value);
    for (std::string_view also : choice.also)
      if (po::equal_ignoring_case(also, word)) return std::string(choice.value);
    if (&choice != &field.choices.front()) rule += &choice == &field.choices.back() ? " or " : ", ";
    rule += choice.value;
  }
  return wrong(rule);
}

Checked check_yes_no(const Field& field, std::string_view value) {
  if (po::equal_ignoring_case(value, "yes") || po::equal_ignoring_case(value, "no"))
    return po::ascii_lower(value);
  for (const Choice& choice : field.choices)
    for (std::string_view also : choice.also)
      if (po::equal_ignoring_case(also, value)) return std::string(choice.value);
  return wrong("give yes or no");
}

Checked check_number(const Field& field, std::string_view value) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < field.min || number > field.max)
    return wrong(fmt::format("give a number from {} to {}", field.min, field.max));
  return std::to_string(number);
}

/// Networks stay as they were typed: 199.17.234.0 says to its reader what it said to its writer.
Checked check_access(std::string_view value) {
  auto rule = po::parse_access_rule(value);
  if (!rule) return tl::make_unexpected(rule.error());
  return rule->name.empty() ? std::string(value) : po::access_rule_text(*rule);
}

Checked check_route(std::string_view value) {
  return directory::parse_route(value).map(directory::route_text);
}

Checked check_sender_options(std::string_view value) {
  return directory::parse_sender_options(value).map(directory::sender_options_text);
}

Checked check_alias(std::string_view value, const CheckContext& context) {
  return directory::parse_channel_alias(value, context.completion_domain).map(directory::channel_alias_text);
}

Checked check_value(const Field& field, std::string_view value, const CheckContext& context) {
  if (value.size() > field.max_octets) return wrong(fmt::format("longer than {} octets", field.max_octets));
  switch (field.type) {
    case Type::kText:
      return check_line(value);
    case Type::kPassword:
      return check_password(value, context.min_password);
    case Type::kAddress:
      return check_address(value, context);
    case Type::kLogin:
      return check_login(value);
    case Type::kYesNo:
      return check_yes_no(field, value);
    case Type::kNumber:
      return check_number(field, value);
    case Type::kChoice:
      return check_word(field, value);
    case Type::kDomain:
      return po::parse_domain(value);
    case Type::kAccess:
      return check_access(value);
    case Type::kLines:
      return check_free_line(value);
    case Type::kRoute:
      return check_route(value);
    case Type::kSenderOptions:
      return check_sender_options(value);
    case Type::kChannelAlias:
      return check_alias(value, context);
    case Type::kQueueStart:
      return directory::tidy_queue_start(value);
    case Type::kReadOnly:
      break;
  }
  return std::string(value);
}

bool keeps_spaces(const Field& field) {
  return field.type == Type::kPassword || field.type == Type::kLines;
}

/// What two entries of a list are compared by. Letter case counts nowhere but in free text.
std::string entry_key(const Field& field, std::string_view value) {
  return field.type == Type::kLines ? std::string(value) : po::ascii_lower(value);
}

/// What only one entry of a list may speak of, because of two the second would never count; empty: anything.
std::string entry_subject(const Field& field, const std::string& good) {
  if (field.type == Type::kRoute)
    if (auto route = directory::parse_route(good)) return route->pattern;
  if (field.type == Type::kSenderOptions)
    if (auto entry = directory::parse_sender_options(good)) return entry->domain;
  if (field.type == Type::kChannelAlias)
    if (auto alias = directory::parse_channel_alias(good)) return po::ascii_lower(alias->incoming);
  return {};
}

/// The brackets of one field to its values.
class FieldCheck {
 public:
  FieldCheck(const Field& field, int line, const CheckContext& context, std::vector<Problem>& problems)
      : field_(field), line_(line), context_(context), problems_(problems) {}

  std::vector<std::string> run(const std::vector<std::string>& given) {
    if (context_.who == Who::kOwner && field_.change == Who::kPostmaster)
      refuse({}, "only the Postmaster may change this");
    std::vector<std::string> values = without_empty(given);
    if (field_.list()) return run_list(values);
    if (field_.type == Type::kPassword && values.size() == 2) {
      if (values[0] != values[1]) refuse({}, "the password was given twice, but not the same");
      values.pop_back();
    }
    if (values.size() > 1) refuse(values[1], "this field takes one value");
    if (values.empty()) return run_empty();
    return {one(values[0])};
  }

 private:
  std::vector<std::string> without_empty(const std::vector<std::string>& given) {
    std::vector<std::string> values;
    for (const std::string& raw : given) {
      std::string_view value = keeps_spaces(field_) ? std::string_view(raw) : po::trim(raw);
      if (!value.empty() || field_.type == Type::kLines) values.emplace_back(value);
    }
    while (!values.empty() && values.back().empty()) values.pop_back();
    return values;
  }

  std::vector<std::string> run_list(const std::vector<std::string>& values) {
    if (values.size() > field_.max_values)
      refuse({}, fmt::format("a list of at most {} values", field_.max_values));
    std::vector<std::string> out;
    std::set<std::string> seen, subjects;
    for (const std::string& value : values) {
      std::string good = one(value);
      if (field_.type != Type::kLines && !seen.insert(entry_key(field_, good)).second) continue;
      std::string subject = entry_subject(field_, good);
      if (!subject.empty() && !subjects.insert(subject).second)
        refuse(value,
               fmt::format("an entry for {} stands before this one, which would never count", subject));
      out.push_back(std::move(good));
    }
    return out.empty() ? run_empty() : out;
  }

  std::vector<std::string> run_empty() {
    if (field_.required) refuse({}, "this field may not be empty");
    if (field_.default_value.empty()) return {};
    return {field_.default_value};
  }

  std::string one(const std::string& value) {
    auto good = check_value(field_, value, context_);
    if (good) return *good;
    refuse(value, good.error().text);
    return {};
  }

  void refuse(const std::string& value, std::string rule) {
    bool secret = field_.type == Type::kPassword;
    problems_.push_back({line_, std::string(field_.name), secret ? std::string() : value, std::move(rule)});
  }

  const Field& field_;
  int line_;
  const CheckContext& context_;
  std::vector<Problem>& problems_;
};

struct Word {
  std::string_view name, value;
  char operation = '=';  ///< '=', '+', '-'
};

bool split_word(std::string_view text, Word& word) {
  auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  word = {text.substr(0, equals), text.substr(equals + 1), '='};
  if (word.name.back() == '+' || word.name.back() == '-') {
    word.operation = word.name.back();
    word.name.remove_suffix(1);
  }
  return true;
}

/// Takes `value` out of a list; false if it is not there.
bool take_out(const Field& field, std::string_view value, const CheckContext& context,
              std::vector<std::string>& list) {
  auto good = check_value(field, field.type == Type::kLines ? value : po::trim(value), context);
  std::string key = entry_key(field, good ? *good : value);
  auto end = std::remove_if(list.begin(), list.end(),
                            [&](const std::string& entry) { return entry_key(field, entry) == key; });
  bool found = end != list.end();
  list.erase(end, list.end());
  return found;
}

}  // namespace

void check_required(const Form& form, const Values& values, int line, std::vector<Problem>& problems) {
  for (const Section& section : form.sections)
    for (const Field& field : section.fields)
      if (field.required && values.find(field.name) == values.end())
        problems.push_back({line, std::string(field.name), {}, "this field must be given"});
}

Values check(const Form& form, const Parsed& parsed, const CheckContext& context,
             std::vector<Problem>& problems) {
  problems.insert(problems.end(), parsed.problems.begin(), parsed.problems.end());
  Values values;
  for (const Given& given : parsed.fields) {
    if (given.field->type == Type::kReadOnly) continue;
    values[std::string(given.field->name)] =
        FieldCheck(*given.field, given.line, context, problems).run(given.values);
  }
  if (context.whole) check_required(form, values, parsed.line, problems);
  return values;
}

Parsed read_words(const Form& form, const std::vector<std::string>& words, const Values& current,
                  const CheckContext& context) {
  Parsed parsed;
  auto problem = [&](std::string_view field, std::string_view value, std::string rule) {
    parsed.problems.push_back({0, std::string(field), std::string(value), std::move(rule)});
  };
  std::map<const Field*, std::vector<std::string>> lists;
  for (const std::string& text : words) {
    Word word;
    if (!split_word(text, word)) {
      problem({}, text, "give Field-Name=value");
      continue;
    }
    const Field* field = form.find(word.name);
    if (!field) {
      problem(word.name, {}, fmt::format("the {} form has no such field", form.title));
      continue;
    }
    auto [list, first] = lists.try_emplace(field);
    if (word.operation == '=') {
      if (!word.value.empty()) list->second.emplace_back(word.value);
      continue;
    }
    if (!field->list()) {
      problem(field->name, {}, "+= and -= are for lists; use =");
      continue;
    }
    auto before = current.find(field->name);
    if (first && before != current.end()) list->second = before->second;
    if (word.operation == '+')
      list->second.emplace_back(word.value);
    else if (!take_out(*field, word.value, context, list->second))
      problem(field->name, word.value, "not in the list");
  }
  for (auto& [field, list] : lists) {
    if (field->type == Type::kReadOnly) problem(field->name, {}, "this field is shown only");
    parsed.fields.push_back({field, 0, std::move(list)});
  }
  return parsed;
}

}  // namespace form
