// Owners for libevent's base and events. Callbacks are std::function and must not throw: an exception would
// cross C frames, so it ends the process (the callbacks run in noexcept trampolines).
#pragma once

#include <event2/event.h>

#include <chrono>
#include <functional>
#include <memory>

namespace po {

class Loop {
 public:
  Loop();
  [[nodiscard]] event_base* base() const { return base_.get(); }
  /// Runs until stop(); returns at once if stop() was called before.
  void run();
  void stop();

 private:
  struct Free {
    void operator()(event_base* b) const { event_base_free(b); }
  };
  std::unique_ptr<event_base, Free> base_;
};

/// A timer, a descriptor event or a signal; removed when destroyed, also from inside its own callback. Moving
/// is not possible (libevent holds its address): hold it by unique_ptr where it must move.
class Event {
 public:
  using Callback = std::function<void()>;
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event();

  /// One shot after `delay`; calling again restarts it. `callback` is kept if it is empty on a later call.
  void after(const Loop& loop, std::chrono::milliseconds delay, Callback callback = {});
  /// Once in this turn of the loop, after the callbacks that are due already; costs no system call. Calling
  /// again before it ran changes nothing.
  void soon(const Loop& loop, Callback callback);
  /// Each `period`, until cancelled.
  void every(const Loop& loop, std::chrono::milliseconds period, Callback callback);
  /// Whenever `fd` is readable (level-triggered), until cancelled. `fd` is not owned and must outlive the
  /// event.
  void on_readable(const Loop& loop, int fd, Callback callback);
  void on_writable(const Loop& loop, int fd, Callback callback);
  void on_signal(const Loop& loop, int signal, Callback callback);
  void cancel();
  [[nodiscard]] bool pending() const;

 private:
  struct State;
  void make(const Loop& loop, int fd, short what, Callback callback);
  std::shared_ptr<State> state_;
};

}  // namespace po
