// `post.office queue retry | hold | release | remove | reroute | expire`: changes what waits, a bounded
// number of recipients at a time: each is claimed from the scheduler, rewritten or taken away in a commit,
// and let go. What is being delivered at that moment is left alone and counted. Each change of a recipient is
// a line in the log.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "lib/command_task.h"
#include "queue/delivery_control.h"
#include "queue/office.h"
#include "queue/queue_scan.h"

namespace queue {

class QueueChange final : public po::CommandTask {
 public:
  enum class Verb : std::uint8_t {
    kRetry,    ///< try again now
    kHold,     ///< not before it is released
    kRelease,  ///< no longer held; try now
    kReroute,  ///< by another host, or by the routing table as it is now
    kExpire,   ///< too old by the Postmaster's word: returned to the sender
    kBounce,   ///< failed by the Postmaster's decision: returned to the sender
    kDiscard   ///< away, and nobody is told
  };
  struct Options {
    Verb verb = Verb::kRetry;
    std::string to;  ///< reroute: host as in the routing table; empty: what the table says now
    bool json = false;
    bool all = false;  ///< of an empty queue too: that nothing was found is no failure
  };
  QueueChange(Office& office, DeliveryControl& control, std::unique_ptr<QueueScan> scan, Options options);
  Step step(po::messages::CommandOutput& out) override;

 private:
  struct Batch;
  struct Written;
  using ByMessage = std::map<po::MessageId, std::vector<FoundRow>>;
  ByMessage claim(std::vector<FoundRow> found);
  void begin_batch(ByMessage&& messages);
  po::Result<store::Settle> settle_of(const po::MessageId& id, const std::vector<FoundRow>& rows);
  [[nodiscard]] po::Result<store::Waiting> changed(const FoundRow& row) const;
  [[nodiscard]] po::Result<std::string> new_hop(const FoundRow& row) const;
  Step finish_batch(po::messages::CommandOutput& out);
  [[nodiscard]] bool concerns(const FoundRow& row) const;
  Step report(po::messages::CommandOutput& out) const;

  Office& office_;
  DeliveryControl& control_;
  std::unique_ptr<QueueScan> scan_;
  Options options_;
  std::uint64_t now_ms_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::shared_ptr<Batch> batch_;
  std::uint64_t recipients_ = 0, messages_ = 0, busy_ = 0, unchanged_ = 0;
  po::MessageId last_;
};

}  // namespace queue
