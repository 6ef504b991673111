// A command of an administrator that answers in pieces: the loop asks for the next one when the terminal has
// taken the last, so neither memory nor the mail suffers from a queue of a million. Made from words by
// make_task() (queue/commands.h), driven by CommandSessions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib/messages.h"

namespace queue {

inline constexpr std::uint8_t kExitRefused = 1, kExitUsage = 64, kExitTemporary = 75;

class CommandTask {
 public:
  enum class Step : std::uint8_t {
    kMore,  ///< call again, after what else the loop has to do
    kWait,  ///< call again when the task has called wake()
    kEnd    ///< `out` is the last
  };
  CommandTask() = default;
  CommandTask(const CommandTask&) = delete;
  CommandTask& operator=(const CommandTask&) = delete;
  virtual ~CommandTask() = default;

  /// Puts the next piece into `out` (out, err and, with the last, exit_code): a millisecond's work or so.
  [[nodiscard]] virtual Step step(po::messages::CommandOutput& out) = 0;
  void on_wake(std::function<void()> wake) { wake_ = std::move(wake); }

 protected:
  void wake() {
    if (wake_) wake_();
  }
  /// The last piece of a command that ends badly.
  static Step fail(po::messages::CommandOutput& out, std::uint8_t code, std::string_view text) {
    out.err.append("post.office: ").append(text).append("\n");
    out.exit_code = code;
    return Step::kEnd;
  }

 private:
  std::function<void()> wake_;
};

/// An answer that is there whole.
class ReadyAnswer final : public CommandTask {
 public:
  explicit ReadyAnswer(po::messages::CommandOutput answer) : answer_(std::move(answer)) {}
  Step step(po::messages::CommandOutput& out) override {
    out = std::move(answer_);
    return Step::kEnd;
  }

 private:
  po::messages::CommandOutput answer_;
};

}  // namespace queue
