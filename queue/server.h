// queue as the dispatcher sees it: takes pipes to smtpd, pop3d, smtp-deliver and wwwd, hands their frames on,
// runs administrators' commands, stops reading while too much is on its way, and ends when all peers have
// gone and all is written.
#pragma once

#include <list>
#include <memory>

#include "lib/module.h"
#include "lib/order_desk.h"
#include "queue/aging.h"
#include "queue/command_sessions.h"
#include "queue/deliveries.h"
#include "queue/domain_starts.h"
#include "queue/errands.h"
#include "queue/office.h"
#include "queue/pipes.h"
#include "queue/queue_watch.h"
#include "queue/submissions.h"

namespace queue {

class Server final : public po::ModuleHandler {
 public:
  explicit Server(Parts parts);

  void on_peer(const po::messages::Peer& peer, po::Fd fd) override;
  void on_stop(std::uint32_t seconds) override;
  bool on_control(po::Frame& frame) override;
  void on_directory_changed(std::uint64_t) override { errands_.look(); }
  po::Counters counters() override;

 private:
  void settle();
  void close_pipe(const Pipe* pipe, std::string_view why);

  Office office_;
  Deliveries deliveries_;
  Aging aging_;
  DomainStarts starts_;
  Submissions submissions_;
  Errands errands_;
  Watchers watchers_;
  po::OrderDesk orders_;
  std::list<std::shared_ptr<Pipe>> pipes_;
  CommandSessions commands_;
  bool paused_ = false, stopping_ = false;
};

}  // namespace queue
