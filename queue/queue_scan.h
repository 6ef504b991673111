// Walks the waiting recipients that a filter takes, oldest message first, a bounded number at a time. Each
// call is short reads of the store; what goes or comes in between is seen or not.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lib/store/store.h"
#include "queue/delivery_control.h"
#include "queue/queue_filter.h"

namespace queue {

struct FoundRow {
  store::WaitingRow waiting;
  RowState state = RowState::kNew;
  std::shared_ptr<const store::Head>
      head;  ///< of its message, shared by its rows; null if heads are not asked
};

class QueueScan {
 public:
  enum class Heads : std::uint8_t { kAll, kForSender };
  /// `kForSender`: heads are read only if the filter needs the sender. Store and control outlive this.
  QueueScan(const store::Store& store, const DeliveryControl& control, QueueFilter filter, Heads heads,
            std::uint64_t now_ms);

  /// Those that the filter takes among the next rows; perhaps none, although more come.
  [[nodiscard]] store::Result<std::vector<FoundRow>> next();
  [[nodiscard]] bool done() const { return done_; }

  static constexpr std::size_t kRows = 256;  ///< looked at in one call

 private:
  store::Result<std::vector<store::WaitingRow>> read();
  store::Result<std::vector<store::WaitingRow>> read_of_ids();
  [[nodiscard]] bool is_too_young(const po::MessageId& id) const;
  store::Result<bool> load_head(const po::MessageId& id);

  const store::Store& store_;
  const DeliveryControl& control_;
  QueueFilter filter_;
  bool with_heads_;
  std::uint64_t now_ms_;
  store::RecipientKey after_;
  std::size_t at_id_ = 0;
  std::uint32_t from_ = 0;
  bool done_ = false;
  po::MessageId head_id_;
  std::shared_ptr<const store::Head> head_;
};

}  // namespace queue
