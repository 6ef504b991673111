// JSON of other processes: whatever comes, a value within the bounds or a refusal.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wwwd/json_reader.h"

static std::size_t walk(const wwwd::Json& value, std::size_t depth) {
  if (depth > wwwd::kMostJsonDepth + 1) std::abort();
  std::size_t n = 1;
  for (const wwwd::Json& item : value.items()) n += walk(item, depth + 1);
  for (const auto& [name, member] : value.members()) n += walk(member, depth + 1);
  return n;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto value = wwwd::parse_json(text);
  if (value && walk(*value, 0) > wwwd::kMostJsonValues) std::abort();
  auto lines = wwwd::parse_json_lines(text);
  if (lines && value && text.find('\n') == std::string_view::npos && !lines->empty()) std::abort();
  return 0;
}
