// Owners for LMDB's environment and transactions, as the directory and the secrets of accounts use them.
// Every failure becomes a Result whose sentence names the file; nothing of LMDB's leaves through an
// exception. Callers: lib/directory (reader and writer) and accounts/secrets.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/error.h"

namespace directory::lmdb {

/// A temporary failure with LMDB's own words; sys_errno is set if `rc` is one of the system's.
[[nodiscard]] tl::unexpected<po::Error> failure(const std::string& what, int rc);

class Env {
 public:
  /// `flags` as for mdb_env_open. The directory must exist.
  [[nodiscard]] static po::Result<Env> open(const std::string& path, unsigned flags, std::size_t map_size,
                                            unsigned tables, unsigned mode);
  [[nodiscard]] MDB_env* get() const { return env_.get(); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(MDB_env* env) const { mdb_env_close(env); }
  };
  Env(MDB_env* env, std::string path) : env_(env), path_(std::move(path)) {}
  std::unique_ptr<MDB_env, Close> env_;
  std::string path_;
};

/// One transaction; aborted if it was not committed. Values that it returns point into the map and live as
/// long as it does (and, while writing, until the next put).
class Txn {
 public:
  [[nodiscard]] static po::Result<Txn> begin(const Env& env, unsigned flags);
  Txn(Txn&& other) noexcept : env_(other.env_), txn_(std::exchange(other.txn_, nullptr)) {}
  Txn& operator=(Txn&& other) noexcept;
  Txn(const Txn&) = delete;
  Txn& operator=(const Txn&) = delete;
  ~Txn();

  [[nodiscard]] po::Result<MDB_dbi> table(const char* name, unsigned flags);
  [[nodiscard]] po::Result<std::optional<std::string_view>> get(MDB_dbi table, std::string_view key) const;
  [[nodiscard]] po::Result<void> put(MDB_dbi table, std::string_view key, std::string_view value);
  /// True if it was there.
  [[nodiscard]] po::Result<bool> remove(MDB_dbi table, std::string_view key);
  [[nodiscard]] po::Result<std::size_t> count(MDB_dbi table) const;
  [[nodiscard]] po::Result<void> commit();
  /// Temporary failure (no space) if the disk has not so many octets free.
  [[nodiscard]] po::Result<void> check_room(std::uint64_t octets) const;
  /// A read transaction lets go of its pages, and takes the newest again.
  void reset();
  [[nodiscard]] po::Result<void> renew();
  [[nodiscard]] MDB_txn* get() const { return txn_; }

 private:
  Txn(const Env* env, MDB_txn* txn) : env_(env), txn_(txn) {}
  const Env* env_;
  MDB_txn* txn_;
};

/// Walks a table in key order from the first key that is not below `from`.
class Cursor {
 public:
  [[nodiscard]] static po::Result<Cursor> open(const Txn& txn, MDB_dbi table);
  struct Item {
    std::string_view key, value;
  };
  [[nodiscard]] po::Result<std::optional<Item>> seek(std::string_view from);
  [[nodiscard]] po::Result<std::optional<Item>> next();
  [[nodiscard]] po::Result<std::optional<Item>> previous();
  /// The last key that is below `end`.
  [[nodiscard]] po::Result<std::optional<Item>> seek_below(std::string_view end);

 private:
  struct Close {
    void operator()(MDB_cursor* c) const { mdb_cursor_close(c); }
  };
  explicit Cursor(MDB_cursor* c) : cursor_(c) {}
  [[nodiscard]] po::Result<std::optional<Item>> move(MDB_val* key, MDB_cursor_op op);
  std::unique_ptr<MDB_cursor, Close> cursor_;
};

}  // namespace directory::lmdb
