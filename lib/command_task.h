// A command of an administrator that answers in pieces: the loop asks for the next one when the terminal has
// taken the last, so neither memory nor the mail suffers from a queue of a million or a log of gigabytes.
// Made from words by queue (queue/commands.h) and story (dispatcher/trace_task.h), driven by queue's
// CommandSessions on a connection of its own, and by OrderDesk (lib/order_desk.h) on a pipe of wwwd.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib/channel.h"
#include "lib/exit_codes.h"
#include "lib/messages.h"

namespace po {

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
  [[nodiscard]] virtual Step step(messages::CommandOutput& out) = 0;
  void on_wake(std::function<void()> wake) { wake_ = std::move(wake); }

 protected:
  void wake() {
    if (wake_) wake_();
  }
  /// The last piece of a command that ends badly.
  static Step fail(messages::CommandOutput& out, std::uint8_t code, std::string_view text) {
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
  explicit ReadyAnswer(messages::CommandOutput answer) : answer_(std::move(answer)) {}
  Step step(messages::CommandOutput& out) override {
    out = std::move(answer_);
    return Step::kEnd;
  }

 private:
  messages::CommandOutput answer_;
};

/// A piece of a task may be larger than a frame: sends it as several.
void send_piece(Channel& channel, std::uint32_t serial, messages::CommandOutput piece);

}  // namespace po
