// When a dead process is started again. Pure: the clock is the caller's. Caller: supervisor.cc.
#pragma once

#include <chrono>

namespace dispatcher {

/// At once after a process that had been well; then 0.1 s, doubling to 30 s; forgotten after a minute alive.
class Backoff {
 public:
  /// `alive`: how long the process that has just died had lived.
  [[nodiscard]] std::chrono::milliseconds next(std::chrono::milliseconds alive);

 private:
  unsigned deaths_ = 0;
};

}  // namespace dispatcher
