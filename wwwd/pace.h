// How fast the other side must be: so many octets in each stretch of time. An octet now and then, which keeps
// an idle limit happy for ever, is not enough. Pure; the time is passed in. Caller: Connection.
#pragma once

#include <chrono>
#include <cstdint>

namespace wwwd {

class Pace {
 public:
  using Clock = std::chrono::steady_clock;
  struct Limit {
    std::chrono::seconds stretch;
    std::uint64_t octets;
  };
  explicit Pace(Limit limit) : limit_(limit) {}

  /// From now on; `total` octets so far do not count.
  void restart(Clock::time_point now, std::uint64_t total) {
    since_ = now;
    total_ = total;
  }
  /// False if a stretch has passed and brought too little of what is `total` by now.
  [[nodiscard]] bool keeps(Clock::time_point now, std::uint64_t total) {
    if (now - since_ < limit_.stretch) return true;
    bool enough = total - total_ >= limit_.octets;
    restart(now, total);
    return enough;
  }

 private:
  Limit limit_;
  Clock::time_point since_{};
  std::uint64_t total_ = 0;
};

}  // namespace wwwd
