#include "lib/directory/lmdb.h"

#include <fmt/core.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <utility>

namespace directory::lmdb {
namespace {

MDB_val val(std::string_view s) {
  return {s.size(), const_cast<char*>(s.data())};
}
std::string_view view(const MDB_val& v) {
  return {static_cast<const char*>(v.mv_data), v.mv_size};
}

// LMDB calls a write that a full disk cut short an I/O error. It is none: the meta page was not written, and
// nothing is in doubt. After it not even this much is left.
constexpr std::uint64_t kFull = 64 * 1024;

/// All there is where the disk cannot be asked.
std::uint64_t free_octets(const Env& env) {
  int fd = -1;
  struct statvfs disk {};
  if (mdb_env_get_fd(env.get(), &fd) != 0 || ::fstatvfs(fd, &disk) != 0) return UINT64_MAX;
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

int cut_short_is_no_space(const Env& env, int rc) {
  return rc == EIO && free_octets(env) < kFull ? ENOSPC : rc;
}

}  // namespace

tl::unexpected<po::Error> failure(const std::string& what, int rc) {
  // LMDB's own codes are negative; the positive ones are errno.
  return tl::make_unexpected(
      po::Error{po::Kind::kTemporary, rc > 0 ? rc : 0, fmt::format("{}: {}", what, mdb_strerror(rc))});
}

po::Result<Env> Env::open(const std::string& path, unsigned flags, std::size_t map_size, unsigned tables,
                          unsigned mode) {
  MDB_env* raw = nullptr;
  if (int rc = mdb_env_create(&raw)) return failure(path, rc);
  Env env(raw, path);
  int rc = mdb_env_set_mapsize(raw, map_size);
  if (rc == 0) rc = mdb_env_set_maxdbs(raw, tables);
  if (rc == 0) rc = mdb_env_open(raw, path.c_str(), flags, mode);
  if (rc != 0) return failure("cannot open " + path, rc);
  return env;
}

po::Result<Txn> Txn::begin(const Env& env, unsigned flags) {
  MDB_txn* txn = nullptr;
  if (int rc = mdb_txn_begin(env.get(), nullptr, flags, &txn)) return failure(env.path(), rc);
  return Txn(&env, txn);
}

Txn& Txn::operator=(Txn&& other) noexcept {
  if (this != &other) {
    if (txn_) mdb_txn_abort(txn_);
    env_ = other.env_;
    txn_ = std::exchange(other.txn_, nullptr);
  }
  return *this;
}

Txn::~Txn() {
  if (txn_) mdb_txn_abort(txn_);
}

po::Result<MDB_dbi> Txn::table(const char* name, unsigned flags) {
  MDB_dbi dbi = 0;
  if (int rc = mdb_dbi_open(txn_, name, flags, &dbi))
    return failure(fmt::format("table {} of {}", name, env_->path()), rc);
  return dbi;
}

po::Result<std::optional<std::string_view>> Txn::get(MDB_dbi table, std::string_view key) const {
  MDB_val k = val(key), v{};
  int rc = mdb_get(txn_, table, &k, &v);
  if (rc == MDB_NOTFOUND || rc == MDB_BAD_VALSIZE) return std::optional<std::string_view>();
  if (rc != 0) return failure(env_->path(), rc);
  return std::optional(view(v));
}

po::Result<void> Txn::put(MDB_dbi table, std::string_view key, std::string_view value) {
  MDB_val k = val(key), v = val(value);
  // A large transaction writes pages before its end.
  if (int rc = mdb_put(txn_, table, &k, &v, 0)) {
    return failure("cannot write " + env_->path(), cut_short_is_no_space(*env_, rc));
  }
  return {};
}

po::Result<bool> Txn::remove(MDB_dbi table, std::string_view key) {
  MDB_val k = val(key);
  int rc = mdb_del(txn_, table, &k, nullptr);
  if (rc == MDB_NOTFOUND) return false;
  if (rc != 0) return failure(env_->path(), rc);
  return true;
}

po::Result<void> Txn::commit() {
  int rc = mdb_txn_commit(std::exchange(txn_, nullptr));  // frees it, whatever the outcome
  if (rc != 0) return failure("cannot write " + env_->path(), cut_short_is_no_space(*env_, rc));
  return {};
}

po::Result<void> Txn::check_room(std::uint64_t octets) const {
  if (free_octets(*env_) < octets) return failure("cannot write " + env_->path(), ENOSPC);
  return {};
}

void Txn::reset() {
  mdb_txn_reset(txn_);
}

po::Result<void> Txn::renew() {
  if (int rc = mdb_txn_renew(txn_)) return failure(env_->path(), rc);
  return {};
}

po::Result<Cursor> Cursor::open(const Txn& txn, MDB_dbi table) {
  MDB_cursor* c = nullptr;
  if (int rc = mdb_cursor_open(txn.get(), table, &c)) return failure("cursor", rc);
  return Cursor(c);
}

po::Result<std::optional<Cursor::Item>> Cursor::seek(std::string_view from) {
  MDB_val key = val(from);
  return move(&key, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
}

po::Result<std::optional<Cursor::Item>> Cursor::next() {
  MDB_val key{};
  return move(&key, MDB_NEXT);
}

po::Result<std::optional<Cursor::Item>> Cursor::move(MDB_val* key, MDB_cursor_op op) {
  MDB_val value{};
  int rc = mdb_cursor_get(cursor_.get(), key, &value, op);
  if (rc == MDB_NOTFOUND) return std::optional<Item>();
  if (rc != 0) return failure("cursor", rc);
  return std::optional(Item{view(*key), view(value)});
}

}  // namespace directory::lmdb
