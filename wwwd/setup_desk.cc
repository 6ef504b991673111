#include "wwwd/setup_desk.h"

#include <utility>

namespace wwwd {

SetupDesk::SetupDesk(const po::Loop& loop, po::ResolverOptions resolver, std::string hostname,
                     std::vector<po::messages::NetAddress> interfaces)
    : resolver_(loop, std::move(resolver)) {
  question_.hostname = std::move(hostname);
  question_.interfaces = std::move(interfaces);
}

void SetupDesk::check(std::vector<std::string> local_domains, std::vector<std::string> relay_domains,
                      OnFindings then) {
  bool same = question_.local_domains == local_domains && question_.relay_domains == relay_domains;
  if (same && known_ && !check_ && Clock::now() - at_ < kFresh) return then(findings_);
  question_.local_domains = std::move(local_domains);
  question_.relay_domains = std::move(relay_domains);
  waiting_.push_back(std::move(then));
  if (check_) {
    again_ = again_ || !same;
  } else {
    begin();
  }
}

void SetupDesk::begin() {
  again_ = false;
  check_ = std::make_unique<po::SetupCheck>(resolver_, question_,
                                            [this](Findings findings) { finish(std::move(findings)); });
}

void SetupDesk::finish(Findings findings) {
  check_.reset();
  if (again_) return begin();
  findings_ = std::move(findings);
  at_ = Clock::now();
  known_ = true;
  for (OnFindings& then : std::exchange(waiting_, {})) then(findings_);
}

}  // namespace wwwd
