// The pipe to accounts: is this password right? A question whose pipe breaks is asked again on the next one,
// if that comes within 5 s (a log-in changes nothing, so asking twice is safe); else, and after a minute
// without an answer, the verdict is kUnavailable. Caller: the server (pipes, ticks), connections (questions).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "lib/channel.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/lost_pipe.h"
#include "smtpd/peers.h"
#include "smtpd/policy.h"

namespace smtpd {

class AccountsClient {
 public:
  static constexpr auto kPipeLimit = std::chrono::seconds(5);
  static constexpr auto kAnswerLimit = std::chrono::seconds(60);

  AccountsClient(const po::Loop& loop, po::Log& log) : loop_(loop), log_(log) {}

  void connect(po::Fd pipe);
  void authenticate(po::messages::Authenticate question, Waiter& waiter);
  void forget(Waiter& waiter);
  void tick(Moment now);
  /// There will be no new pipe.
  [[nodiscard]] bool hopeless(Moment now) const { return lost_pipe_.hopeless(now); }

 private:
  struct Pending {
    Waiter* waiter = nullptr;
    po::messages::Authenticate question;
    Moment give_up{};
  };
  bool on_frame(po::Frame& frame);
  void on_broken();
  void ask(Pending pending);

  const po::Loop& loop_;
  po::Log& log_;
  std::unique_ptr<po::Channel> channel_;
  po::LostPipe lost_pipe_;
  std::unordered_map<std::uint32_t, Pending> pending_;  // by serial
  std::vector<Pending> without_pipe_;
};

}  // namespace smtpd
