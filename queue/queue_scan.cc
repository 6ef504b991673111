#include "queue/queue_scan.h"

namespace queue {

using store::Head;
using store::Result;
using store::WaitingRow;

QueueScan::QueueScan(const store::Store& store, const DeliveryControl& control, QueueFilter filter,
                     Heads heads, std::uint64_t now_ms)
    : store_(store),
      control_(control),
      filter_(std::move(filter)),
      with_heads_(heads == Heads::kAll || filter_.needs_sender()),
      now_ms_(now_ms),
      after_(filter_.after) {}

Result<std::vector<WaitingRow>> QueueScan::read_of_ids() {
  auto rows = store_.waiting(filter_.ids[at_id_], from_, kRows);
  if (!rows && rows.error().status != store::Status::kRefused) return rows;
  if (!rows || rows->size() < kRows) {
    ++at_id_;
    from_ = 0;
    done_ = at_id_ >= filter_.ids.size();
  } else {
    from_ = rows->back().key.n + 1;
  }
  return rows ? std::move(*rows) : std::vector<WaitingRow>{};
}

Result<std::vector<WaitingRow>> QueueScan::read() {
  if (!filter_.ids.empty()) return read_of_ids();
  auto rows = store_.all_waiting(after_, kRows);
  if (!rows) return rows;
  done_ = rows->size() < kRows;
  if (!rows->empty()) after_ = rows->back().key;
  return rows;
}

/// Ids begin with the time: with --older, nothing that fits comes behind the first that does not.
bool QueueScan::is_too_young(const po::MessageId& id) const {
  return filter_.ids.empty() && filter_.older_ms && id.made_ms() + *filter_.older_ms > now_ms_;
}

/// False: the message has gone meanwhile.
Result<bool> QueueScan::load_head(const po::MessageId& id) {
  if (head_ && head_id_ == id) return true;
  auto head = store_.head(id);
  if (!head && head.error().status == store::Status::kRefused) return false;
  if (!head) return tl::unexpected(head.error());
  head_ = std::make_shared<const Head>(std::move(*head));
  head_id_ = id;
  return true;
}

Result<std::vector<FoundRow>> QueueScan::next() {
  std::vector<FoundRow> found;
  if (done_) return found;
  auto rows = read();
  if (!rows) return tl::unexpected(rows.error());
  for (WaitingRow& row : *rows) {
    if (is_too_young(row.key.id)) {
      done_ = true;
      break;
    }
    bool in_flight = control_.in_flight(row.key);
    if (!filter_.takes(row, in_flight, now_ms_)) continue;
    if (with_heads_) {
      auto there = load_head(row.key.id);
      if (!there) return tl::unexpected(there.error());
      if (!*there || !filter_.takes_sender(head_->envelope.sender)) continue;
    }
    RowState state = state_of(row.row, in_flight);
    found.push_back({std::move(row), state, with_heads_ ? head_ : nullptr});
  }
  return found;
}

}  // namespace queue
