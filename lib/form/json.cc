#include "lib/form/json.h"

#include <fmt/core.h>

#include "lib/text.h"

namespace form {
namespace {

/// Octets of the UTF-8 character at `at`; 0 if there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  for (std::size_t n = 1; n <= 4 && at + n <= text.size(); ++n)
    if (po::is_utf8(text.substr(at, n))) return n;
  return 0;
}

std::string json_value(const Field& field, const std::string& value) {
  if (field.type == Type::kYesNo) return value == "yes" ? "true" : "false";
  if (field.type == Type::kNumber && !value.empty()) return value;
  return json_string(value);
}

std::string json_field(const Field& field, const Values& values) {
  auto found = values.find(field.name);
  bool empty = found == values.end() || found->second.empty();
  if (!field.list()) return empty ? "null" : json_value(field, found->second[0]);
  std::string out = "[";
  if (!empty)
    for (const std::string& value : found->second)
      out += (out.size() > 1 ? ", " : "") + json_value(field, value);
  return out + "]";
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    std::size_t n = utf8_length(text, i);
    auto c = static_cast<unsigned char>(text[i]);
    if (n == 0)
      out += "\\ufffd";
    else if (c == '"' || c == '\\')
      out += fmt::format("\\{}", text[i]);
    else if (c < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", c);
    else
      out += text.substr(i, n);
    i += n == 0 ? 1 : n;
  }
  return out + "\"";
}

std::string to_json(const Form& form, const Values& values) {
  std::string out = "{";
  for (const Section& section : form.sections) {
    for (const Field& field : section.fields) {
      if (field.type == Type::kPassword) continue;
      out += fmt::format("{}{}: {}", out.size() > 1 ? ", " : "", json_string(field.name),
                         json_field(field, values));
    }
  }
  return out + "}";
}

}  // namespace form
