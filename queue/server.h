// queue as the dispatcher sees it: takes pipes to smtpd and pop3d, hands their frames on, runs
// administrators' commands, stops reading while too much is on its way, and ends when all peers have gone and
// all is written.
#pragma once

#include <list>
#include <memory>

#include "lib/module.h"
#include "queue/office.h"
#include "queue/pipes.h"
#include "queue/submissions.h"

namespace queue {

class Server final : public po::ModuleHandler {
 public:
  explicit Server(Parts parts);

  void on_peer(const po::messages::Peer& peer, po::Fd fd) override;
  void on_stop(std::uint32_t seconds) override;
  bool on_control(po::Frame& frame) override;
  po::Counters counters() override;

 private:
  /// An administrator's connection: one answer, then it is closed.
  struct Command {
    std::unique_ptr<po::Channel> channel;
    po::Event look_again;
    int looks = 0;
  };
  void settle();
  void close_pipe(const Pipe* pipe, std::string_view why);
  void answer_command(const std::vector<std::string>& words, po::Fd fd);
  void close_when_sent(std::list<Command>::iterator command);

  Office office_;
  Submissions submissions_;
  std::list<std::shared_ptr<Pipe>> pipes_;
  std::list<Command> commands_;
  bool paused_ = false, stopping_ = false;
};

}  // namespace queue
