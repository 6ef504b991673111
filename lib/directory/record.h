// The octets of the directory: table names, keys and records, shared by its writer and its readers.
// man/directory.5 describes the same for a stranger. Values come from accounts, the only writer; decoding
// refuses what it does not know all the same, so that a newer or damaged file stops a reader instead of
// misleading it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/directory/account.h"
#include "lib/directory/errand.h"
#include "lib/directory/history.h"
#include "lib/directory/lmdb.h"
#include "lib/directory/settings.h"
#include "lib/error.h"

namespace directory::record {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint8_t kAccountVersion = 3;
/// The map is address space, not disk; the same in every process, so that it never has to move.
inline constexpr std::size_t kMapSize = 64ULL << 30;
inline constexpr unsigned kTableCount = 7;

inline constexpr const char* kAccountTable = "account";
inline constexpr const char* kAddressTable = "address";
inline constexpr const char* kLoginTable = "login";
inline constexpr const char* kSettingTable = "setting";
inline constexpr const char* kMetaTable = "meta";
inline constexpr const char* kHistoryTable = "history";
inline constexpr const char* kErrandTable = "errand";

/// The row of the setting table that is no setting: an account record, which new accounts begin as.
inline constexpr std::string_view kDefaultAccount = "default-account";

inline constexpr std::string_view kMetaVersion = "version";
inline constexpr std::string_view kMetaGeneration = "generation";
inline constexpr std::string_view kMetaNextAccount = "next-account";
inline constexpr std::string_view kMetaSettings = "settings-revision";

struct Tables {
  MDB_dbi account = 0, address = 0, login = 0, setting = 0, meta = 0;
  /// The writer's. A reader opens `errand` when it is asked for; a directory of an older release has neither
  /// until accounts starts.
  MDB_dbi history = 0, errand = 0;
  [[nodiscard]] static po::Result<Tables> open(lmdb::Txn& txn, unsigned flags);
  [[nodiscard]] po::Result<void> make_newer(lmdb::Txn& txn);
};

/// Account ids are keys of 8 octets, big-endian, so that they sort.
[[nodiscard]] std::string id_key(std::uint64_t id);
[[nodiscard]] std::optional<std::uint64_t> parse_id_key(std::string_view key);
/// ASCII letters to lower case: the key of a canonical address or of a login name.
[[nodiscard]] std::string fold(std::string_view text);

[[nodiscard]] std::string encode_account(const Account& account);
[[nodiscard]] po::Result<Account> decode_account(std::string_view octets);

/// Key of a row of the history, and the generation that it ends in.
[[nodiscard]] std::string history_key(std::string_view subject, std::uint64_t generation);
[[nodiscard]] std::string encode_revision(const Revision& revision);
[[nodiscard]] po::Result<Revision> decode_revision(std::string_view octets);

[[nodiscard]] std::string errand_key(const ErrandPosition& position);
[[nodiscard]] po::Result<Errand> decode_errand(std::string_view key, std::string_view value);

/// One row per setting, named as its form field, so that a later version can add some.
[[nodiscard]] po::Result<void> put_settings(lmdb::Txn& txn, const Tables& tables, const Settings& settings);
[[nodiscard]] po::Result<Settings> get_settings(const lmdb::Txn& txn, const Tables& tables);

/// Numbers of the meta table; 0 if absent.
[[nodiscard]] po::Result<std::uint64_t> get_number(const lmdb::Txn& txn, MDB_dbi table, std::string_view key);
[[nodiscard]] po::Result<void> put_number(lmdb::Txn& txn, MDB_dbi table, std::string_view key,
                                          std::uint64_t number);

[[nodiscard]] po::Result<std::optional<Account>> get_account(const lmdb::Txn& txn, const Tables& tables,
                                                             std::uint64_t id);
/// The account id that a row of `address` or `login` names.
[[nodiscard]] po::Result<std::optional<std::uint64_t>> get_owner(const lmdb::Txn& txn, MDB_dbi table,
                                                                 std::string_view key);
/// Permanent failure if the file is of another version.
[[nodiscard]] po::Result<void> check_version(const lmdb::Txn& txn, const Tables& tables);

}  // namespace directory::record
