#include "lib/form/form.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/form/text.h"
#include "lib/text.h"

namespace form {
namespace {

constexpr std::size_t kShownOctets = 80;

/// Whether a terminal may take octets of well-formed UTF-8 for commands: U+0080 to U+009F, as CSI.
bool has_c1_control(std::string_view utf8) {
  for (std::size_t i = 0; i + 1 < utf8.size(); ++i)
    if (utf8[i] == '\xc2' && static_cast<unsigned char>(utf8[i + 1]) < 0xa0) return true;
  return false;
}

/// Escaped as in a form, so that a foreign value cannot move a terminal's cursor, and cut at a character.
std::string shown(std::string_view value) {
  if (!po::is_utf8(value) || has_c1_control(value)) return po::for_display(value, kShownOctets);
  if (value.size() <= kShownOctets) return escape_value(value);
  std::size_t end = kShownOctets;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xc0) == 0x80) --end;
  return escape_value(value.substr(0, end)) + "...";
}

}  // namespace

std::string name_key(std::string_view name) {
  std::string key;
  for (char c : name)
    if (po::is_alnum(c)) key.push_back(po::ascii_lower(c));
  return key;
}

const Field* Form::find(std::string_view field_name) const {
  std::string key = name_key(field_name);
  if (key.empty()) return nullptr;
  for (const Section& section : sections) {
    for (const Field& field : section.fields) {
      if (name_key(field.name) == key) return &field;
      for (std::string_view also : field.also)
        if (name_key(also) == key) return &field;
    }
  }
  return nullptr;
}

bool Form::is_named(std::string_view text) const {
  std::string key = name_key(text);
  if (key == name_key(name) || key == name_key(title)) return true;
  return std::any_of(also.begin(), also.end(),
                     [&](std::string_view other) { return name_key(other) == key; });
}

std::string Problem::text() const {
  std::string out;
  if (line > 0) out += fmt::format("line {}: ", line);
  if (!field.empty()) out += fmt::format("{}: ", shown(field));
  if (!value.empty()) out += fmt::format("[{}]: ", shown(value));
  return out + rule;
}

}  // namespace form
