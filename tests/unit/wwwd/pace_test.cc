#include "wwwd/pace.h"

#include <catch2/catch.hpp>

TEST_CASE("a pace is kept in each stretch") {
  using namespace std::chrono_literals;
  wwwd::Pace pace({10s, 100});
  auto t = wwwd::Pace::Clock::now();
  pace.restart(t, 1000);
  CHECK(pace.keeps(t + 9s, 1000));
  CHECK(pace.keeps(t + 10s, 1100));
  CHECK(pace.keeps(t + 19s, 1100));
  CHECK_FALSE(pace.keeps(t + 20s, 1199));
  pace.restart(t + 30s, 1199);
  CHECK(pace.keeps(t + 39s, 1199));
}
