// Password hashes, application passwords, the addresses that accounts logged in from, who signed in, and the
// passwords of relays that we log in to, in LMDB under secrets/ of the spool (mode 0700). Only accounts opens
// it, under an exclusive lock; no other process ever sees a hash, and a relay's password goes to smtp-deliver
// alone. Reads are safe from any thread; one thread at a time may change. man/directory.5 gives its octets.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/app_passwords.h"
#include "accounts/sign_ins.h"
#include "lib/directory/lmdb.h"
#include "lib/error.h"
#include "lib/fd.h"

namespace accounts {

class Secrets;

/// One write transaction; aborted if it was not committed.
class SecretsChange {
 public:
  /// An empty hash removes it.
  [[nodiscard]] po::Result<void> set_password(std::uint64_t account, std::string_view hash);
  /// The account logged in from there. Keeps the newest addresses only, kMostKnown of them.
  [[nodiscard]] po::Result<void> set_known(std::uint64_t account, std::string_view limit_key,
                                           std::int64_t now);
  /// An empty password removes it. `host` as routes have it (lib/directory/next_hop.h), without a port.
  [[nodiscard]] po::Result<void> set_relay_password(std::string_view host, std::string_view user,
                                                    std::string_view password);
  /// Adds it, or replaces the one with its number.
  [[nodiscard]] po::Result<void> put_app_password(std::uint64_t account, const AppPassword& password);
  [[nodiscard]] po::Result<void> remove_app_password(std::uint64_t account, std::uint32_t id);
  /// Nothing happens if it was revoked.
  [[nodiscard]] po::Result<void> set_app_password_used(std::uint64_t account, std::uint32_t id,
                                                       std::int64_t at, std::string_view from);
  [[nodiscard]] po::Result<void> set_sign_ins(std::uint64_t account, const std::vector<SignIn>& rows);
  /// Everything of an account that is gone.
  [[nodiscard]] po::Result<void> remove(std::uint64_t account);
  /// Temporary failure (no space) if the disk has not so many octets free.
  [[nodiscard]] po::Result<void> check_room(std::uint64_t octets) const { return txn_.check_room(octets); }
  [[nodiscard]] po::Result<void> commit();

  static constexpr std::size_t kMostKnown = 200;

 private:
  friend class Secrets;
  SecretsChange(Secrets& secrets, directory::lmdb::Txn txn) : secrets_(&secrets), txn_(std::move(txn)) {}
  po::Result<void> trim_known(std::uint64_t account, std::int64_t now);
  po::Result<void> remove_app_passwords(std::uint64_t account);
  Secrets* secrets_;
  directory::lmdb::Txn txn_;
};

/// Where a relay's password belongs.
struct RelayLogIn {
  std::string host, user;
};

class Secrets {
 public:
  [[nodiscard]] static po::Result<std::unique_ptr<Secrets>> open(const std::string& path);
  Secrets(const Secrets&) = delete;
  Secrets& operator=(const Secrets&) = delete;

  /// Empty if there is none.
  [[nodiscard]] po::Result<std::string> password(std::uint64_t account) const;
  /// When the account last logged in from there (seconds since 1970, to about a day); 0: not within
  /// kKnownFor.
  [[nodiscard]] po::Result<std::int64_t> known(std::uint64_t account, std::string_view limit_key,
                                               std::int64_t now) const;
  /// Empty if there is none. Names of users are compared octet by octet.
  [[nodiscard]] po::Result<std::string> relay_password(std::string_view host, std::string_view user) const;
  /// Those that have one, in order.
  [[nodiscard]] po::Result<std::vector<RelayLogIn>> relay_log_ins() const;
  /// In the order in which they were made.
  [[nodiscard]] po::Result<std::vector<AppPassword>> app_passwords(std::uint64_t account) const;
  /// Newest first.
  [[nodiscard]] po::Result<std::vector<SignIn>> sign_ins(std::uint64_t account) const;
  [[nodiscard]] po::Result<SecretsChange> begin();

  static constexpr std::chrono::seconds kKnownFor = std::chrono::hours(24 * 30);

 private:
  friend class SecretsChange;
  Secrets(po::Fd lock, directory::lmdb::Env env) : lock_(std::move(lock)), env_(std::move(env)) {}
  po::Result<void> prepare();

  po::Fd lock_;
  directory::lmdb::Env env_;
  MDB_dbi password_ = 0, known_ = 0, relay_ = 0, app_ = 0, sign_in_ = 0, meta_ = 0;
};

}  // namespace accounts
