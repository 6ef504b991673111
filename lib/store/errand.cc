// Transaction: errands (man/store.5, Errands).
#include "lib/store/failure.h"
#include "lib/store/transaction.h"

namespace store {

using layout::MailboxHead;
using po::MessageId;

/// The messages that are to be written; a message that is refused refuses the errand, before anything of it
/// is done.
int Transaction::look_at_messages(const Errand& change, std::uint64_t& pages,
                                  std::vector<const Accept*>& write, Result<std::uint64_t>& result) {
  for (const Accept& message : change.messages) {
    int rc = look_at(message, result);
    if (rc != 0 || !result) return rc;
    if (*result == 0) continue;
    if (rc = pages_of(message, pages); rc != 0) return rc;
    write.push_back(&message);
  }
  return 0;
}

// What is only taken away needs what the reserve is for.
int Transaction::errand(const Errand& change, Result<std::uint64_t>& result) {
  std::string_view value;
  ErrandMark last;
  int rc = mdb::get(txn_.get(), tables_.meta, layout::kErrandKey, value);
  if (rc == 0 && !po::wire::decode(value, last)) rc = MDB_CORRUPTED;
  if (rc != 0 && rc != MDB_NOTFOUND) return rc;
  result = 1;
  if (rc == 0 && last == change.mark) return 0;
  if (change.at_most == 0 || (change.empty == change.into && change.into != 0) ||
      change.mark == ErrandMark{}) {
    result = refused("this errand cannot be done");
    return 0;
  }
  std::uint64_t need = change.empty != 0 && change.into != 0 ? 4 * change.at_most : 0;
  std::vector<const Accept*> messages;
  rc = look_at_messages(change, need, messages, result);
  if (rc != 0 || !result) return rc;
  if (room_ < (need > 0 ? reserve_ : 0) + need) {
    result = no_room();
    return 0;
  }
  room_ -= need;
  std::uint64_t moved = 0;
  if (change.empty != 0) rc = move_out(change, moved);
  changed_ = true;
  result = moved < change.at_most ? 1 : 0;
  if (rc != 0 || *result == 0) return rc;
  for (const Accept* message : messages) {
    if (rc == 0) rc = write(*message);
  }
  if (rc != 0) return rc;
  ErrandMark mark = change.mark;
  std::string row = po::wire::encode(mark);
  MDB_val k = mdb::val(layout::kErrandKey), v = mdb::val(row);
  return mdb_put(txn_.get(), tables_.meta, &k, &v, 0);
}

int Transaction::first_rows(std::uint64_t account, std::size_t at_most, std::vector<MovedRow>& rows) {
  auto start = layout::mailbox_key(account);  // of the head row, which is passed over
  std::string_view key = start.view(), value;
  int rc = mailbox_.at_or_behind(key, value);
  for (; rc == 0 && rows.size() < at_most; rc = mailbox_.next(key, value)) {
    if (key.size() != 20 || layout::read_big_endian(key.substr(0, 8)) != account) return 0;
    if (key == start.view()) continue;
    layout::MailboxRow row;
    if (!po::wire::decode(value, row)) return MDB_CORRUPTED;
    rows.push_back({layout::id_of(key.substr(8)), row.size, std::string(value)});
  }
  return rc == MDB_NOTFOUND ? 0 : rc;
}

int Transaction::move_out(const Errand& change, std::uint64_t& moved) {
  std::vector<MovedRow> rows;
  MailboxHead from, into;
  int rc = get_head(change.empty, from);
  if (rc != 0) return rc == MDB_NOTFOUND ? 0 : rc;
  rc = first_rows(change.empty, change.at_most, rows);
  if (rc == 0 && change.into != 0) rc = get_head(change.into, into);
  bool was_there = rc == 0;
  if (rc != 0 && rc != MDB_NOTFOUND) return rc;
  std::uint64_t before = into.messages;
  for (const MovedRow& row : rows) {
    if (from.messages == 0 || from.octets < row.size) return MDB_CORRUPTED;
    --from.messages;
    from.octets -= row.size;
    rc = mailbox_.remove(layout::mailbox_key(change.empty, row.id).view());
    if (rc == 0) rc = move_row(row, change.into, into);
    if (rc != 0) return rc;
  }
  moved = rows.size();
  totals_.entries -= moved - (into.messages - before);
  rc = put_head(change.empty, from, true);
  if (rc == 0 && into.messages > before) rc = put_head(change.into, into, was_there);
  return rc;
}

/// It has been taken out of its mailbox. One that goes into another keeps its reference.
int Transaction::move_row(const MovedRow& row, std::uint64_t into, MailboxHead& head) {
  auto key = layout::mailbox_key(into, row.id);
  std::string_view there;
  int rc = into == 0 ? 0 : mailbox_.find(key.view(), there);
  if (rc == 0) return note_released(row.id, 1);
  if (rc != MDB_NOTFOUND) return rc;
  ++head.messages;
  head.octets += row.size;
  return mailbox_.put(key.view(), row.row);
}

}  // namespace store
