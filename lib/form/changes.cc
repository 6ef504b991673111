#include "lib/form/changes.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "lib/form/json.h"
#include "lib/text.h"

namespace form {
namespace {

using List = std::vector<std::string>;

constexpr std::size_t kLongList = 8;

std::string brackets(const List& list) {
  if (list.empty()) return "[]";
  std::string out;
  for (const std::string& value : list)
    out += fmt::format("{}[{}]", out.empty() ? "" : " ", escape_value(value));
  return out;
}

/// Each with `sign` before it.
std::string signed_values(const List& list, std::string_view sign) {
  std::string out;
  for (const std::string& value : list) out += fmt::format(" {} [{}]", sign, escape_value(value));
  return out;
}

}  // namespace

std::vector<directory::Revision::Line> changes_between(const Form& form, const Values& before,
                                                       const Values& after) {
  std::vector<directory::Revision::Line> lines;
  for (const Section& section : form.sections) {
    for (const Field& field : section.fields) {
      if (field.type == Type::kPassword || after.find(field.name) == after.end()) continue;
      const List &was = values_of(before, field.name), &is = values_of(after, field.name);
      if (was != is) lines.push_back({std::string(field.name), was, is});
    }
  }
  return lines;
}

List missing_in(const List& list, const List& other) {
  std::set<std::string_view> there(other.begin(), other.end());
  List out;
  std::copy_if(list.begin(), list.end(), std::back_inserter(out),
               [&](const std::string& value) { return !there.count(value); });
  return out;
}

int line_of(const Parsed& where, std::string_view field) {
  for (const Given& given : where.fields)
    if (given.field->name == field) return given.line;
  return where.line;
}

std::string change_text(const directory::Revision::Line& line) {
  if (std::max(line.before.size(), line.after.size()) <= kLongList)
    return fmt::format("{}: {} -> {}", line.field, brackets(line.before), brackets(line.after));
  std::string moved = signed_values(missing_in(line.after, line.before), "+") +
                      signed_values(missing_in(line.before, line.after), "-");
  return fmt::format("{}:{}", line.field, moved.empty() ? " (in another order)" : moved);
}

std::string change_json(const directory::Revision::Line& line) {
  return fmt::format("{{\"field\": {}, \"before\": {}, \"after\": {}}}", po::json_string(line.field),
                     json_array(line.before, po::json_string), json_array(line.after, po::json_string));
}

}  // namespace form
