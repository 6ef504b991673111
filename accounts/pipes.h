// The pipes of the processes that ask accounts: smtpd and pop3d may send Authenticate and nothing else, and
// pop3d alone is given tickets; smtp-deliver may send AskRelayPassword and nothing else. Whoever sends
// anything else, or garbage, is dropped. Any of them may be taken over. Caller: server.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "accounts/administration.h"
#include "accounts/authenticate.h"
#include "lib/channel.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/messages.h"

namespace accounts {

class Pipes {
 public:
  /// All must outlive it.
  Pipes(const po::Loop& loop, po::Log& log, Administration& administration, Authenticator& authenticator)
      : loop_(loop), log_(log), administration_(administration), authenticator_(authenticator) {}
  Pipes(const Pipes&) = delete;
  Pipes& operator=(const Pipes&) = delete;

  /// A peer of a role that has nothing to ask is not listened to: its end closes.
  void take(const po::messages::Peer& peer, po::Fd socket);
  [[nodiscard]] std::size_t size() const { return pipes_.size(); }

 private:
  struct Pipe {
    std::unique_ptr<po::Channel> channel;
    po::messages::Role role = po::messages::Role::kSmtpd;
    std::string name;  ///< of the process, for the log
  };
  bool on_frame(std::uint64_t id, po::Frame& frame);
  bool on_authenticate(std::uint64_t id, po::Frame& frame);
  bool on_ask_relay_password(Pipe& pipe, po::Frame& frame);

  const po::Loop& loop_;
  po::Log& log_;
  Administration& administration_;
  Authenticator& authenticator_;
  std::map<std::uint64_t, Pipe> pipes_;
  std::uint64_t next_ = 1;
};

}  // namespace accounts
