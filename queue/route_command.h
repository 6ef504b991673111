// `post.office route ADDRESS`: every step of the decision where mail for an address goes, then its next hop
// by the mail routing table, then the hosts that a deliverer would try. The code that delivers is asked, so
// what is printed is what would happen.
#pragma once

#include <optional>
#include <string>

#include "lib/command_task.h"
#include "lib/loop.h"
#include "queue/delivery_control.h"

namespace queue {

class RouteCommand final : public po::CommandTask {
 public:
  /// `address` is canonical; `sender` as well, empty for <>.
  RouteCommand(const po::Loop& loop, DeliveryControl& control, std::string address, std::string sender,
               bool json);
  Step step(po::messages::CommandOutput& out) override;

  static constexpr std::size_t kMostHopsAsked = 100;
  static constexpr std::chrono::seconds kPatience{90};  ///< with the deliverer: DNS may be slow

 private:
  Step begin(po::messages::CommandOutput& out);
  void print_target(const directory::Target& target, std::string& out);
  void print_hop(const po::messages::NextHop& hop, std::string& out) const;
  void ask(const po::messages::NextHop& hop);
  void print_hosts(std::string& out);
  Step finish(po::messages::CommandOutput& out) const;

  const po::Loop& loop_;
  DeliveryControl& control_;
  std::string address_, sender_;
  bool json_;
  std::optional<directory::Resolution> resolution_;
  std::size_t target_ = 0, asked_ = 0;
  bool waiting_ = false;
  std::optional<po::messages::Hosts> hosts_;
  bool hosts_failed_ = false;
  po::Event late_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace queue
