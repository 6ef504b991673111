#include "dispatcher/restart.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace std::chrono_literals;

TEST_CASE("the first restart is at once, then it takes longer and longer, up to half a minute") {
  dispatcher::Backoff backoff;
  std::vector<std::chrono::milliseconds> want = {0ms,    100ms,  200ms,   400ms,   800ms,   1600ms,
                                                 3200ms, 6400ms, 12800ms, 25600ms, 30000ms, 30000ms};
  for (auto w : want) CHECK(backoff.next(1s) == w);
  for (int i = 0; i < 100; ++i) CHECK(backoff.next(59s) == 30s);
}

TEST_CASE("a minute alive makes good for what was before") {
  dispatcher::Backoff backoff;
  for (int i = 0; i < 5; ++i) (void)backoff.next(0ms);
  CHECK(backoff.next(60s) == 0ms);
  CHECK(backoff.next(0ms) == 100ms);
}
