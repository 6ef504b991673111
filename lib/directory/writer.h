// The only writer of the directory, inside accounts (or inside `post.office account ...` while the system is
// stopped): it holds an exclusive lock on the folder for as long as it lives. Reads are safe from any thread;
// one thread at a time may change. Trust: what comes in here has been checked by the forms; the writer itself
// only keeps the tables in step and addresses and login names unique.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/directory/account.h"
#include "lib/directory/lmdb.h"
#include "lib/directory/record.h"
#include "lib/directory/settings.h"
#include "lib/error.h"
#include "lib/fd.h"

namespace directory {

class Writer;

/// One write transaction: all or nothing, seen by readers after commit(). Sees its own changes. After a
/// failure of add, replace, remove or set_settings it must be dropped, not committed.
class Change {
 public:
  [[nodiscard]] po::Result<std::optional<Account>> account(std::uint64_t id) const;
  /// Who holds this address (canonical) or this login name, if anybody.
  [[nodiscard]] po::Result<std::optional<std::uint64_t>> owner_of_address(std::string_view address) const;
  [[nodiscard]] po::Result<std::optional<std::uint64_t>> owner_of_login(std::string_view login) const;

  [[nodiscard]] po::Result<std::size_t> accounts() const;  ///< how many there are

  /// Gives the account its id and stores it. Permanent failure if an address or the login name is taken.
  [[nodiscard]] po::Result<std::uint64_t> add(Account account);
  /// With the id that it has already: one that was never given before, or one of an account that is gone.
  [[nodiscard]] po::Result<void> add_numbered(Account account);
  /// Whether that id was given to an account once.
  [[nodiscard]] po::Result<bool> was_given(std::uint64_t id) const;
  [[nodiscard]] po::Result<void> replace(Account account);
  /// Permanent failure for the Postmaster and for an id that is not there.
  [[nodiscard]] po::Result<void> remove(std::uint64_t id);
  [[nodiscard]] po::Result<void> set_settings(Settings settings);
  /// What new accounts begin as; without id, name and addresses.
  [[nodiscard]] po::Result<void> set_default_account(Account account);

  /// One row of what `subject` (history_of_form, history_of_account) is about; its `revision` becomes this
  /// change's generation. The oldest rows beyond the bounds of history.h go.
  [[nodiscard]] po::Result<void> put_history(std::string_view subject, Revision revision);
  /// Its position is given here.
  [[nodiscard]] po::Result<void> put_errand(const Errand& errand);
  /// The account is there again: what queue has not done yet with its mail is not to be done.
  [[nodiscard]] po::Result<void> take_back_errands(std::uint64_t account);

  /// Synced to disk when it returns; the new generation.
  [[nodiscard]] po::Result<std::uint64_t> commit();

 private:
  friend class Writer;
  Change(Writer& writer, lmdb::Txn txn, std::uint64_t generation)
      : writer_(&writer), txn_(std::move(txn)), generation_(generation) {}
  po::Result<void> take_names(const Account& account);
  po::Result<void> drop_names(const Account& account);
  po::Result<void> take(MDB_dbi table, MDB_dbi other, std::string_view name, std::uint64_t id);

  Writer* writer_;
  lmdb::Txn txn_;
  po::Result<void> store(Account account);
  po::Result<void> trim_history(std::string_view subject);

  std::uint64_t generation_;  ///< of this change
  std::uint64_t errands_ = 0;
  std::vector<std::uint64_t> touched_;  ///< accounts that were added, changed or removed
};

class Writer {
 public:
  struct Options {
    std::string path;      ///< directory/ of the spool; made if it is missing
    std::string hostname;  ///< for the Postmaster's address in a new directory
    std::size_t map_size = record::kMapSize;
    /// No change is made before this has passed since open(). Readers may still be in a transaction that
    /// began under the writer before us, whose old read transactions went with it; each of theirs ends within
    /// a second. Zero where no reader can be running.
    std::chrono::milliseconds settle{0};
  };

  /// Takes the lock, makes an empty directory with the Postmaster's account if there is none. Permanent
  /// failure if another process has the lock.
  [[nodiscard]] static po::Result<std::unique_ptr<Writer>> open(const Options& options);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // ---- reading: any thread
  [[nodiscard]] po::Result<std::optional<Account>> account(std::uint64_t id) const;
  /// By login name, else by address (canonical): one transaction.
  [[nodiscard]] po::Result<std::optional<Account>> find(std::string_view login,
                                                        std::string_view address) const;
  /// The same object for as long as no form of the settings changes.
  [[nodiscard]] po::Result<std::shared_ptr<const Settings>> settings() const;
  [[nodiscard]] std::uint64_t generation() const;
  [[nodiscard]] po::Result<std::size_t> accounts() const;  ///< how many there are
  [[nodiscard]] po::Result<Account> default_account() const;
  /// Newest first, at most `limit`, of revisions below `before` (0: from the newest).
  [[nodiscard]] po::Result<std::vector<Revision>> history(std::string_view subject, std::uint64_t before,
                                                          std::size_t limit) const;
  /// The newest revision of it; 0 if there is none.
  [[nodiscard]] po::Result<std::uint64_t> last_revision(std::string_view subject) const;
  /// The accounts that were added, changed or removed in the generations behind `generation`; nothing if that
  /// is too long ago, or they are too many, to be remembered.
  [[nodiscard]] std::optional<std::vector<std::uint64_t>> touched_since(std::uint64_t generation) const;
  /// In order of id, until `visit` returns false. One transaction.
  [[nodiscard]] po::Result<void> for_each(const std::function<bool(const Account&)>& visit) const;

  // ---- changing: one thread
  [[nodiscard]] po::Result<Change> begin();

  /// Call each kYoungPeriod from the loop, and from one thread only: renews the older of two read
  /// transactions, so that one is always between one and two periods old and LMDB uses no page again that a
  /// reader which we do not know of may see (directory(5)).
  void hold_young();
  static constexpr std::chrono::seconds kYoungPeriod{5};

 private:
  friend class Change;
  Writer(po::Fd lock, lmdb::Env env) : lock_(std::move(lock)), env_(std::move(env)) {}
  po::Result<void> prepare(const std::string& hostname);
  po::Result<void> make_new(lmdb::Txn& txn, const std::string& hostname);

  po::Fd lock_;  ///< the folder itself, flock()ed; released last
  lmdb::Env env_;
  record::Tables tables_;
  std::optional<lmdb::Txn> young_[2];
  unsigned turn_ = 0;
  std::chrono::steady_clock::time_point writable_from_{};
  struct Touch {
    std::uint64_t generation = 0, account = 0;
  };
  void remember(std::uint64_t generation, const std::vector<std::uint64_t>& accounts);
  static constexpr std::size_t kMostTouches = 4096;
  mutable std::mutex touches_mutex_;
  std::deque<Touch> touches_;       ///< under touches_mutex_
  std::uint64_t touches_from_ = 0;  ///< under it: changes behind this generation are all in touches_
  mutable std::mutex settings_mutex_;
  mutable std::shared_ptr<const Settings> settings_;  ///< under settings_mutex_: as they were read last
  bool broken_ = false;  ///< a commit met an I/O error: what the file holds is known only after a restart
};

/// Opens a folder (made with mode 0700 if missing) and takes an exclusive lock on it.
[[nodiscard]] po::Result<po::Fd> lock_folder(const std::string& path);

}  // namespace directory
