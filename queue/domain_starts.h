// What a client asks for with qsnd or ETRN: all that waits for a domain is due now. smtpd has checked that
// the client may ask. The queue is walked a piece at a time, so a question costs the others nothing but time;
// the answer counts the messages. Caller: SmtpdPipe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "lib/loop.h"
#include "lib/messages.h"
#include "queue/deliveries.h"
#include "queue/office.h"

namespace queue {

class DomainStarts {
 public:
  using Reply = std::function<void(const po::messages::Started&)>;
  DomainStarts(Office& office, Deliveries& deliveries) : office_(office), deliveries_(deliveries) {}

  /// Answers once, when the walk is over; at once if there are too many of them.
  void start(po::messages::StartDomain ask, Reply reply);

  static constexpr std::size_t kMost = 16;

 private:
  struct Walk {
    po::messages::StartDomain ask;
    Reply reply;
    store::RecipientKey after;
    po::MessageId counted;  ///< the last message that was
    std::uint64_t messages = 0;
    std::set<std::string> hops;
    po::Event next;
  };
  using Shared = std::shared_ptr<Walk>;
  void step(const Shared& walk);
  void step_after(const Shared& walk, std::chrono::milliseconds pause);
  void wake_rows(Walk& walk, const std::vector<store::WaitingRow>& rows);
  void finish(const Shared& walk, bool known);

  Office& office_;
  Deliveries& deliveries_;
  std::set<Shared> walks_;
};

/// Whether an address is in the domain, or, with `under`, in one under it. Lower-case A-labels.
[[nodiscard]] bool is_in_domain(std::string_view address, std::string_view domain, bool under);

}  // namespace queue
