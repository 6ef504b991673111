// Owners for LMDB's environment, transaction and cursor, and values as string_view. Errors stay LMDB's
// integers here (0, an errno, or MDB_...): lmdb_store.cc alone sorts them into outcomes. Callers: lib/store
// only.
#pragma once

#include <lmdb.h>

#include <memory>
#include <string_view>

namespace store::mdb {

struct CloseEnv {
  void operator()(MDB_env* e) const { mdb_env_close(e); }
};
using Env = std::unique_ptr<MDB_env, CloseEnv>;

struct Abort {
  void operator()(MDB_txn* t) const { mdb_txn_abort(t); }
};
using Txn = std::unique_ptr<MDB_txn, Abort>;

struct CloseCursor {
  void operator()(MDB_cursor* c) const { mdb_cursor_close(c); }
};
using Cursor = std::unique_ptr<MDB_cursor, CloseCursor>;

/// LMDB does not write through the pointer of a key or of a value to be put.
[[nodiscard]] inline MDB_val val(std::string_view s) {
  return {s.size(), const_cast<char*>(s.data())};
}
[[nodiscard]] inline std::string_view view(const MDB_val& v) {
  return {static_cast<const char*>(v.mv_data), v.mv_size};
}

[[nodiscard]] inline int begin(MDB_env* env, unsigned flags, Txn& txn) {
  MDB_txn* raw = nullptr;
  int rc = mdb_txn_begin(env, nullptr, flags, &raw);
  txn.reset(raw);
  return rc;
}
/// The transaction is gone afterwards, whatever the result.
[[nodiscard]] inline int commit(Txn& txn) {
  return mdb_txn_commit(txn.release());
}

[[nodiscard]] inline int open_cursor(MDB_txn* txn, MDB_dbi table, Cursor& cursor) {
  MDB_cursor* raw = nullptr;
  int rc = mdb_cursor_open(txn, table, &raw);
  cursor.reset(raw);
  return rc;
}

/// `value` points into the map: good until the transaction ends or, in a write transaction, the next change.
[[nodiscard]] inline int get(MDB_txn* txn, MDB_dbi table, std::string_view key, std::string_view& value) {
  MDB_val k = val(key), v{};
  int rc = mdb_get(txn, table, &k, &v);
  if (rc == 0) value = view(v);
  return rc;
}

/// Moves by `op`; `key` is read and, on success, set. Both point into the map.
[[nodiscard]] inline int move(MDB_cursor* cursor, MDB_cursor_op op, std::string_view& key,
                              std::string_view& value) {
  MDB_val k = val(key), v{};
  int rc = mdb_cursor_get(cursor, &k, &v, op);
  if (rc == 0) {
    key = view(k);
    value = view(v);
  }
  return rc;
}

/// The named tables of the environment.
struct Tables {
  MDB_dbi meta = 0, message = 0, body = 0, mailbox = 0, released = 0, recipient = 0, due = 0;
};

}  // namespace store::mdb
