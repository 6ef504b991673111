// The times of the queue.
#include "queue/schedule.h"

#include <catch2/catch.hpp>

using namespace queue;

TEST_CASE("schedule: retries widen from 5 minutes to 4 hours, each a quarter more or less") {
  const std::uint64_t minutes[] = {5, 10, 20, 40, 80, 160, 240, 240};
  for (unsigned attempt = 1; attempt <= std::size(minutes); ++attempt) {
    CAPTURE(attempt);
    std::uint64_t base = minutes[attempt - 1] * kMinuteMs;
    CHECK(retry_after_ms(attempt, 0) == base * 3 / 4);
    CHECK(retry_after_ms(attempt, 512) == base);
    for (std::uint32_t chance : {1U, 1023U, 1024U, 123'456'789U, UINT32_MAX}) {
      std::uint64_t after = retry_after_ms(attempt, chance);
      CHECK(after >= base * 3 / 4);
      CHECK(after < base * 5 / 4);
    }
    CHECK(retry_after_ms(attempt, 1023) > base * 6 / 5);
  }
  CHECK(retry_after_ms(0, 512) == 5 * kMinuteMs);
  CHECK(retry_after_ms(UINT32_MAX, 512) == 4 * kHourMs);
  CHECK(spare_for_ms(1, 512) == kMinuteMs);
  CHECK(spare_for_ms(4, 512) == 8 * kMinuteMs);
  CHECK(spare_for_ms(UINT32_MAX, 512) == kHourMs);
}

TEST_CASE("schedule: late and too old") {
  struct {
    Lifetimes times;
    std::uint64_t age_ms;
    bool late, expired;
  } const table[] = {
      {{}, 0, false, false},
      {{}, 4 * kHourMs - 1, false, false},
      {{}, 4 * kHourMs, true, false},
      {{}, 120 * kHourMs - 1, true, false},
      {{}, 120 * kHourMs, true, true},
      {{120 * kHourMs, 0}, 100 * kHourMs, false, false},       // no warning
      {{2 * kHourMs, 4 * kHourMs}, 3 * kHourMs, false, true},  // it ends before it is late
      {{2 * kHourMs, 4 * kHourMs}, 5 * kHourMs, false, true},
  };
  constexpr std::uint64_t kArrival = 1'000'000;
  for (const auto& t : table) {
    CAPTURE(t.age_ms);
    CHECK(is_late(t.times, kArrival, kArrival + t.age_ms) == t.late);
    CHECK(is_expired(t.times, kArrival, kArrival + t.age_ms) == t.expired);
  }
  // The clock was set back.
  CHECK_FALSE(is_late({}, kArrival, kArrival - 1));
  CHECK_FALSE(is_expired({}, kArrival, kArrival - 1));
}

TEST_CASE("schedule: the last attempt is at the end, and not at once") {
  Lifetimes t;
  CHECK(next_attempt_ms(t, 0, 1, 512, 0) == 5 * kMinuteMs);
  CHECK(next_attempt_ms(t, 0, 9, 512, t.lifetime_ms - kHourMs) == t.lifetime_ms);
  CHECK(next_attempt_ms(t, 0, 9, 512, t.lifetime_ms - kSecondMs) == t.lifetime_ms - kSecondMs + kMinuteMs);
}
