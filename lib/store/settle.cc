// Transaction: recipients that wait (man/store.5, tables recipient and due).
#include <algorithm>
#include <numeric>
#include <tuple>

#include "lib/store/failure.h"
#include "lib/store/transaction.h"
#include "lib/store/waiting_row.h"

namespace store {

using layout::DueKey;
using po::MessageId;

static layout::DueParts due_parts(const MessageId& id, std::uint32_t n, const Waiting& row) {
  return {row.hop, row.lane, row.next_ms, id, n};
}

/// Those that are not held, in the order of their keys in `due`.
static std::vector<std::uint32_t> in_due_order(const std::vector<Waiting>& waiting) {
  std::vector<std::uint32_t> order;
  order.reserve(waiting.size());
  for (std::uint32_t n = 0; n < waiting.size(); ++n) {
    if (!waiting[n].held) order.push_back(n);
  }
  auto key = [&waiting](std::uint32_t n) {
    const Waiting& w = waiting[n];
    return std::tuple<const std::string&, std::uint8_t, std::uint64_t, std::uint32_t>(w.hop, w.lane,
                                                                                      w.next_ms, n);
  };
  std::ranges::sort(order, {}, key);
  return order;
}

int Transaction::write_waiting(const Accept& change) {
  int rc = 0;
  for (std::uint32_t n = 0; rc == 0 && n < change.waiting.size(); ++n) {
    rc = recipient_.put(layout::recipient_key(change.id, n).view(), encode_row(change.waiting[n]));
  }
  if (rc != 0) return rc;
  for (std::uint32_t n : in_due_order(change.waiting)) {
    rc = due_.put(DueKey(due_parts(change.id, n, change.waiting[n])).view(), {});
    if (rc != 0) return rc;
  }
  totals_.waiting += change.waiting.size();
  return 0;
}

/// Its row of `due`, if it has one. The cursor of `recipient` stands on its row.
int Transaction::find_waiting(const MessageId& id, std::uint32_t n, std::optional<DueKey>& due) {
  std::string_view value;
  int rc = recipient_.find(layout::recipient_key(id, n).view(), value);
  if (rc != 0) return rc;
  layout::RecipientStart row;
  po::wire::Reader reader(value);
  reader.get(row);
  if (!reader.ok() || row.hop.size() > layout::kMaxHop) return MDB_CORRUPTED;
  due.reset();
  if (!row.held) due.emplace(layout::DueParts{row.hop, row.lane, row.next_ms, id, n});
  return 0;
}

/// What would become of it; nothing is changed. `any`: one of the recipients that it names is there.
int Transaction::look_at(const Settle& change, bool& any, Result<std::uint64_t>& result) {
  result = 0;
  if (std::string_view fault = fault_of(change.deliveries); !fault.empty()) {
    result = refused(std::string(fault));
    return 0;
  }
  for (const Settle::Later& later : change.later) {
    std::string_view fault = fault_of(later.now);
    if (!fault.empty()) {
      result = refused(std::string(fault));
      return 0;
    }
  }
  std::string_view value;
  auto look_for = [&](std::uint32_t n) {
    int rc = any ? 0 : recipient_.find(layout::recipient_key(change.id, n).view(), value);
    any = any || rc == 0;
    return rc == MDB_NOTFOUND ? 0 : rc;
  };
  int rc = 0;
  for (std::uint32_t n : change.gone) {
    if (rc == 0) rc = look_for(n);
  }
  for (const Settle::Later& later : change.later) {
    if (rc == 0) rc = look_for(later.n);
  }
  return rc;
}

/// Notices of one Settle must have different ids: the second one would be found there when the first has
/// been written, too late to refuse them both.
static bool have_different_ids(const std::vector<Accept>& notices) {
  std::vector<MessageId> ids;
  ids.reserve(notices.size());
  for (const Accept& notice : notices) ids.push_back(notice.id);
  std::ranges::sort(ids);
  return std::ranges::adjacent_find(ids) == ids.end();
}

int Transaction::look_at_notices(const Settle& change, std::uint64_t& pages,
                                 std::vector<const Accept*>& write, Result<std::uint64_t>& result) {
  if (!have_different_ids(change.notices)) result = refused("two notices have one id");
  for (const Accept& notice : change.notices) {
    if (!result) return 0;
    int rc = look_at(notice, result);
    if (rc == 0 && result && *result == 1) {
      rc = pages_of(notice, pages);
      write.push_back(&notice);
    }
    if (rc != 0) return rc;
  }
  return 0;
}

// Recipients that only go need what the reserve is for. What is put off grows by a line or two, and to lose
// it would mean to deliver twice: that may take half of the reserve. Notices are new messages.
int Transaction::settle(const Settle& change, Result<std::uint64_t>& result) {
  bool any = false;
  int rc = look_at(change, any, result);
  if (rc != 0 || !result || !any) return rc;
  std::uint64_t need = 0;
  std::vector<const Accept*> notices;
  rc = look_at_notices(change, need, notices, result);
  if (rc != 0 || !result) return rc;
  bool grows = !notices.empty() || !change.deliveries.empty();
  std::uint64_t keep = grows ? reserve_ : change.later.empty() ? 0 : reserve_ / 2;
  need += 4 * change.later.size() + 2 * change.deliveries.size();
  if (room_ < keep + need) {
    result = no_room();
    return 0;
  }
  room_ -= need;
  for (const Accept* notice : notices) {
    if (rc == 0) rc = write(*notice);
  }
  std::uint64_t gone = 0, later = 0;
  if (rc == 0) rc = take_away(change, gone);
  if (rc == 0) rc = put_off(change, later);
  if (rc == 0 && !change.deliveries.empty()) rc = deliver_late(change);
  result = gone + later;
  changed_ = true;
  return rc;
}

int Transaction::take_away(const Settle& change, std::uint64_t& gone) {
  std::optional<DueKey> due;
  for (std::uint32_t n : change.gone) {
    int rc = find_waiting(change.id, n, due);
    if (rc == MDB_NOTFOUND) continue;
    if (rc == 0) rc = recipient_.remove_found();
    if (rc == 0 && due) rc = due_.remove(due->view());
    if (rc != 0) return rc;
    ++gone;
  }
  totals_.waiting -= gone;
  return gone == 0 ? 0 : note_released(change.id, static_cast<std::uint32_t>(gone));
}

int Transaction::put_off(const Settle& change, std::uint64_t& done) {
  std::optional<DueKey> due;
  for (const auto& [n, row] : change.later) {
    int rc = find_waiting(change.id, n, due);
    if (rc == MDB_NOTFOUND) continue;
    if (rc == 0 && due) rc = due_.remove(due->view());
    if (rc == 0) rc = recipient_.put(layout::recipient_key(change.id, n).view(), encode_row(row));
    if (rc == 0 && !row.held) rc = due_.put(DueKey(due_parts(change.id, n, row)).view(), {});
    if (rc != 0) return rc;
    ++done;
  }
  return 0;
}

int Transaction::deliver_late(const Settle& change) {
  std::string_view value;
  int rc = message_.find(change.id.bytes(), value);
  layout::MessageRecord record;
  if (rc == 0 && !layout::read_record(value, record)) rc = MDB_CORRUPTED;
  if (rc != 0) return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
  std::uint32_t before = record.references;
  for (const Delivery& d : change.deliveries) {
    std::string_view there;
    rc = mailbox_.find(layout::mailbox_key(d.account, change.id).view(), there);
    if (rc == 0) continue;
    if (rc == MDB_NOTFOUND) rc = deliver(d, change.id, record.size);
    if (rc != 0) return rc;
    ++record.references;
  }
  if (record.references == before) return 0;
  rc = message_.find(change.id.bytes(), value);
  if (rc != 0) return rc;
  std::string row = po::wire::encode(record);
  row += value.substr(row.size());
  return message_.put(change.id.bytes(), row);
}

}  // namespace store
