// Administrators' connections: each has a task that is asked for a piece at a time, between other work of the
// loop, as long as the other end reads. Their number is bounded, and who does not read for long is cut off.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>

#include "lib/channel.h"
#include "lib/command_task.h"
#include "lib/loop.h"

namespace queue {

class CommandSessions {
 public:
  explicit CommandSessions(const po::Loop& loop) : loop_(loop) {}

  /// The connection is closed when the task has ended and its last piece was read, or when its client goes;
  /// then the task goes as well. With too many of them at once, this one is told to come later.
  void add(po::Fd connection, std::unique_ptr<po::CommandTask> task);
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }

  static constexpr std::size_t kMost = 32;
  static constexpr std::size_t kMostBacklog = 256 * 1024;  ///< octets not read: no piece is asked for
  static constexpr std::chrono::minutes kPatience{10};     ///< with a client that reads nothing

 private:
  struct Session {
    std::unique_ptr<po::Channel> channel;
    std::unique_ptr<po::CommandTask> task;  ///< null: it has ended
    po::Event next;
    bool waiting = false;
    bool woken = false;       ///< while it was not waiting yet
    std::size_t backlog = 0;  ///< when it was last looked at
    std::chrono::steady_clock::time_point moved{};
  };
  using At = std::list<Session>::iterator;
  void go_on(At at, std::chrono::milliseconds after);
  void run(At at);
  void step(At at);
  [[nodiscard]] bool is_stuck(Session& session) const;

  const po::Loop& loop_;
  std::list<Session> sessions_;
};

}  // namespace queue
