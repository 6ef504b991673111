#include "queue/queue_text.h"

#include <fmt/format.h>

#include <ctime>

#include "lib/text.h"

namespace queue {

static std::string time_by(const char* form, std::uint64_t ms) {
  auto seconds = static_cast<time_t>(ms / 1000);
  tm utc{};
  char text[40] = "";
  if (gmtime_r(&seconds, &utc) != nullptr) strftime(text, sizeof text, form, &utc);
  return text;
}

std::string utc_text(std::uint64_t ms) {
  return time_by("%Y-%m-%dT%H:%M:%SZ", ms);
}

std::string mailq_time(std::uint64_t ms) {
  return time_by("%a %b %e %H:%M:%S", ms);
}

std::string age_text(std::uint64_t ms) {
  std::uint64_t seconds = ms / 1000;
  if (seconds < 100) return fmt::format("{}s", seconds);
  if (seconds < 100 * 60) return fmt::format("{}m", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

std::string until_text(std::uint64_t at_ms, std::uint64_t now_ms) {
  return at_ms <= now_ms ? "now" : "in " + age_text(at_ms - now_ms);
}

std::string size_text(std::uint64_t octets) {
  if (octets < 10'000) return fmt::format("{} octets", octets);
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(octets) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit < 3) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string bracketed(std::string_view address) {
  return "<" + po::for_terminal(address) + ">";
}

}  // namespace queue
