// The accounts process: what comes over the control socket, the pipes of its peers and the command socket is
// handed to the parts that know. Owns them all.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "accounts/administration.h"
#include "accounts/authenticate.h"
#include "accounts/command_server.h"
#include "accounts/pipes.h"
#include "accounts/threads.h"
#include "accounts/web_server.h"
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
  CommandServer::Parts command_parts();
  WebServer::Parts web_parts();
  std::uint32_t administer(po::messages::Verb verb);
  bool on_saslauthd(po::Frame& frame);
  void ask_for_saslauthd(Authenticator::Connected connected);
  void announce_changes();
  void finish_when_idle();

  po::Module& module_;
  Administration& administration_;
  Threads writer_;
  Authenticator authenticator_;
  CommandServer commands_;
  Pipes pipes_;
  WebServer web_;
  std::map<std::uint32_t, Authenticator::Connected> asked_saslauthd_;
  std::uint64_t announced_ = 0;
  po::Event young_, stopping_;
};

}  // namespace accounts
