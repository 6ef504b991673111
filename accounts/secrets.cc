#include "accounts/secrets.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/directory/record.h"
#include "lib/directory/writer.h"
#include "lib/wire.h"

namespace accounts {

namespace lmdb = directory::lmdb;
namespace record = directory::record;

namespace {

constexpr std::size_t kMapSize = 16ULL << 30;
constexpr std::uint32_t kVersion = 1;

std::string known_key(std::uint64_t account, std::string_view limit_key) {
  return record::id_key(account).append(limit_key);
}

/// Neither a host nor a user holds a NUL. The longest key is one octet shorter than LMDB's longest.
std::string relay_key(std::string_view host, std::string_view user) {
  return record::fold(host).append(1, '\0').append(user);
}

/// The number's octets in the order that sorts them.
std::string app_key(std::uint64_t account, std::uint32_t id) {
  std::string key = record::id_key(account);
  for (int shift = 24; shift >= 0; shift -= 8) key += static_cast<char>(id >> shift & 0xff);
  return key;
}

/// The rows of a table whose keys begin like this.
po::Result<std::vector<std::pair<std::string, std::string>>> rows_below(const lmdb::Txn& txn, MDB_dbi table,
                                                                        std::string_view prefix) {
  auto cursor = lmdb::Cursor::open(txn, table);
  if (!cursor) return tl::make_unexpected(cursor.error());
  std::vector<std::pair<std::string, std::string>> rows;
  for (auto item = cursor->seek(prefix);; item = cursor->next()) {
    if (!item) return tl::make_unexpected(item.error());
    if (!*item || !(*item)->key.starts_with(prefix)) return rows;
    rows.emplace_back((*item)->key, (*item)->value);
  }
}

bool is_old(std::int64_t then, std::int64_t now) {
  return now - then > Secrets::kKnownFor.count();
}

std::int64_t decode_time(std::string_view octets) {
  std::int64_t time = 0;
  return po::wire::decode(octets, time) ? time : 0;
}

struct KnownRow {
  std::string key;
  std::int64_t time = 0;
};

}  // namespace

po::Result<std::unique_ptr<Secrets>> Secrets::open(const std::string& path) {
  auto lock = directory::lock_folder(path);
  if (!lock) return tl::make_unexpected(lock.error());
  auto env = lmdb::Env::open(path, MDB_NOTLS, kMapSize, 6, 0600);
  if (!env) return tl::make_unexpected(env.error());
  std::unique_ptr<Secrets> secrets(new Secrets(std::move(*lock), std::move(*env)));
  int dead = 0;
  mdb_reader_check(secrets->env_.get(), &dead);
  if (auto ok = secrets->prepare(); !ok) return tl::make_unexpected(ok.error());
  return secrets;
}

po::Result<void> Secrets::prepare() {
  auto txn = lmdb::Txn::begin(env_, 0);
  if (!txn) return tl::make_unexpected(txn.error());
  for (auto [name, dbi] : {std::pair("password", &password_),
                           {"known", &known_},
                           {"relay", &relay_},
                           {"app", &app_},
                           {"sign-in", &sign_in_},
                           {"meta", &meta_}}) {
    auto table = txn->table(name, MDB_CREATE);
    if (!table) return tl::make_unexpected(table.error());
    *dbi = *table;
  }
  auto version = record::get_number(*txn, meta_, record::kMetaVersion);
  if (!version) return tl::make_unexpected(version.error());
  if (*version > kVersion) return po::permanent(fmt::format("{} is of version {}", env_.path(), *version));
  // Once: a start on a full disk must not need to write.
  if (*version != kVersion) {
    if (auto ok = record::put_number(*txn, meta_, record::kMetaVersion, kVersion); !ok) return ok;
  }
  return txn->commit();
}

po::Result<std::string> Secrets::password(std::uint64_t account) const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  return txn->get(password_, record::id_key(account)).map([](auto row) {
    return row ? std::string(*row) : std::string();
  });
}

po::Result<std::int64_t> Secrets::known(std::uint64_t account, std::string_view limit_key,
                                        std::int64_t now) const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  auto row = txn->get(known_, known_key(account, limit_key));
  if (!row) return tl::make_unexpected(row.error());
  std::int64_t then = *row ? decode_time(**row) : 0;
  return is_old(then, now) ? 0 : then;
}

po::Result<std::string> Secrets::relay_password(std::string_view host, std::string_view user) const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  return txn->get(relay_, relay_key(host, user)).map([](auto row) {
    return row ? std::string(*row) : std::string();
  });
}

po::Result<std::vector<RelayLogIn>> Secrets::relay_log_ins() const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  auto cursor = lmdb::Cursor::open(*txn, relay_);
  if (!cursor) return tl::make_unexpected(cursor.error());
  std::vector<RelayLogIn> found;
  for (auto item = cursor->seek({});; item = cursor->next()) {
    if (!item) return tl::make_unexpected(item.error());
    if (!*item) return found;
    std::string_view key = (*item)->key;
    std::size_t nul = std::min(key.find('\0'), key.size() - 1);
    found.push_back({std::string(key.substr(0, nul)), std::string(key.substr(nul + 1))});
  }
}

po::Result<std::vector<AppPassword>> Secrets::app_passwords(std::uint64_t account) const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  auto rows = rows_below(*txn, app_, record::id_key(account));
  if (!rows) return tl::make_unexpected(rows.error());
  std::vector<AppPassword> found;
  for (const auto& [key, value] : *rows) {
    AppPassword password;
    if (!po::wire::decode(value, password))
      return po::temporary(
          fmt::format("{}: an application password of account {} cannot be read", env_.path(), account));
    found.push_back(std::move(password));
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.made < b.made; });
  return found;
}

/// A row that cannot be read is no reason to show nothing: it is history, and begins anew.
po::Result<std::vector<SignIn>> Secrets::sign_ins(std::uint64_t account) const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  auto row = txn->get(sign_in_, record::id_key(account));
  if (!row) return tl::make_unexpected(row.error());
  std::vector<SignIn> found;
  if (*row && !po::wire::decode(**row, found)) found.clear();
  return found;
}

po::Result<SecretsChange> Secrets::begin() {
  auto txn = lmdb::Txn::begin(env_, 0);
  if (!txn) return tl::make_unexpected(txn.error());
  return SecretsChange(*this, std::move(*txn));
}

po::Result<void> SecretsChange::set_password(std::uint64_t account, std::string_view hash) {
  std::string key = record::id_key(account);
  if (!hash.empty()) return txn_.put(secrets_->password_, key, hash);
  return txn_.remove(secrets_->password_, key).map([](bool) {});
}

po::Result<void> SecretsChange::set_known(std::uint64_t account, std::string_view limit_key,
                                          std::int64_t now) {
  auto ok = txn_.put(secrets_->known_, known_key(account, limit_key), po::wire::encode(now));
  if (!ok) return ok;
  return trim_known(account, now);
}

po::Result<void> SecretsChange::trim_known(std::uint64_t account, std::int64_t now) {
  std::vector<KnownRow> rows;
  std::string prefix = record::id_key(account);
  {
    auto cursor = lmdb::Cursor::open(txn_, secrets_->known_);
    if (!cursor) return tl::make_unexpected(cursor.error());
    for (auto item = cursor->seek(prefix);; item = cursor->next()) {
      if (!item) return tl::make_unexpected(item.error());
      if (!*item || (*item)->key.substr(0, prefix.size()) != prefix) break;
      rows.push_back({std::string((*item)->key), decode_time((*item)->value)});
    }
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.time > b.time; });
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i < kMostKnown && !is_old(rows[i].time, now)) continue;
    if (auto ok = txn_.remove(secrets_->known_, rows[i].key); !ok) return tl::make_unexpected(ok.error());
  }
  return {};
}

po::Result<void> SecretsChange::set_relay_password(std::string_view host, std::string_view user,
                                                   std::string_view password) {
  std::string key = relay_key(host, user);
  if (!password.empty()) return txn_.put(secrets_->relay_, key, password);
  return txn_.remove(secrets_->relay_, key).map([](bool) {});
}

po::Result<void> SecretsChange::put_app_password(std::uint64_t account, const AppPassword& password) {
  return txn_.put(secrets_->app_, app_key(account, password.id), po::wire::encode(password));
}

po::Result<void> SecretsChange::remove_app_password(std::uint64_t account, std::uint32_t id) {
  return txn_.remove(secrets_->app_, app_key(account, id)).map([](bool) {});
}

po::Result<void> SecretsChange::remove_app_passwords(std::uint64_t account) {
  auto rows = rows_below(txn_, secrets_->app_, record::id_key(account));
  if (!rows) return tl::make_unexpected(rows.error());
  for (const auto& [key, value] : *rows)
    if (auto ok = txn_.remove(secrets_->app_, key); !ok) return tl::make_unexpected(ok.error());
  return {};
}

po::Result<void> SecretsChange::set_app_password_used(std::uint64_t account, std::uint32_t id,
                                                      std::int64_t at, std::string_view from) {
  auto row = txn_.get(secrets_->app_, app_key(account, id));
  if (!row) return tl::make_unexpected(row.error());
  AppPassword password;
  if (!*row || !po::wire::decode(**row, password)) return {};
  password.used = at;
  password.used_from = std::string(from);
  return put_app_password(account, password);
}

po::Result<void> SecretsChange::set_sign_ins(std::uint64_t account, const std::vector<SignIn>& rows) {
  return txn_.put(secrets_->sign_in_, record::id_key(account), po::wire::encode(rows));
}

po::Result<void> SecretsChange::remove(std::uint64_t account) {
  if (auto ok = set_password(account, {}); !ok) return ok;
  if (auto ok = remove_app_passwords(account); !ok) return ok;
  if (auto ok = txn_.remove(secrets_->sign_in_, record::id_key(account)); !ok)
    return tl::make_unexpected(ok.error());
  // Everything is old, seen from the end of time.
  return trim_known(account, INT64_MAX);
}

po::Result<void> SecretsChange::commit() {
  return txn_.commit();
}

}  // namespace accounts
