// The story process: answers wwwd's orders for `trace` with what the command line prints, from the log files.
// It has no state, no database and no key but that of orders. Caller: story_main.cc.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "lib/channel.h"
#include "lib/module.h"
#include "lib/order_desk.h"

namespace dispatcher {

class StoryServer final : public po::ModuleHandler {
 public:
  explicit StoryServer(po::Module& module);

  void on_peer(const po::messages::Peer& peer, po::Fd fd) override;
  void on_stop(std::uint32_t seconds) override;
  po::Counters counters() override;

  static constexpr std::size_t kAtOnce = 4;  ///< stories read at a time; the next ones wait in line

 private:
  struct Pipe {
    std::string name;
    std::unique_ptr<po::Channel> channel;
  };
  using At = std::list<Pipe>::iterator;
  void on_closed(At at, std::string_view why);

  po::Module& module_;
  po::OrderDesk orders_;
  std::list<Pipe> pipes_;
  bool stopping_ = false;
};

/// What an order for this process leads to; any other word than "trace" to a refusal.
[[nodiscard]] std::unique_ptr<po::CommandTask> make_story_task(const std::string& log_directory,
                                                               const std::vector<std::string>& words);

}  // namespace dispatcher
