#include "lib/directory/writer.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace directory {
namespace {

/// Finger shows this text for the Postmaster of a new system (the Guide, section 3.3.2).
Account first_postmaster(const std::string& hostname) {
  Account a;
  a.id = kPostmaster;
  a.name = "Mail Administrator";
  a.addresses = {"Postmaster@" + hostname};
  a.pop_login = "postmaster";
  a.finger = {"mail system administrator."};
  a.revision = 1;
  return a;
}

}  // namespace

po::Result<po::Fd> lock_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return po::permanent("cannot make " + path, errno);
  po::Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return po::permanent("cannot open " + path, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return po::temporary(path + " is in use by another process of the mail system");
    return po::permanent("cannot lock " + path, errno);
  }
  return fd;
}

po::Result<std::unique_ptr<Writer>> Writer::open(const Options& options) {
  auto lock = lock_folder(options.path);
  if (!lock) return tl::make_unexpected(lock.error());
  // MDB_NOTLS: read transactions belong to no thread, so that two can be held and any thread may read.
  auto env = lmdb::Env::open(options.path, MDB_NOTLS, options.map_size, record::kTableCount, 0600);
  if (!env) return tl::make_unexpected(env.error());
  std::unique_ptr<Writer> writer(new Writer(std::move(*lock), std::move(*env)));
  int dead = 0;
  mdb_reader_check(writer->env_.get(), &dead);  // slots of a predecessor that was killed
  if (auto ok = writer->prepare(record::fold(options.hostname)); !ok) return tl::make_unexpected(ok.error());
  writer->hold_young();
  writer->hold_young();
  writer->touches_from_ = writer->generation();
  writer->writable_from_ = std::chrono::steady_clock::now() + options.settle;
  return writer;
}

po::Result<void> Writer::prepare(const std::string& hostname) {
  auto txn = lmdb::Txn::begin(env_, 0);
  if (!txn) return tl::make_unexpected(txn.error());
  auto tables = record::Tables::open(*txn, MDB_CREATE);
  if (!tables) return tl::make_unexpected(tables.error());
  tables_ = *tables;
  if (auto ok = tables_.make_newer(*txn); !ok) return ok;
  auto version = record::get_number(*txn, tables_.meta, record::kMetaVersion);
  if (!version) return tl::make_unexpected(version.error());
  auto ok = *version == 0 ? make_new(*txn, hostname) : record::check_version(*txn, tables_);
  if (!ok) return ok;
  return txn->commit();
}

po::Result<void> Writer::make_new(lmdb::Txn& txn, const std::string& hostname) {
  Account postmaster = first_postmaster(hostname);
  Settings settings;
  settings.revision = 1;
  std::string id = record::id_key(kPostmaster);
  auto ok = record::put_number(txn, tables_.meta, record::kMetaVersion, record::kVersion);
  if (ok) ok = record::put_number(txn, tables_.meta, record::kMetaGeneration, 1);
  if (ok) ok = record::put_number(txn, tables_.meta, record::kMetaNextAccount, kPostmaster + 1);
  if (ok) ok = record::put_settings(txn, tables_, settings);
  if (ok) ok = txn.put(tables_.account, id, record::encode_account(postmaster));
  if (ok) ok = txn.put(tables_.address, record::fold(postmaster.addresses[0]), id);
  if (ok) ok = txn.put(tables_.login, record::fold(postmaster.pop_login), id);
  return ok;
}

po::Result<std::optional<Account>> Writer::account(std::uint64_t id) const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  return record::get_account(*txn, tables_, id);
}

po::Result<std::optional<Account>> Writer::find(std::string_view login, std::string_view address) const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  auto owner = record::get_owner(*txn, tables_.login, record::fold(login));
  if (owner && !*owner) owner = record::get_owner(*txn, tables_.address, record::fold(address));
  if (!owner) return tl::make_unexpected(owner.error());
  if (!*owner) return std::optional<Account>();
  return record::get_account(*txn, tables_, **owner);
}

po::Result<std::shared_ptr<const Settings>> Writer::settings() const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  auto revision = record::get_number(*txn, tables_.meta, record::kMetaSettings);
  if (!revision) return tl::make_unexpected(revision.error());
  std::lock_guard lock(settings_mutex_);
  if (settings_ && settings_->revision == *revision) return settings_;
  auto read = record::get_settings(*txn, tables_);
  if (!read) return tl::make_unexpected(read.error());
  settings_ = std::make_shared<const Settings>(std::move(*read));
  return settings_;
}

std::uint64_t Writer::generation() const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return 0;
  return record::get_number(*txn, tables_.meta, record::kMetaGeneration).value_or(0);
}

po::Result<std::size_t> Writer::accounts() const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  return txn->count(tables_.account);
}

po::Result<Account> Writer::default_account() const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  auto row = txn->get(tables_.setting, record::kDefaultAccount);
  if (!row) return tl::make_unexpected(row.error());
  return *row ? record::decode_account(**row) : po::Result<Account>(Account{});
}

po::Result<std::vector<Revision>> Writer::history(std::string_view subject, std::uint64_t before,
                                                  std::size_t limit) const {
  std::vector<Revision> found;
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  auto cursor = lmdb::Cursor::open(*txn, tables_.history);
  if (!cursor) return tl::make_unexpected(cursor.error());
  std::string end = record::history_key(subject, before == 0 ? UINT64_MAX : before);
  for (auto item = cursor->seek_below(end); found.size() < limit; item = cursor->previous()) {
    if (!item) return tl::make_unexpected(item.error());
    if (!*item || !(*item)->key.starts_with(subject)) break;
    auto revision = record::decode_revision((*item)->value);
    if (!revision) return tl::make_unexpected(revision.error());
    found.push_back(std::move(*revision));
  }
  return found;
}

po::Result<std::uint64_t> Writer::last_revision(std::string_view subject) const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  auto cursor = lmdb::Cursor::open(*txn, tables_.history);
  if (!cursor) return tl::make_unexpected(cursor.error());
  auto item = cursor->seek_below(record::history_key(subject, UINT64_MAX));
  if (!item) return tl::make_unexpected(item.error());
  if (!*item || !(*item)->key.starts_with(subject)) return std::uint64_t{0};
  return record::parse_id_key((*item)->key.substr(subject.size())).value_or(0);
}

std::optional<std::vector<std::uint64_t>> Writer::touched_since(std::uint64_t generation) const {
  std::lock_guard lock(touches_mutex_);
  if (generation < touches_from_) return std::nullopt;
  std::vector<std::uint64_t> accounts;
  for (const Touch& touch : touches_)
    if (touch.generation > generation) accounts.push_back(touch.account);
  return accounts;
}

void Writer::remember(std::uint64_t generation, const std::vector<std::uint64_t>& accounts) {
  std::lock_guard lock(touches_mutex_);
  for (std::uint64_t account : accounts) touches_.push_back({generation, account});
  while (touches_.size() > kMostTouches) {
    touches_from_ = touches_.front().generation;
    touches_.pop_front();
  }
}

po::Result<void> Writer::for_each(const std::function<bool(const Account&)>& visit) const {
  auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  auto cursor = lmdb::Cursor::open(*txn, tables_.account);
  if (!cursor) return tl::make_unexpected(cursor.error());
  for (auto item = cursor->seek({});; item = cursor->next()) {
    if (!item) return tl::make_unexpected(item.error());
    if (!*item) return {};
    auto account = record::decode_account((*item)->value);
    if (!account) return tl::make_unexpected(account.error());
    if (!visit(*account)) return {};
  }
}

po::Result<Change> Writer::begin() {
  if (broken_)
    return po::temporary("the directory met a disk error; restart the mail system when the disk is well");
  std::this_thread::sleep_until(writable_from_);
  auto txn = lmdb::Txn::begin(env_, 0);
  if (!txn) return tl::make_unexpected(txn.error());
  auto generation = record::get_number(*txn, tables_.meta, record::kMetaGeneration);
  if (!generation) return tl::make_unexpected(generation.error());
  return Change(*this, std::move(*txn), *generation + 1);
}

void Writer::hold_young() {
  auto& slot = young_[turn_++ % 2];
  if (!slot) {
    auto txn = lmdb::Txn::begin(env_, MDB_RDONLY);
    if (txn) slot.emplace(std::move(*txn));
    return;
  }
  slot->reset();
  if (!slot->renew()) slot.reset();
}

po::Result<std::optional<Account>> Change::account(std::uint64_t id) const {
  return record::get_account(txn_, writer_->tables_, id);
}

po::Result<std::optional<std::uint64_t>> Change::owner_of_address(std::string_view address) const {
  return record::get_owner(txn_, writer_->tables_.address, record::fold(address));
}

po::Result<std::optional<std::uint64_t>> Change::owner_of_login(std::string_view login) const {
  return record::get_owner(txn_, writer_->tables_.login, record::fold(login));
}

/// A login name may equal an address of its own account, never one of another: each leads to one account.
po::Result<void> Change::take(MDB_dbi table, MDB_dbi other, std::string_view name, std::uint64_t id) {
  std::string key = record::fold(name);
  for (MDB_dbi t : {table, other}) {
    auto owner = record::get_owner(txn_, t, key);
    if (!owner) return tl::make_unexpected(owner.error());
    if (*owner && **owner != id)
      return po::permanent(fmt::format("{} belongs to another account (number {})", name, **owner));
  }
  return txn_.put(table, key, record::id_key(id));
}

po::Result<void> Change::take_names(const Account& account) {
  const auto& t = writer_->tables_;
  for (const std::string& address : account.addresses)
    if (auto ok = take(t.address, t.login, address, account.id); !ok) return ok;
  if (account.pop_login.empty()) return {};
  return take(t.login, t.address, account.pop_login, account.id);
}

po::Result<void> Change::drop_names(const Account& account) {
  for (const std::string& address : account.addresses)
    if (auto ok = txn_.remove(writer_->tables_.address, record::fold(address)); !ok)
      return tl::make_unexpected(ok.error());
  if (account.pop_login.empty()) return {};
  return txn_.remove(writer_->tables_.login, record::fold(account.pop_login)).map([](bool) {});
}

po::Result<std::size_t> Change::accounts() const {
  return txn_.count(writer_->tables_.account);
}

po::Result<void> Change::store(Account account) {
  account.revision = generation_;
  touched_.push_back(account.id);
  auto ok = take_names(account);
  if (!ok) return ok;
  return txn_.put(writer_->tables_.account, record::id_key(account.id), record::encode_account(account));
}

po::Result<std::uint64_t> Change::add(Account account) {
  const auto& t = writer_->tables_;
  auto next = record::get_number(txn_, t.meta, record::kMetaNextAccount);
  if (!next) return tl::make_unexpected(next.error());
  account.id = *next;
  auto ok = store(std::move(account));
  if (ok) ok = record::put_number(txn_, t.meta, record::kMetaNextAccount, *next + 1);
  if (!ok) return tl::make_unexpected(ok.error());
  return *next;
}

po::Result<void> Change::add_numbered(Account account) {
  const auto& t = writer_->tables_;
  auto there = this->account(account.id);
  if (!there) return tl::make_unexpected(there.error());
  if (*there) return po::permanent(fmt::format("there is an account number {} already", account.id));
  auto next = record::get_number(txn_, t.meta, record::kMetaNextAccount);
  if (!next) return tl::make_unexpected(next.error());
  std::uint64_t id = account.id;
  if (auto ok = store(std::move(account)); !ok) return ok;
  if (id < *next) return {};
  return record::put_number(txn_, t.meta, record::kMetaNextAccount, id + 1);
}

po::Result<bool> Change::was_given(std::uint64_t id) const {
  return record::get_number(txn_, writer_->tables_.meta, record::kMetaNextAccount)
      .map([id](std::uint64_t next) { return id < next; });
}

po::Result<void> Change::replace(Account account) {
  auto before = this->account(account.id);
  if (!before) return tl::make_unexpected(before.error());
  if (!*before) return po::permanent(fmt::format("there is no account number {}", account.id));
  if (auto ok = drop_names(**before); !ok) return ok;
  return store(std::move(account));
}

po::Result<void> Change::remove(std::uint64_t id) {
  if (id == kPostmaster) return po::permanent("the Postmaster's account cannot be removed");
  auto before = account(id);
  if (!before) return tl::make_unexpected(before.error());
  if (!*before) return po::permanent(fmt::format("there is no account number {}", id));
  touched_.push_back(id);
  if (auto ok = drop_names(**before); !ok) return ok;
  return txn_.remove(writer_->tables_.account, record::id_key(id)).map([](bool) {});
}

po::Result<void> Change::set_settings(Settings settings) {
  settings.revision = generation_;
  return record::put_settings(txn_, writer_->tables_, settings);
}

po::Result<void> Change::set_default_account(Account account) {
  return txn_.put(writer_->tables_.setting, record::kDefaultAccount, record::encode_account(account));
}

po::Result<void> Change::put_history(std::string_view subject, Revision revision) {
  revision.revision = generation_;
  auto ok = txn_.put(writer_->tables_.history, record::history_key(subject, generation_),
                     record::encode_revision(revision));
  return ok ? trim_history(subject) : ok;
}

po::Result<void> Change::trim_history(std::string_view subject) {
  std::vector<std::string> old;
  {
    auto cursor = lmdb::Cursor::open(txn_, writer_->tables_.history);
    if (!cursor) return tl::make_unexpected(cursor.error());
    std::size_t rows = 0, octets = 0;
    for (auto item = cursor->seek_below(record::history_key(subject, UINT64_MAX));;
         item = cursor->previous()) {
      if (!item) return tl::make_unexpected(item.error());
      if (!*item || !(*item)->key.starts_with(subject)) break;
      octets += (*item)->value.size();
      if (++rows > 1 && (rows > kMostRevisions || octets > kMostHistoryOctets))
        old.emplace_back((*item)->key);
    }
  }
  for (const std::string& key : old)
    if (auto ok = txn_.remove(writer_->tables_.history, key); !ok) return tl::make_unexpected(ok.error());
  return {};
}

po::Result<void> Change::put_errand(const Errand& errand) {
  MDB_dbi table = writer_->tables_.errand;
  auto ok = txn_.put(table, record::errand_key({generation_, ++errands_}), po::wire::encode(errand));
  auto count = txn_.count(table);
  if (!ok) return ok;
  if (!count) return tl::make_unexpected(count.error());
  if (*count <= kMostErrands) return {};
  auto cursor = lmdb::Cursor::open(txn_, table);
  if (!cursor) return tl::make_unexpected(cursor.error());
  auto first = cursor->seek({});
  if (!first) return tl::make_unexpected(first.error());
  std::string key(*first ? (*first)->key : std::string_view());
  return txn_.remove(table, key).map([](bool) {});
}

po::Result<void> Change::take_back_errands(std::uint64_t account) {
  std::vector<std::string> keys;
  MDB_dbi table = writer_->tables_.errand;
  {
    auto cursor = lmdb::Cursor::open(txn_, table);
    if (!cursor) return tl::make_unexpected(cursor.error());
    for (auto item = cursor->seek({});; item = cursor->next()) {
      if (!item) return tl::make_unexpected(item.error());
      if (!*item) break;
      auto errand = record::decode_errand((*item)->key, (*item)->value);
      if (!errand) return tl::make_unexpected(errand.error());
      if (errand->account == account) keys.emplace_back((*item)->key);
    }
  }
  for (const std::string& key : keys)
    if (auto ok = txn_.remove(table, key); !ok) return tl::make_unexpected(ok.error());
  return {};
}

po::Result<std::uint64_t> Change::commit() {
  auto ok = record::put_number(txn_, writer_->tables_.meta, record::kMetaGeneration, generation_);
  if (ok) ok = txn_.commit();
  if (ok) {
    writer_->remember(generation_, touched_);
    return generation_;
  }
  if (ok.error().sys_errno == EIO) writer_->broken_ = true;
  return tl::make_unexpected(ok.error());
}

}  // namespace directory
