// A command's output on its way to whoever asked: frame by frame, no more at once than a channel should hold;
// to wwwd one frame each time that it asks.
// Callers: command_server, web_server.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "accounts/commands.h"
#include "lib/channel.h"

namespace accounts {

class CommandOutput {
 public:
  CommandOutput() = default;
  explicit CommandOutput(CommandResult result) : result_(std::move(result)) {}

  /// Sends what there is room for; true if that was anything.
  bool send_some(po::Channel& channel, std::uint32_t serial);
  /// When to send more, if not all was sent.
  static constexpr std::chrono::milliseconds kAgain{10};
  /// One frame, for a receiver that asks for each; false if the channel is too full now.
  bool send_one(po::Channel& channel, std::uint32_t serial);
  /// The last frame was sent.
  [[nodiscard]] bool all_sent() const { return all_sent_; }

 private:
  void send_frame(po::Channel& channel, std::uint32_t serial, std::size_t most);
  CommandResult result_;
  std::size_t sent_out_ = 0, sent_err_ = 0;
  bool all_sent_ = false;
};

}  // namespace accounts
