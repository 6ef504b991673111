#include "lib/directory/reader.h"

#include "lib/address.h"
#include "lib/directory/lmdb.h"
#include "lib/directory/record.h"
#include "lib/text.h"

namespace directory {

struct Reader::Impl {
  Impl(lmdb::Env e, std::string host) : env(std::move(e)), hostname(std::move(host)) {}

  lmdb::Env env;
  record::Tables tables;
  std::string hostname;
  std::optional<lmdb::Txn> txn;  ///< kept reset between calls; taken down before env
  std::shared_ptr<const Settings> settings;
  AddressTables addresses;                      ///< of `settings`
  std::shared_ptr<const RoutingTable> routing;  ///< of `settings`; made when it is asked for

  /// Lets go of the pages when a call ends: none may be held for longer than a second.
  struct Look {
    explicit Look(Impl& i) : impl(i) {}
    ~Look() { impl.txn->reset(); }
    Look(const Look&) = delete;
    Look& operator=(const Look&) = delete;
    Impl& impl;
  };

  po::Result<void> begin() { return txn->renew(); }

  /// Within a transaction.
  po::Result<std::shared_ptr<const Settings>> current_settings() {
    auto revision = record::get_number(*txn, tables.meta, record::kMetaSettings);
    if (!revision) return tl::make_unexpected(revision.error());
    if (!settings || settings->revision != *revision) {
      auto read = record::get_settings(*txn, tables);
      if (!read) return tl::make_unexpected(read.error());
      settings = std::make_shared<const Settings>(std::move(*read));
      addresses = AddressTables(*settings, hostname);
      routing = nullptr;
    }
    return settings;
  }

  po::Result<std::optional<Account>> account_of(std::string_view key) {
    auto owner = record::get_owner(*txn, tables.address, key);
    if (!owner) return tl::make_unexpected(owner.error());
    if (!*owner) return std::optional<Account>();
    auto found = record::get_account(*txn, tables, **owner);
    if (found && !*found) return po::temporary("the directory names an account that it does not hold");
    return found;
  }

  po::Result<std::optional<Account>> account_of_login(std::string_view login) {
    auto owner = record::get_owner(*txn, tables.login, record::fold(login));
    if (!owner) return tl::make_unexpected(owner.error());
    if (!*owner) return std::optional<Account>();
    return record::get_account(*txn, tables, **owner);
  }

  /// In one domain, which need not be ours.
  po::Result<std::optional<Account>> account_at(std::string_view user, const std::string& domain) {
    auto mailbox = po::parse_mailbox(user, {.utf8 = true, .need_domain = false});
    if (!mailbox || !mailbox->domain.empty()) return std::optional<Account>();
    mailbox->domain = domain;
    auto found = account_of(mailbox->key());
    bool postmaster = po::equal_ignoring_case(mailbox->local, "postmaster") && addresses.is_local(domain);
    if (found && !*found && postmaster) return record::get_account(*txn, tables, kPostmaster);
    return found;
  }

  po::Result<Named> named(std::string_view user, std::string_view domain) {
    if (auto now = current_settings(); !now) return tl::make_unexpected(now.error());
    auto found = account_at(user, domain.empty() ? addresses.completion_domain : std::string(domain));
    if (found && !*found && domain.empty()) found = account_at(user, hostname);
    if (found && !*found && (domain.empty() || domain == hostname)) found = account_of_login(user);
    if (!found) return tl::make_unexpected(found.error());
    return Named{std::move(*found), domain.empty() || addresses.is_local(domain)};
  }

  po::Result<std::vector<Account>> accounts_after(std::uint64_t id, std::size_t most) {
    std::vector<Account> out;
    auto cursor = lmdb::Cursor::open(*txn, tables.account);
    if (!cursor) return tl::make_unexpected(cursor.error());
    auto item = cursor->seek(record::id_key(id + 1));
    while (item && *item && out.size() < most) {
      auto account = record::decode_account((*item)->value);
      if (!account) return tl::make_unexpected(account.error());
      out.push_back(std::move(*account));
      if (out.size() < most) item = cursor->next();
    }
    if (!item) return tl::make_unexpected(item.error());
    return out;
  }

  /// Once, when it is asked for: a directory of an older release has no such table until accounts starts.
  po::Result<void> open_errands() {
    if (tables.errand != 0) return {};
    auto own = lmdb::Txn::begin(env, MDB_RDONLY);
    if (!own) return tl::make_unexpected(own.error());
    auto table = own->table(record::kErrandTable, 0);
    if (!table) return tl::make_unexpected(table.error());
    if (auto ok = own->commit(); !ok) return ok;
    tables.errand = *table;
    return {};
  }

  po::Result<std::vector<Errand>> errands(const ErrandPosition& after, std::size_t limit) {
    std::vector<Errand> found;
    auto cursor = lmdb::Cursor::open(*txn, tables.errand);
    if (!cursor) return tl::make_unexpected(cursor.error());
    for (auto item = cursor->seek(record::errand_key(after)); found.size() < limit; item = cursor->next()) {
      if (!item) return tl::make_unexpected(item.error());
      if (!*item) break;
      auto errand = record::decode_errand((*item)->key, (*item)->value);
      if (!errand) return tl::make_unexpected(errand.error());
      if (errand->position > after) found.push_back(std::move(*errand));
    }
    return found;
  }

  po::Result<Resolution> resolve(std::string_view address, bool steps) {
    auto now = current_settings();
    if (!now) return tl::make_unexpected(now.error());
    Questions questions{[this](std::string_view key) { return account_of(key); },
                        [this](std::uint64_t id) { return record::get_account(*txn, tables, id); }, **now,
                        addresses};
    return directory::resolve(address, questions, steps);
  }
};

po::Result<Reader> Reader::open(const std::string& path, const std::string& hostname) {
  auto env = lmdb::Env::open(path, MDB_RDONLY | MDB_NOLOCK, record::kMapSize, record::kTableCount, 0600);
  if (!env) return tl::make_unexpected(env.error());
  auto impl = std::make_unique<Impl>(std::move(*env), record::fold(hostname));
  {
    auto txn = lmdb::Txn::begin(impl->env, MDB_RDONLY);
    if (!txn) return tl::make_unexpected(txn.error());
    auto tables = record::Tables::open(*txn, 0);
    if (!tables) return tl::make_unexpected(tables.error());
    impl->tables = *tables;
    if (auto ok = record::check_version(*txn, *tables); !ok) return tl::make_unexpected(ok.error());
    // Table handles outlive the transaction that opened them only if it ends by commit.
    if (auto ok = txn->commit(); !ok) return tl::make_unexpected(ok.error());
  }
  auto txn = lmdb::Txn::begin(impl->env, MDB_RDONLY);
  if (!txn) return tl::make_unexpected(txn.error());
  txn->reset();
  impl->txn.emplace(std::move(*txn));
  return Reader(std::move(impl));
}

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

po::Result<Resolution> Reader::resolve(std::string_view address, bool steps) const {
  if (auto ok = impl_->begin(); !ok) return tl::make_unexpected(ok.error());
  Impl::Look look(*impl_);
  return impl_->resolve(address, steps);
}

po::Result<std::shared_ptr<const RoutingTable>> Reader::routing() const {
  auto now = settings();
  if (!now) return tl::make_unexpected(now.error());
  if (!impl_->routing)
    impl_->routing = std::make_shared<const RoutingTable>((*now)->routes, (*now)->sender_routes);
  return impl_->routing;
}

po::Result<std::optional<Account>> Reader::account(std::uint64_t id) const {
  if (auto ok = impl_->begin(); !ok) return tl::make_unexpected(ok.error());
  Impl::Look look(*impl_);
  return record::get_account(*impl_->txn, impl_->tables, id);
}

po::Result<Named> Reader::named(std::string_view user, std::string_view domain) const {
  if (auto ok = impl_->begin(); !ok) return tl::make_unexpected(ok.error());
  Impl::Look look(*impl_);
  return impl_->named(user, domain);
}

po::Result<bool> Reader::is_local(std::string_view domain) const {
  if (auto now = settings(); !now) return tl::make_unexpected(now.error());
  return impl_->addresses.is_local(domain);
}

po::Result<std::vector<Account>> Reader::accounts_after(std::uint64_t id, std::size_t most) const {
  if (auto ok = impl_->begin(); !ok) return tl::make_unexpected(ok.error());
  Impl::Look look(*impl_);
  return impl_->accounts_after(id, most);
}

po::Result<std::shared_ptr<const Settings>> Reader::settings() const {
  if (auto ok = impl_->begin(); !ok) return tl::make_unexpected(ok.error());
  Impl::Look look(*impl_);
  return impl_->current_settings();
}

po::Result<std::vector<Errand>> Reader::errands(const ErrandPosition& after, std::size_t limit) const {
  if (auto ok = impl_->open_errands(); !ok) return tl::make_unexpected(ok.error());
  if (auto ok = impl_->begin(); !ok) return tl::make_unexpected(ok.error());
  Impl::Look look(*impl_);
  return impl_->errands(after, limit);
}

std::uint64_t Reader::generation() const {
  if (!impl_->begin()) return 0;
  Impl::Look look(*impl_);
  return record::get_number(*impl_->txn, impl_->tables.meta, record::kMetaGeneration).value_or(0);
}

}  // namespace directory
