#include "accounts/unix_time.h"

#include <ctime>

namespace accounts {
namespace {

std::string utc(const char* format, std::int64_t seconds) {
  std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

}  // namespace

std::int64_t unix_seconds() {
  return std::time(nullptr);
}

std::string utc_text(std::int64_t seconds) {
  return utc("%Y-%m-%d %H:%M:%S UTC", seconds);
}

std::string minute_text(std::int64_t seconds) {
  return seconds == 0 ? "never" : utc("%Y-%m-%d %H:%M UTC", seconds);
}

}  // namespace accounts
