// Walks all recipients that wait, the oldest messages first, a piece at a time: those that have waited for as
// long as messages are kept are returned, and senders hear once that theirs are late. Also what was never
// tried comes to its end here, because its next hop was spared all the time. Held ones wait for the
// Postmaster. Ids begin with the time, so a walk ends where everything is young. Caller: Server, on the loop.
#pragma once

#include <span>
#include <vector>

#include "lib/loop.h"
#include "queue/deliveries.h"
#include "queue/office.h"

namespace queue {

class Aging {
 public:
  Aging(Office& office, Deliveries& deliveries);
  void stop() { next_.cancel(); }

 private:
  void step();
  void look_at(std::span<const store::WaitingRow> rows, const Lifetimes& times, std::uint64_t now_ms);
  [[nodiscard]] bool tells_delay(const po::MessageId& id, const store::Head& head) const;
  void claim_each(std::span<const store::WaitingRow> rows, const store::Head& head, const Lifetimes& times,
                  std::uint64_t now_ms, Settlement& s, Verdicts& verdicts);
  void give_up(const Settlement& s);

  Office& office_;
  Deliveries& deliveries_;
  store::RecipientKey after_;
  po::Event next_;
};

}  // namespace queue
