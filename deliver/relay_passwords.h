// The pipe to accounts: passwords for the relays that the routing table names. Each is asked for when a
// connection needs it and kept no longer. A question whose pipe breaks, or that has no answer within 20 s, is
// answered with nothing: the mail waits. Caller: server (pipes, ticks), delivery (questions).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "lib/channel.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/lost_pipe.h"

namespace deliver {

class RelayPasswords {
 public:
  static constexpr auto kAnswerLimit = std::chrono::seconds(20);
  using Moment = std::chrono::steady_clock::time_point;
  struct Answer {
    bool known = false;  ///< accounts has answered
    bool found = false;
    std::string password;
  };
  using OnAnswer = std::function<void(const Answer&)>;

  RelayPasswords(const po::Loop& loop, po::Log& log) : loop_(loop), log_(log) {}

  void connect(po::Fd pipe);
  /// `on_answer` is called once, never from inside.
  void ask(const std::string& host, const std::string& user, OnAnswer on_answer);
  void tick(Moment now);
  [[nodiscard]] bool hopeless(Moment now) const { return lost_pipe_.hopeless(now); }

 private:
  struct Pending {
    OnAnswer on_answer;
    Moment until{};
  };
  bool on_frame(po::Frame& frame);
  void fail_all();

  const po::Loop& loop_;
  po::Log& log_;
  std::unique_ptr<po::Channel> channel_;
  po::LostPipe lost_pipe_;
  std::unordered_map<std::uint32_t, Pending> pending_;  ///< by serial
  std::uint32_t serial_ = 0;
};

}  // namespace deliver
