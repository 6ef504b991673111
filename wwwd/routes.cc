#include "wwwd/routes.h"

#include <charconv>
#include <cstdint>

namespace wwwd {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::int64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || n < 1) return std::nullopt;
  return static_cast<std::uint64_t>(n);
}

static std::string_view take_segment(std::string_view& rest) {
  if (rest.starts_with('/')) rest.remove_prefix(1);
  std::size_t end = rest.find('/');
  std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(segment.size());
  return segment;
}

static bool matches(std::string_view pattern, std::string_view path, std::vector<std::string>& parts) {
  while (!pattern.empty() && !path.empty()) {
    std::string_view want = take_segment(pattern), have = take_segment(path);
    if (want == "*" ? have.empty() : want == ":" ? !parse_number(have) : want != have) return false;
    if (want == "*" || want == ":") parts.emplace_back(have);
  }
  return pattern.empty() && path.empty();
}

std::optional<Routes::Found> Routes::find(std::string_view path) const {
  std::optional<Found> best;
  for (const Route& route : routes_) {
    Found found{&route, {}};
    if (!matches(route.pattern, path, found.parts)) continue;
    if (found.parts.empty()) return found;
    if (!best) best = std::move(found);
  }
  return best;
}

}  // namespace wwwd
