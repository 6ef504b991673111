#include "accounts/command_output.h"

#include "lib/messages.h"

namespace accounts {

namespace {

constexpr std::size_t kChunk = po::messages::kMiB / 2;
constexpr std::size_t kSmallChunk = 64 * 1024;  // wwwd keeps one for each browser that takes it slowly
constexpr std::size_t kMostBacklog = 4 * po::messages::kMiB;

}  // namespace

bool CommandOutput::send_some(po::Channel& channel, std::uint32_t serial) {
  bool any = false;
  while (!all_sent_ && channel.backlog() < kMostBacklog) {
    send_frame(channel, serial, kChunk);
    any = true;
  }
  return any;
}

bool CommandOutput::send_one(po::Channel& channel, std::uint32_t serial) {
  if (channel.backlog() >= kMostBacklog) return false;
  send_frame(channel, serial, kSmallChunk);
  return true;
}

void CommandOutput::send_frame(po::Channel& channel, std::uint32_t serial, std::size_t most) {
  po::messages::CommandOutput frame;
  frame.out = result_.out.substr(sent_out_, most);
  frame.err = result_.err.substr(sent_err_, most);
  sent_out_ += frame.out.size();
  sent_err_ += frame.err.size();
  frame.end = all_sent_ = sent_out_ == result_.out.size() && sent_err_ == result_.err.size();
  frame.exit_code = result_.exit_code;
  channel.send(serial, frame);
}

}  // namespace accounts
