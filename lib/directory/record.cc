#include "lib/directory/record.h"

#include <fmt/core.h>

#include "lib/directory/settings_table.h"
#include "lib/wire.h"

namespace directory::record {
namespace {

tl::unexpected<po::Error> damaged(std::string_view what) {
  return po::temporary(fmt::format("the directory holds a record that cannot be read ({})", what));
}

constexpr std::uint8_t kRevisionVersion = 1;

}  // namespace

po::Result<Tables> Tables::open(lmdb::Txn& txn, unsigned flags) {
  Tables t;
  const std::pair<const char*, MDB_dbi*> all[] = {{kAccountTable, &t.account},
                                                  {kAddressTable, &t.address},
                                                  {kLoginTable, &t.login},
                                                  {kSettingTable, &t.setting},
                                                  {kMetaTable, &t.meta}};
  for (auto [name, dbi] : all) {
    auto opened = txn.table(name, flags);
    if (!opened) return tl::make_unexpected(opened.error());
    *dbi = *opened;
  }
  return t;
}

po::Result<void> Tables::make_newer(lmdb::Txn& txn) {
  for (auto [name, dbi] : {std::pair(kHistoryTable, &history), {kErrandTable, &errand}}) {
    auto opened = txn.table(name, MDB_CREATE);
    if (!opened) return tl::make_unexpected(opened.error());
    *dbi = *opened;
  }
  return {};
}

std::string id_key(std::uint64_t id) {
  std::string key(8, '\0');
  for (int i = 7; i >= 0; --i, id >>= 8) key[static_cast<std::size_t>(i)] = static_cast<char>(id & 0xff);
  return key;
}

std::optional<std::uint64_t> parse_id_key(std::string_view key) {
  if (key.size() != 8) return std::nullopt;
  std::uint64_t id = 0;
  for (char c : key) id = id << 8 | static_cast<unsigned char>(c);
  return id;
}

std::string fold(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return out;
}

std::string encode_account(const Account& account) {
  std::string out;
  po::wire::Writer w(out);
  w.put(kAccountVersion);
  w.put(account);
  return out;
}

/// The records before fields were added at their end; those that came since have their defaults.
struct AccountV1 {
  Account& a;
  auto fields() {
    return std::tie(a.id, a.name, a.addresses, a.from_rewrite, a.pop3_delivery, a.pop_login, a.mailbox_limit,
                    a.forwarding, a.locked, a.any_sender, a.access, a.finger, a.revision);
  }
};
struct AccountV2 {
  Account& a;
  auto fields() {
    return std::tuple_cat(AccountV1{a}.fields(),
                          std::tie(a.finger_allowed, a.system_password, a.system_user));
  }
};

po::Result<Account> decode_account(std::string_view octets) {
  Account account;
  if (AccountV1 old{account}; octets.starts_with('\1') && po::wire::decode(octets.substr(1), old))
    return account;
  if (AccountV2 old{account}; octets.starts_with('\2') && po::wire::decode(octets.substr(1), old))
    return account;
  if (octets.empty() || static_cast<std::uint8_t>(octets[0]) != kAccountVersion ||
      !po::wire::decode(octets.substr(1), account))
    return damaged(kAccountTable);
  return account;
}

std::string history_key(std::string_view subject, std::uint64_t generation) {
  return std::string(subject) + id_key(generation);
}

std::string encode_revision(const Revision& revision) {
  std::string out;
  po::wire::Writer w(out);
  w.put(kRevisionVersion);
  w.put(revision);
  return out;
}

po::Result<Revision> decode_revision(std::string_view octets) {
  Revision revision;
  if (octets.empty() || static_cast<std::uint8_t>(octets[0]) != kRevisionVersion ||
      !po::wire::decode(octets.substr(1), revision))
    return damaged(kHistoryTable);
  return revision;
}

std::string errand_key(const ErrandPosition& position) {
  return id_key(position.generation) + id_key(position.number);
}

po::Result<Errand> decode_errand(std::string_view key, std::string_view value) {
  Errand errand;
  auto generation = parse_id_key(key.substr(0, 8));
  auto number = parse_id_key(key.size() > 8 ? key.substr(8) : std::string_view());
  if (!generation || !number || !po::wire::decode(value, errand)) return damaged(kErrandTable);
  errand.position = {*generation, *number};
  return errand;
}

po::Result<void> put_settings(lmdb::Txn& txn, const Tables& tables, const Settings& settings) {
  po::Result<void> result;
  for_each_setting(settings, [&](const char* name, const auto& value) {
    if (result) result = txn.put(tables.setting, name, po::wire::encode(value));
  });
  if (!result) return result;
  return put_number(txn, tables.meta, kMetaSettings, settings.revision);
}

po::Result<Settings> get_settings(const lmdb::Txn& txn, const Tables& tables) {
  Settings settings;
  po::Result<void> result;
  for_each_setting(settings, [&](const char* name, auto& value) {
    if (!result) return;
    auto row = txn.get(tables.setting, name);
    if (!row) {
      result = tl::make_unexpected(row.error());
    } else if (*row && !po::wire::decode(**row, value)) {
      result = damaged(name);
    }
  });
  if (!result) return tl::make_unexpected(result.error());
  auto revision = get_number(txn, tables.meta, kMetaSettings);
  if (!revision) return tl::make_unexpected(revision.error());
  settings.revision = *revision;
  return settings;
}

po::Result<std::uint64_t> get_number(const lmdb::Txn& txn, MDB_dbi table, std::string_view key) {
  auto row = txn.get(table, key);
  if (!row) return tl::make_unexpected(row.error());
  std::uint64_t number = 0;
  if (*row && !po::wire::decode(**row, number)) return damaged(key);
  return number;
}

po::Result<void> put_number(lmdb::Txn& txn, MDB_dbi table, std::string_view key, std::uint64_t number) {
  return txn.put(table, key, po::wire::encode(number));
}

po::Result<std::optional<Account>> get_account(const lmdb::Txn& txn, const Tables& tables, std::uint64_t id) {
  auto row = txn.get(tables.account, id_key(id));
  if (!row) return tl::make_unexpected(row.error());
  if (!*row) return std::optional<Account>();
  return decode_account(**row).map([](Account&& a) { return std::optional(std::move(a)); });
}

po::Result<std::optional<std::uint64_t>> get_owner(const lmdb::Txn& txn, MDB_dbi table,
                                                   std::string_view key) {
  if (key.empty()) return std::optional<std::uint64_t>();
  auto row = txn.get(table, key);
  if (!row) return tl::make_unexpected(row.error());
  if (!*row) return std::optional<std::uint64_t>();
  auto id = parse_id_key(**row);
  if (!id) return damaged("address or login");
  return id;
}

po::Result<void> check_version(const lmdb::Txn& txn, const Tables& tables) {
  auto version = get_number(txn, tables.meta, kMetaVersion);
  if (!version) return tl::make_unexpected(version.error());
  if (*version == 0) return po::temporary("the directory has not been made yet");
  if (*version != kVersion)
    return po::permanent(
        fmt::format("the directory is of version {}; this program reads version {}", *version, kVersion));
  return {};
}

}  // namespace directory::record
