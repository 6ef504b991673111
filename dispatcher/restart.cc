#include "dispatcher/restart.h"

#include <algorithm>

namespace dispatcher {

using std::chrono::milliseconds;

static constexpr milliseconds kFirst{100};
static constexpr milliseconds kLongest{30'000};
static constexpr milliseconds kWell{60'000};

milliseconds Backoff::next(milliseconds alive) {
  if (alive >= kWell) deaths_ = 0;
  unsigned before = deaths_++;
  if (before == 0) return milliseconds{0};
  return std::min(kLongest, kFirst * (1 << std::min(before - 1, 9U)));
}

}  // namespace dispatcher
