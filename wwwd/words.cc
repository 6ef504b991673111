#include "wwwd/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib/text.h"

namespace wwwd {

std::string count_text(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string count_of(std::uint64_t n, std::string_view one, std::string_view plural) {
  if (n == 1) return fmt::format("1 {}", one);
  return plural.empty() ? fmt::format("{} {}s", count_text(n), one)
                        : fmt::format("{} {}", count_text(n), plural);
}

std::string octets_text(std::uint64_t octets) {
  if (octets < 10'000) return count_of(octets, "octet");
  static constexpr std::array<const char*, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(octets) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.{}f} {}", value, value < 100 ? 1 : 0, kUnits[unit]);
}

std::string span_text(std::int64_t seconds) {
  seconds = std::max<std::int64_t>(seconds, 0);
  if (seconds < 100) return fmt::format("{} s", seconds);
  if (seconds < 100 * 60) return fmt::format("{} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} days", seconds / 86400);
}

static std::string time_by(const char* form, std::time_t when) {
  tm utc{};
  std::array<char, 40> text{};
  if (gmtime_r(&when, &utc) != nullptr) strftime(text.data(), text.size(), form, &utc);
  return text.data();
}

std::string time_text(std::time_t when, bool seconds) {
  return time_by(seconds ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", when);
}

std::string clock_text(std::time_t when) {
  return time_by("%H:%M", when);
}

std::string machine_time(std::time_t when) {
  return time_by("%Y-%m-%dT%H:%M:%SZ", when);
}

/// `form`: as what is expected, with 0 for any digit.
static bool has_form(std::string_view text, std::string_view form) {
  if (text.size() < form.size()) return false;
  for (std::size_t i = 0; i < form.size(); ++i)
    if (form[i] == '0' ? !po::is_digit(text[i]) : text[i] != form[i]) return false;
  return true;
}

static int number_at(std::string_view text, std::size_t at, std::size_t digits) {
  int n = 0;
  for (char c : text.substr(at, digits)) n = n * 10 + (c - '0');
  return n;
}

std::optional<std::time_t> parse_time(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (!has_form(text, kForm)) return {};
  std::string_view rest = text.substr(kForm.size());
  if (rest.size() > 1 && rest.front() == '.') {
    rest.remove_prefix(1);
    while (!rest.empty() && po::is_digit(rest.front())) rest.remove_prefix(1);
  }
  if (rest != "Z") return {};
  tm utc{};
  utc.tm_year = number_at(text, 0, 4) - 1900;
  utc.tm_mon = number_at(text, 5, 2) - 1;
  utc.tm_mday = number_at(text, 8, 2);
  utc.tm_hour = number_at(text, 11, 2);
  utc.tm_min = number_at(text, 14, 2);
  utc.tm_sec = number_at(text, 17, 2);
  std::time_t when = timegm(&utc);  // puts a 31st of February right, by which we know that it is none
  if (machine_time(when).substr(0, kForm.size()) != text.substr(0, kForm.size())) return {};
  return when;
}

/// Of the character that begins with `c`, if it is well-formed.
static std::size_t length_of(unsigned char c) {
  return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

std::string shortened(std::string_view text, std::size_t octets) {
  std::string out;
  while (!text.empty()) {
    std::string_view one = text.substr(0, length_of(static_cast<unsigned char>(text.front())));
    bool good = po::is_utf8(one);
    if (!good) one = text.substr(0, 1);
    if (out.size() + (good ? one.size() : 3) > octets) return out + "\u2026";
    out += good ? one : std::string_view("\ufffd");
    text.remove_prefix(one.size());
  }
  return out;
}

std::string sentence(std::string_view text) {
  std::string out(text);
  if (out.empty()) return out;
  if (out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  if (std::string_view(".?!").find(out.back()) == std::string_view::npos) out += '.';
  return out;
}

}  // namespace wwwd
