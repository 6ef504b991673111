#include "lib/form/json.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/form/text.h"
#include "lib/text.h"

namespace form {
namespace {

bool is_number(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), po::is_digit);
}

std::string json_value(const Field& field, const std::string& value) {
  if (field.type == Type::kYesNo) return value == "yes" ? "true" : "false";
  if ((field.type == Type::kNumber || field.type == Type::kReadOnly) && is_number(value)) return value;
  return po::json_string(value);
}

std::string json_field(const Field& field, const Values& values) {
  const auto& list = values_of(values, field.name);
  if (!field.list()) return list.empty() ? "null" : json_value(field, list[0]);
  return json_array(list, [&](const std::string& value) { return json_value(field, value); });
}

}  // namespace

std::string to_json(const Form& form, const Values& values, std::optional<std::uint64_t> revision) {
  std::string out = "{";
  for (const Section& section : form.sections) {
    for (const Field& field : section.fields) {
      if (field.type == Type::kPassword) continue;
      out += fmt::format("{}{}: {}", out.size() > 1 ? ", " : "", po::json_string(field.name),
                         json_field(field, values));
    }
  }
  if (revision)
    out += fmt::format("{}{}: {}", out.size() > 1 ? ", " : "", po::json_string(kRevisionField), *revision);
  return out + "}";
}

}  // namespace form
