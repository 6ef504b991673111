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

bool same_name(std::string_view a, std::string_view b) {
  auto skip = [](std::string_view& text) {
    while (!text.empty() && !po::is_alnum(text[0])) text.remove_prefix(1);
    return !text.empty();
  };
  for (;;) {
    bool more = skip(a);
    if (skip(b) != more) return false;
    if (!more) return true;
    if (po::ascii_lower(a[0]) != po::ascii_lower(b[0])) return false;
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
}

bool Field::is_named(std::string_view text) const {
  if (same_name(text, name)) return true;
  return std::any_of(also.begin(), also.end(),
                     [&](std::string_view other) { return same_name(text, other); });
}

const Field* Form::find(std::string_view field_name) const {
  // What this program printed itself has the name as it is declared.
  for (const Section& section : sections)
    for (const Field& field : section.fields)
      if (field.name == field_name) return &field;
  for (const Section& section : sections)
    for (const Field& field : section.fields)
      if (field.is_named(field_name)) return &field;
  return nullptr;
}

bool Form::is_named(std::string_view text) const {
  if (same_name(text, name) || same_name(text, title)) return true;
  return std::any_of(also.begin(), also.end(),
                     [&](std::string_view other) { return same_name(text, other); });
}

const std::vector<std::string>& values_of(const Values& values, std::string_view field) {
  static const std::vector<std::string> kNone;
  auto found = values.find(field);
  return found == values.end() ? kNone : found->second;
}

std::string Problem::text() const {
  std::string out;
  if (line > 0) out += fmt::format("line {}: ", line);
  if (!field.empty()) out += fmt::format("{}: ", shown(field));
  if (!value.empty()) out += fmt::format("[{}]: ", shown(value));
  return out + rule;
}

}  // namespace form
