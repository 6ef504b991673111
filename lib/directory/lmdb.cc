#include "lib/directory/lmdb.h"

#include <fmt/core.h>

#include <cerrno>
#include <utility>

#include "lib/disk_space.h"

namespace directory::lmdb {
namespace {

MDB_val val(std::string_view s) {
  return {s.size(), const_cast<char*>(s.data())};
}
std::string_view view(const MDB_val& v) {
  return {static_cast<const char*>(v.mv_data), v.mv_size};
}

/// -1 if it has none.
int descriptor_of(const Env& env) {
  int fd = -1;
  (void)mdb_env_get_fd(env.get(), &fd);
  return fd;
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
    return failure("cannot write " + env_->path(), po::no_space_if_cut_short(rc, descriptor_of(*env_)));
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

po::Result<std::size_t> Txn::count(MDB_dbi table) const {
  MDB_stat stat{};
  if (int rc = mdb_stat(txn_, table, &stat)) return failure(env_->path(), rc);
  return stat.ms_entries;
}

po::Result<void> Txn::commit() {
  int rc = mdb_txn_commit(std::exchange(txn_, nullptr));  // frees it, whatever the outcome
  if (rc != 0)
    return failure("cannot write " + env_->path(), po::no_space_if_cut_short(rc, descriptor_of(*env_)));
  return {};
}

po::Result<void> Txn::check_room(std::uint64_t octets) const {
  // Where the disk cannot be asked, the write itself will tell.
  if (po::free_octets(descriptor_of(*env_)).value_or(octets) < octets)
    return failure("cannot write " + env_->path(), ENOSPC);
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

po::Result<std::optional<Cursor::Item>> Cursor::previous() {
  MDB_val key{};
  return move(&key, MDB_PREV);
}

po::Result<std::optional<Cursor::Item>> Cursor::seek_below(std::string_view end) {
  auto at = seek(end);
  if (!at) return at;
  MDB_val key{};
  return *at ? previous() : move(&key, MDB_LAST);
}

po::Result<std::optional<Cursor::Item>> Cursor::move(MDB_val* key, MDB_cursor_op op) {
  MDB_val value{};
  int rc = mdb_cursor_get(cursor_.get(), key, &value, op);
  if (rc == MDB_NOTFOUND) return std::optional<Item>();
  if (rc != 0) return failure("cursor", rc);
  return std::optional(Item{view(*key), view(value)});
}

}  // namespace directory::lmdb
