// When a recipient is tried again, when its sender hears that it is late, and when it is returned: the times
// of the queue, and nothing else. Pure; clock and chance are passed in. Callers: Outcomes, Scheduler.
#pragma once

#include <algorithm>
#include <cstdint>

namespace queue {

inline constexpr std::uint64_t kSecondMs = 1000, kMinuteMs = 60 * kSecondMs, kHourMs = 60 * kMinuteMs;

/// Settings of form Mail Queue, in milliseconds.
struct Lifetimes {
  std::uint64_t lifetime_ms = 120 * kHourMs;
  std::uint64_t warning_ms = 4 * kHourMs;  ///< 0: none
};

/// Doubles from `first_ms` with each try (counted from 1) up to `most_ms`; a quarter of it up or down by
/// `chance`, so that what failed together does not come back together.
[[nodiscard]] constexpr std::uint64_t widening(std::uint64_t first_ms, std::uint64_t most_ms, unsigned tries,
                                               std::uint32_t chance) {
  unsigned doublings = std::min(tries == 0 ? 0 : tries - 1, 20U);
  std::uint64_t base = std::min(first_ms << doublings, most_ms);
  return base * 3 / 4 + base / 2 * (chance % 1024) / 1024;
}

/// How long a recipient waits after its attempt number `attempts` (from 1): 5, 10, 20, 40, 80, 160 minutes,
/// then 4 hours, each a quarter more or less. Greylisting wants the first ones soon.
[[nodiscard]] constexpr std::uint64_t retry_after_ms(unsigned attempts, std::uint32_t chance) {
  return widening(5 * kMinuteMs, 4 * kHourMs, attempts, chance);
}

/// How long a next hop is spared that could not be reached, the `failures`th time in succession: 1, 2, 4 ...
/// minutes up to an hour, each a quarter more or less. Then one job tries it.
[[nodiscard]] constexpr std::uint64_t spare_for_ms(unsigned failures, std::uint32_t chance) {
  return widening(kMinuteMs, kHourMs, failures, chance);
}

/// A message that arrived at `arrival_ms` has been tried for long enough.
[[nodiscard]] constexpr bool is_expired(const Lifetimes& t, std::uint64_t arrival_ms, std::uint64_t now_ms) {
  return now_ms >= arrival_ms && now_ms - arrival_ms >= t.lifetime_ms;
}

/// Its sender should hear that it is late.
[[nodiscard]] constexpr bool is_late(const Lifetimes& t, std::uint64_t arrival_ms, std::uint64_t now_ms) {
  return t.warning_ms != 0 && t.warning_ms < t.lifetime_ms && now_ms >= arrival_ms &&
         now_ms - arrival_ms >= t.warning_ms;
}

/// The next attempt, or, where that would come after the end, the end.
[[nodiscard]] constexpr std::uint64_t next_attempt_ms(const Lifetimes& t, std::uint64_t arrival_ms,
                                                      unsigned attempts, std::uint32_t chance,
                                                      std::uint64_t now_ms) {
  std::uint64_t end = arrival_ms + t.lifetime_ms;
  return std::min(now_ms + retry_after_ms(attempts, chance), std::max(end, now_ms + kMinuteMs));
}

}  // namespace queue
