// Looks up what other hosts find of this one in DNS, for the pages: one check at a time in this process,
// whose findings are kept for some seconds, so that pages that are asked for often do not ask the name
// servers as often. It has a Resolver of its own, so what it asks takes no place of what the server has to
// know. Loop-thread only. Caller: the set-up page.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/dns.h"
#include "lib/loop.h"
#include "lib/setup_check.h"

namespace wwwd {

class SetupDesk {
 public:
  using Clock = std::chrono::steady_clock;
  using Findings = std::vector<po::SetupFinding>;
  using OnFindings = std::function<void(const Findings&)>;

  SetupDesk(const po::Loop& loop, po::ResolverOptions resolver, std::string hostname,
            std::vector<po::messages::NetAddress> interfaces);

  /// Asks anew, unless the same question is on its way or was answered within kFresh; `then` is called once,
  /// from the loop or at once.
  void check(std::vector<std::string> local_domains, std::vector<std::string> relay_domains, OnFindings then);
  static constexpr std::chrono::seconds kFresh{20};

 private:
  void begin();
  void finish(Findings findings);

  po::Resolver resolver_;
  po::SetupQuestion question_;
  Findings findings_;
  Clock::time_point at_{};
  bool known_ = false;
  bool again_ = false;  ///< another question came while one was on its way
  std::vector<OnFindings> waiting_;
  std::unique_ptr<po::SetupCheck> check_;
};

}  // namespace wwwd
