// Where queue and story take orders from wwwd (lib/order.h): each is opened once, and what it says is run as
// a task whose output goes back on the pipe that it came by, with the question's serial, as long as wwwd
// reads. So many run at a time, the next ones wait in line, and what is beyond that is told to come later.
// wwwd is not trusted: an order that is not good does nothing, and any frame but CarryOut and Abandon drops
// the pipe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>

#include "lib/channel.h"
#include "lib/command_task.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/order.h"

namespace po {

class OrderDesk {
 public:
  /// Never null; words that are wrong make a task that says so.
  using MakeTask = std::function<std::unique_ptr<CommandTask>(const Order& order)>;
  OrderDesk(const Loop& loop, Log& log, const messages::Key& key, std::size_t at_once, MakeTask make_task)
      : loop_(loop), log_(log), book_(key), at_once_(at_once), make_task_(std::move(make_task)) {}

  /// False: this frame is not for wwwd to send, or does not decode. The channel must stay until drop().
  [[nodiscard]] bool on_frame(Channel& channel, Frame& frame);
  /// The pipe has closed: its tasks end.
  void drop(const Channel& channel);
  [[nodiscard]] std::size_t size() const { return jobs_.size(); }
  [[nodiscard]] std::uint64_t served() const { return served_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

  static constexpr std::size_t kMost = 64;                 ///< that run and that wait
  static constexpr std::size_t kMostBacklog = 256 * 1024;  ///< octets not read: no piece is asked for
  static constexpr std::chrono::minutes kPatience{1};      ///< with a wwwd that reads nothing

 private:
  struct Job {
    Channel* channel = nullptr;
    std::uint32_t serial = 0;
    std::unique_ptr<CommandTask> task;
    Event next;
    bool running = false;  ///< false: waits in line
    bool waiting = false;  ///< for its task to wake
    bool woken = false;    ///< while it was not waiting yet
    std::size_t backlog = 0;
    std::chrono::steady_clock::time_point moved{};
  };
  using At = std::list<Job>::iterator;
  bool on_carry_out(Channel& channel, Frame& frame);
  bool on_abandon(const Channel& channel, Frame& frame);
  void refuse(Channel& channel, std::uint32_t serial, std::uint8_t code, std::string_view text);
  void start_next();
  void end(At at);
  void go_on(At at, std::chrono::milliseconds after);
  void run(At at);
  void step(At at);
  [[nodiscard]] static bool is_stuck(Job& job);

  const Loop& loop_;
  Log& log_;
  OrderBook book_;
  std::size_t at_once_;
  MakeTask make_task_;
  std::list<Job> jobs_;  ///< in the order in which they came
  std::size_t running_ = 0;
  std::uint64_t served_ = 0, refused_ = 0;
};

}  // namespace po
