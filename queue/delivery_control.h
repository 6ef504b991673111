// What administrators' commands need of the scheduler and of routing: to know what is being delivered now, to
// keep the scheduler from what they are changing, to wake it up, to have failures told to senders, and to ask
// where mail goes. Implemented beside the scheduler; a test passes its own. On the loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/directory/resolution.h"
#include "lib/error.h"
#include "lib/messages.h"
#include "lib/store/store.h"

namespace queue {

class DeliveryControl {
 public:
  virtual ~DeliveryControl() = default;

  /// Whether a job with this recipient is with a deliverer, or about to be, or its outcome is not committed
  /// yet.
  [[nodiscard]] virtual bool in_flight(const store::RecipientKey& key) const = 0;
  /// Keeps the scheduler from this recipient until let_go(). False: it is in flight, or claimed already.
  [[nodiscard]] virtual bool claim(const store::RecipientKey& key) = 0;
  virtual void let_go(const store::RecipientKey& key) = 0;
  /// What waits for this hop has changed: look at it now, and forget that the hop was spared.
  virtual void start_hop(std::string_view hop) = 0;
  /// Until when a hop that could not be reached is spared, milliseconds since 1970; 0: it is not.
  [[nodiscard]] virtual std::uint64_t spared_until(std::string_view hop) const = 0;

  /// The change that takes these recipients of one message away as failed for good, with the notice that the
  /// sender is owed. `status` as in RFC 3463, `why` one sentence.
  [[nodiscard]] virtual po::Result<store::Settle> fail(const po::MessageId& id,
                                                       const std::vector<store::WaitingRow>& rows,
                                                       std::string_view status, std::string_view why) = 0;

  /// That change is on disk with this notice (its body is not looked at).
  virtual void noticed(const store::Accept& notice, const po::MessageId& about) = 0;

  /// Where an address leads, with every step. `address` is canonical.
  [[nodiscard]] virtual po::Result<directory::Resolution> explain(std::string_view address) const = 0;
  /// By the mail routing table as it is now; of the domain of `address`, for mail from `sender`.
  [[nodiscard]] virtual po::messages::NextHop next_hop(std::string_view address,
                                                       std::string_view sender) const = 0;
  /// The key of the next hop that `host` means, written as in the mail routing table: "*" is by MX of the
  /// domain of `address`. Permanent failure with what is wrong.
  [[nodiscard]] virtual po::Result<std::string> hop_by(std::string_view host,
                                                       std::string_view address) const = 0;
  /// Asks a deliverer which hosts it would try; the answer comes later, or at once if none runs.
  virtual void ask_hosts(const po::messages::NextHop& hop,
                         std::function<void(const po::messages::Hosts&)> answer) = 0;
};

}  // namespace queue
