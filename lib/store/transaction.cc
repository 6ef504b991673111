#include "lib/store/transaction.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/disk_space.h"
#include "lib/error.h"
#include "lib/store/failure.h"
#include "lib/store/waiting_row.h"

namespace store {

using layout::MailboxHead;
using layout::MessageRecord;
using po::MessageId;

namespace {

constexpr std::uint64_t kLeastReserve = 128;

int drop_not_found(int rc) {
  return rc == MDB_NOTFOUND ? 0 : rc;
}

/// What is wrong with the change itself; empty: nothing.
std::string_view fault_of(const Accept& a, std::size_t envelope_size) {
  if (a.id == MessageId{}) return "the message id is zero";
  if (a.deliveries.empty() && a.waiting.empty()) return "the message goes nowhere";
  if (a.deliveries.size() + a.waiting.size() > 1'000'000) return "the message has too many recipients";
  if (!a.in_file && a.body.size() != a.size) return "the body has not the size that was announced";
  if (a.in_file && !a.body.empty()) return "the body is in two places";
  if (!a.in_file && a.size > po::messages::kSmallBody) return "the body is too large for rows";
  if (envelope_size > layout::kMaxRow) return "the envelope is too large";
  if (std::string_view fault = fault_of(a.deliveries); !fault.empty()) return fault;
  for (const Waiting& w : a.waiting) {
    if (std::string_view fault = fault_of(w); !fault.empty()) return fault;
  }
  return {};
}

/// By account, the first of each: one message reaches one mailbox at most once, and rows are written in key
/// order.
std::vector<const Delivery*> in_key_order(const std::vector<Delivery>& deliveries) {
  std::vector<const Delivery*> out;
  out.reserve(deliveries.size());
  for (const Delivery& d : deliveries) out.push_back(&d);
  std::ranges::stable_sort(out, {}, &Delivery::account);
  auto same = [](const Delivery* a, const Delivery* b) { return a->account == b->account; };
  out.erase(std::unique(out.begin(), out.end(), same), out.end());
  return out;
}

}  // namespace

std::string_view fault_of(const std::vector<Delivery>& deliveries) {
  for (const Delivery& d : deliveries) {
    if (d.account == 0) return "there is no account 0";
    if (d.orcpt.size() + d.prefix.size() > layout::kMaxRow - 32) return "a recipient is too long";
  }
  return {};
}

// ---- TableCursor

int TableCursor::open(MDB_txn* txn, MDB_dbi table) {
  int rc = mdb::open_cursor(txn, table, cursor_);
  if (rc != 0) return rc;
  std::string_view key, value;
  rc = mdb::move(cursor_.get(), MDB_LAST, key, value);
  if (rc == 0) last_ = key;
  return drop_not_found(rc);
}

int TableCursor::put(std::string_view key, std::string_view value) {
  bool append = key > last_;
  MDB_val k = mdb::val(key), v = mdb::val(value);
  int rc = mdb_cursor_put(cursor_.get(), &k, &v, append ? MDB_APPEND : 0);
  if (rc == 0 && append) last_ = key;
  return rc;
}

int TableCursor::insert(std::string_view key, std::string_view& value) {
  if (key > last_) return put(key, value);
  MDB_val k = mdb::val(key), v = mdb::val(value);
  int rc = mdb_cursor_put(cursor_.get(), &k, &v, MDB_NOOVERWRITE);
  if (rc == MDB_KEYEXIST) value = mdb::view(v);
  return rc;
}

int TableCursor::find(std::string_view key, std::string_view& value) {
  return mdb::move(cursor_.get(), MDB_SET_KEY, key, value);
}

int TableCursor::remove(std::string_view key) {
  std::string_view value;
  int rc = find(key, value);
  return rc == 0 ? remove_found() : drop_not_found(rc);
}

int TableCursor::first(std::string_view& key, std::string_view& value) {
  return mdb::move(cursor_.get(), MDB_FIRST, key, value);
}

int TableCursor::at_or_behind(std::string_view& key, std::string_view& value) {
  return mdb::move(cursor_.get(), MDB_SET_RANGE, key, value);
}

int TableCursor::next(std::string_view& key, std::string_view& value) {
  return mdb::move(cursor_.get(), MDB_NEXT, key, value);
}

// ---- Transaction

int Transaction::begin(MDB_env* env, const mdb::Tables& tables, std::uint64_t spare) {
  tables_ = tables;
  int rc = mdb::begin(env, 0, txn_);
  if (rc == 0) rc = message_.open(txn_.get(), tables.message);
  if (rc == 0) rc = body_.open(txn_.get(), tables.body);
  if (rc == 0) rc = mailbox_.open(txn_.get(), tables.mailbox);
  if (rc == 0) rc = released_.open(txn_.get(), tables.released);
  if (rc == 0) rc = recipient_.open(txn_.get(), tables.recipient);
  if (rc == 0) rc = due_.open(txn_.get(), tables.due);
  std::string_view value;
  if (rc == 0) rc = mdb::get(txn_.get(), tables.meta, layout::kTotalsKey, value);
  if (rc == 0 && !po::wire::decode(value, totals_)) rc = MDB_CORRUPTED;
  if (rc == 0) rc = measure_room(env, spare);
  return rc;
}

// Deleting needs pages too (a tree is changed by copying), so a map that messages have filled to the last
// page could never be emptied again. Messages therefore leave a reserve. Free pages are counted only when the
// file has grown near the end of the map: each record of LMDB's free list begins with its count. Only a read
// transaction may look at that list; nobody commits in between. What the last two transactions freed is
// counted but cannot be used yet: that is why the reserve is never small.
//
// A disk that will be full before the map is a smaller map: LMDB takes a write cut short by a full disk for
// an I/O error, after which nobody knows what stands on the disk.
int Transaction::measure_room(MDB_env* env, std::uint64_t spare) {
  int fd = -1;
  if (int error = mdb_env_get_fd(env, &fd); error != 0) return error;
  auto free = po::free_octets(fd);
  if (!free) return errno;
  MDB_envinfo info{};
  MDB_stat stat{};
  int rc = mdb_env_info(env, &info);
  if (rc == 0) rc = mdb_env_stat(env, &stat);
  if (rc != 0) return rc;
  std::uint64_t used = info.me_last_pgno + 1;
  std::uint64_t on_disk = (*free > spare ? *free - spare : 0) / stat.ms_psize;
  std::uint64_t all = std::min<std::uint64_t>(info.me_mapsize / stat.ms_psize, used + on_disk);
  reserve_ = std::clamp<std::uint64_t>(all / 16, kLeastReserve, 4096);
  room_ = all > used ? all - used : 0;
  if (room_ > 4 * reserve_) return 0;
  mdb::Txn reader;
  mdb::Cursor cursor;
  rc = mdb::begin(env, MDB_RDONLY, reader);
  if (rc == 0) rc = mdb::open_cursor(reader.get(), 0, cursor);
  std::string_view key, value;
  while (rc == 0 && (rc = mdb::move(cursor.get(), MDB_NEXT, key, value)) == 0) {
    std::size_t count = 0;
    if (value.size() >= sizeof count) std::memcpy(&count, value.data(), sizeof count);
    room_ += count;
  }
  return drop_not_found(rc);
}

int Transaction::apply(const Change& change, Result<std::uint64_t>& result) {
  if (const auto* a = std::get_if<Accept>(&change)) return accept(*a, result);
  if (const auto* e = std::get_if<Expunge>(&change)) return expunge(*e, result);
  if (const auto* s = std::get_if<Settle>(&change)) return settle(*s, result);
  if (const auto* e = std::get_if<Errand>(&change)) return errand(*e, result);
  return release(std::get<Release>(change), result);
}

int Transaction::commit() {
  if (changed_) {
    std::string totals = po::wire::encode(totals_);
    MDB_val k = mdb::val(layout::kTotalsKey), v = mdb::val(totals);
    int rc = mdb_put(txn_.get(), tables_.meta, &k, &v, 0);
    if (rc != 0) return rc;
  }
  message_ = {}, body_ = {}, mailbox_ = {}, released_ = {}, recipient_ = {}, due_ = {};
  return mdb::commit(txn_);
}

/// What would become of it: `result` is 1 if it is to be written. Nothing is changed.
int Transaction::look_at(const Accept& change, Result<std::uint64_t>& result) {
  std::size_t envelope_size = po::wire::encode(change.envelope).size();
  if (std::string_view fault = fault_of(change, envelope_size); !fault.empty()) {
    result = refused(std::string(fault));
    return 0;
  }
  std::string_view value;
  int rc = message_.find(change.id.bytes(), value);
  result = 1;
  if (rc != 0) return drop_not_found(rc);
  MessageRecord there;
  if (!layout::read_record(value, there)) return MDB_CORRUPTED;
  result = 0;
  if (there.size != change.size || there.checksum != change.checksum) {
    result = refused("another message has this id");
  }
  return 0;
}

// An estimate from above: the body, a leaf and a split for each mailbox, the leaves of the other tables. The
// paths to the roots are in the reserve.
int Transaction::pages_of(const Accept& change, std::uint64_t& pages) {
  pages += layout::pieces(change.body.size()) + 2 * change.deliveries.size() + 3;
  return change.waiting.empty() ? 0 : pages_of(change.waiting, pages);
}

// Rows of `recipient` come side by side. Those of `due` do so for each hop, so that there are no more leaves
// to be copied than hops, nor than the table has. Leaves are half full at least when they were split.
int Transaction::pages_of(const std::vector<Waiting>& waiting, std::uint64_t& pages) {
  std::uint64_t octets = 0, places = 0;
  const Waiting* last = nullptr;
  for (const Waiting& w : waiting) {
    octets += most_octets(w);
    if (last == nullptr || last->hop != w.hop) ++places;
    last = &w;
  }
  MDB_stat stat{};
  int rc = mdb_stat(txn_.get(), tables_.due, &stat);
  pages += 2 * (octets / layout::kPiece + std::min<std::uint64_t>(places, stat.ms_leaf_pages + 1)) + 4;
  return rc;
}

int Transaction::accept(const Accept& change, Result<std::uint64_t>& result) {
  int rc = look_at(change, result);
  if (rc != 0 || !result || *result == 0) return rc;
  std::uint64_t need = 0;
  rc = pages_of(change, need);
  if (rc != 0) return rc;
  if (room_ < reserve_ + need) {
    result = no_room();
    return 0;
  }
  room_ -= need;
  return write(change);
}

int Transaction::write(const Accept& change) {
  auto deliveries = in_key_order(change.deliveries);
  int rc = write_message(change, static_cast<std::uint32_t>(deliveries.size() + change.waiting.size()));
  for (const Delivery* d : deliveries) {
    if (rc == 0) rc = deliver(*d, change.id, change.size);
  }
  return rc == 0 ? write_waiting(change) : rc;
}

int Transaction::write_message(const Accept& change, std::uint32_t references) {
  MessageRecord record{change.size, change.checksum, change.arrival_ms, references, change.in_file};
  std::string_view body = change.body;
  std::size_t in_pieces = body.size() - layout::rest(body.size());
  std::string row = po::wire::encode(record);
  po::wire::Writer(row).put(change.envelope);
  row.append(body.substr(in_pieces));
  int rc = message_.put(change.id.bytes(), row);
  for (std::size_t at = 0, n = 0; rc == 0 && at < in_pieces; at += layout::kPiece, ++n) {
    rc = body_.put(layout::body_key(change.id, static_cast<std::uint16_t>(n)).view(),
                   body.substr(at, std::min(layout::kPiece, in_pieces - at)));
  }
  ++totals_.messages;
  totals_.octets += change.size;
  changed_ = true;
  return rc;
}

int Transaction::get_head(std::uint64_t account, MailboxHead& head) {
  std::string_view value;
  int rc = mailbox_.find(layout::mailbox_key(account).view(), value);
  if (rc == 0 && !po::wire::decode(value, head)) return MDB_CORRUPTED;
  return rc;
}

int Transaction::put_head(std::uint64_t account, const MailboxHead& head, bool was_there) {
  auto key = layout::mailbox_key(account);
  if (head.messages == 0) {
    if (was_there) --totals_.mailboxes;
    return mailbox_.remove(key.view());
  }
  if (!was_there) ++totals_.mailboxes;
  return mailbox_.put(key.view(), po::wire::encode(head));
}

int Transaction::deliver(const Delivery& delivery, const MessageId& id, std::uint64_t size) {
  MailboxHead head;
  int rc = get_head(delivery.account, head);
  bool was_there = rc == 0;
  if (rc != 0 && rc != MDB_NOTFOUND) return rc;
  layout::MailboxRow row{delivery.prefix.size() + size, delivery.notify, delivery.orcpt, delivery.prefix};
  ++head.messages;
  head.octets += row.size;
  ++totals_.entries;
  rc = put_head(delivery.account, head, was_there);
  if (rc != 0) return rc;
  return mailbox_.put(layout::mailbox_key(delivery.account, id).view(), po::wire::encode(row));
}

int Transaction::expunge(const Expunge& change, Result<std::uint64_t>& result) {
  std::vector<MessageId> ids = change.ids, gone;
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  int rc = take_out(change.account, ids, gone);
  for (const MessageId& id : gone) {
    if (rc == 0) rc = note_released(id, 1);
  }
  result = gone.size();
  return rc;
}

int Transaction::take_out(std::uint64_t account, const std::vector<MessageId>& ids,
                          std::vector<MessageId>& gone) {
  MailboxHead head;
  int rc = get_head(account, head);
  if (rc != 0) return drop_not_found(rc);
  for (const MessageId& id : ids) {
    if (id == MessageId{}) continue;  // that is the head row
    std::string_view value;
    rc = mailbox_.find(layout::mailbox_key(account, id).view(), value);
    if (rc == MDB_NOTFOUND) continue;
    layout::MailboxRow row;
    if (rc == 0 && !po::wire::decode(value, row)) rc = MDB_CORRUPTED;
    if (rc == 0 && (head.messages == 0 || head.octets < row.size)) rc = MDB_CORRUPTED;
    if (rc == 0) {
      --head.messages;
      head.octets -= row.size;
      rc = mailbox_.remove_found();
    }
    if (rc != 0) return rc;
    gone.push_back(id);
  }
  if (gone.empty()) return 0;
  totals_.entries -= gone.size();
  changed_ = true;
  return put_head(account, head, true);
}

int Transaction::note_released(const MessageId& id, std::uint32_t count) {
  std::string row = po::wire::encode(count);
  std::string_view value = row;
  int rc = released_.insert(id.bytes(), value);
  if (rc != MDB_KEYEXIST) return rc;
  std::uint32_t before = 0;
  if (!po::wire::decode(value, before)) return MDB_CORRUPTED;
  return released_.put(id.bytes(), po::wire::encode(before + count));
}

// By id, not in the order of deletion: what lies side by side in the tables goes together, and whole pages
// become free where a mailbox's messages, which lie scattered, would each leave a page to be written again.
int Transaction::release(const Release& change, Result<std::uint64_t>& result) {
  std::uint64_t done = 0;
  for (; done < change.at_most; ++done) {
    std::string_view key, value;
    int rc = released_.first(key, value);
    if (rc == MDB_NOTFOUND) break;
    std::uint32_t count = 0;
    if (rc == 0 && (key.size() != 12 || !po::wire::decode(value, count))) rc = MDB_CORRUPTED;
    if (rc != 0) return rc;
    MessageId id = layout::id_of(key);
    rc = released_.remove_found();
    if (rc == 0) rc = lower(id, count);
    if (rc != 0) return rc;
    changed_ = true;
  }
  result = done;
  return 0;
}

int Transaction::lower(const MessageId& id, std::uint32_t by) {
  std::string_view value;
  int rc = message_.find(id.bytes(), value);
  MessageRecord record;
  if (rc == 0 && (!layout::read_record(value, record) || record.references < by)) rc = MDB_CORRUPTED;
  if (rc != 0) return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
  record.references -= by;
  if (record.references == 0) return drop(id, record);
  std::string row = po::wire::encode(record);
  row += value.substr(row.size());
  return message_.put(id.bytes(), row);
}

int Transaction::drop(const MessageId& id, const MessageRecord& record) {
  int rc = message_.remove_found();
  std::size_t rows = record.in_file ? 0 : layout::pieces(record.size);
  for (std::size_t n = 0; rc == 0 && n < rows; ++n) {
    rc = body_.remove(layout::body_key(id, static_cast<std::uint16_t>(n)).view());
  }
  if (record.in_file) dropped_files_.push_back(id);
  --totals_.messages;
  totals_.octets -= record.size;
  return rc;
}

}  // namespace store
