// One write transaction of LMDB: changes of mail as changes of rows (man/store.5). Knows the tables, not what
// is done about errors: every function gives LMDB's integer, and after one that is not 0 the transaction can
// only be dropped. A change that is refused has changed nothing. Caller: LmdbStore, on the writer thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/store/layout.h"
#include "lib/store/mdb.h"
#include "lib/store/store.h"

namespace store {

/// A cursor that knows the table's last key, so that rows which come in order are appended: LMDB then fills
/// pages instead of splitting them in the middle.
class TableCursor {
 public:
  int open(MDB_txn* txn, MDB_dbi table);
  int put(std::string_view key, std::string_view value);
  /// MDB_KEYEXIST, and what is there in `value`, if the key has a value already.
  int insert(std::string_view key, std::string_view& value);
  /// MDB_NOTFOUND if it is not there.
  int find(std::string_view key, std::string_view& value);
  /// Removes the row that find() found.
  int remove_found() { return mdb_cursor_del(cursor_.get(), 0); }
  /// MDB_NOTFOUND is no error: the row is not there afterwards.
  int remove(std::string_view key);
  int first(std::string_view& key, std::string_view& value);
  /// The first row whose key is `key` or comes behind it.
  int at_or_behind(std::string_view& key, std::string_view& value);
  int next(std::string_view& key, std::string_view& value);

 private:
  mdb::Cursor cursor_;
  std::string last_;  ///< empty: the table was; never smaller than the last key
};

/// What is wrong with these; empty: nothing.
[[nodiscard]] std::string_view fault_of(const std::vector<Delivery>& deliveries);

class Transaction {
 public:
  /// A message in a mailbox, with its row as it is.
  struct MovedRow {
    po::MessageId id;
    std::uint64_t size = 0;
    std::string row;
  };

  /// New messages leave `spare` octets of the disk free, besides the reserve.
  int begin(MDB_env* env, const mdb::Tables& tables, std::uint64_t spare);
  /// `result` is set if 0 is returned.
  int apply(const Change& change, Result<std::uint64_t>& result);
  int commit();
  /// After the commit these files have no record any more.
  [[nodiscard]] const std::vector<po::MessageId>& dropped_files() const { return dropped_files_; }

 private:
  int accept(const Accept& change, Result<std::uint64_t>& result);
  int expunge(const Expunge& change, Result<std::uint64_t>& result);
  int release(const Release& change, Result<std::uint64_t>& result);
  int settle(const Settle& change, Result<std::uint64_t>& result);
  int errand(const Errand& change, Result<std::uint64_t>& result);
  int look_at(const Accept& change, Result<std::uint64_t>& result);
  int pages_of(const Accept& change, std::uint64_t& pages);
  int pages_of(const std::vector<Waiting>& waiting, std::uint64_t& pages);
  int write(const Accept& change);
  int write_waiting(const Accept& change);
  int look_at(const Settle& change, bool& any, Result<std::uint64_t>& result);
  int look_at_notices(const Settle& change, std::uint64_t& pages, std::vector<const Accept*>& write,
                      Result<std::uint64_t>& result);
  int find_waiting(const po::MessageId& id, std::uint32_t n, std::optional<layout::DueKey>& due);
  int take_away(const Settle& change, std::uint64_t& gone);
  int put_off(const Settle& change, std::uint64_t& done);
  int deliver_late(const Settle& change);
  int write_message(const Accept& change, std::uint32_t references);
  int deliver(const Delivery& delivery, const po::MessageId& id, std::uint64_t size);
  int put_head(std::uint64_t account, const layout::MailboxHead& head, bool was_there);
  int get_head(std::uint64_t account, layout::MailboxHead& head);
  int take_out(std::uint64_t account, const std::vector<po::MessageId>& ids,
               std::vector<po::MessageId>& gone);
  int look_at_messages(const Errand& change, std::uint64_t& pages, std::vector<const Accept*>& write,
                       Result<std::uint64_t>& result);
  int move_out(const Errand& change, std::uint64_t& moved);
  int first_rows(std::uint64_t account, std::size_t at_most, std::vector<MovedRow>& rows);
  int move_row(const MovedRow& row, std::uint64_t into, layout::MailboxHead& head);
  int note_released(const po::MessageId& id, std::uint32_t count);
  int lower(const po::MessageId& id, std::uint32_t by);
  int drop(const po::MessageId& id, const layout::MessageRecord& record);
  int measure_room(MDB_env* env, std::uint64_t spare);

  // The cursors go before the transaction does: LMDB wants it so in write transactions.
  mdb::Txn txn_;
  mdb::Tables tables_;
  TableCursor message_, body_, mailbox_, released_, recipient_, due_;
  layout::TotalsRecord totals_;
  bool changed_ = false;
  std::uint64_t room_ = 0, reserve_ = 0;  ///< pages
  std::vector<po::MessageId> dropped_files_;
};

}  // namespace store
