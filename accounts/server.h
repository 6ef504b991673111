// The accounts process: what comes over the control socket, the pipes of smtpd and pop3d and the command
// socket is handed to the parts that know. Owns them all. A peer may send Authenticate and nothing else,
// and pop3d alone is given tickets.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "accounts/administration.h"
#include "accounts/authenticate.h"
#include "accounts/command_server.h"
#include "accounts/threads.h"
#include "lib/channel.h"
#include "lib/module.h"

namespace accounts {

class Server : public po::ModuleHandler {
 public:
  Server(po::Module& module, Administration& administration);

  void on_listen(const po::messages::Listen& listen, po::Fd socket) override;
  void on_peer(const po::messages::Peer& peer, po::Fd socket) override;
  void on_stop(std::uint32_t seconds) override;
  bool on_control(po::Frame& frame) override;
  po::Counters counters() override;

 private:
  struct Peer {
    std::unique_ptr<po::Channel> channel;
    bool may_have_tickets = false;
  };
  CommandServer::Parts command_parts();
  bool on_peer_frame(std::uint64_t id, po::Frame& frame);
  void announce_changes();
  void finish_when_idle();

  po::Module& module_;
  Administration& administration_;
  Threads writer_;
  Authenticator authenticator_;
  CommandServer commands_;
  std::map<std::uint64_t, Peer> peers_;
  std::uint64_t next_peer_ = 1;
  std::uint64_t announced_ = 0;
  po::Event young_, stopping_;
};

}  // namespace accounts
