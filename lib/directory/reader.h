// Reading the directory beside its only writer, accounts. The environment is opened with MDB_RDONLY and
// MDB_NOLOCK: no octet of it can be written from here, and the writer does not know of us (directory(5),
// Readers: accounts keeps a young read transaction so that no page that a young reader sees is used again;
// each call here is one transaction, ended before it returns). Values are copied out. Callers: smtpd, queue,
// pop3d, fingerd, one Reader per process, one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/directory/account.h"
#include "lib/directory/errand.h"
#include "lib/directory/next_hop.h"
#include "lib/directory/resolution.h"
#include "lib/directory/settings.h"
#include "lib/error.h"

namespace directory {

/// Whom a name means.
struct Named {
  std::optional<Account> account;
  bool local = true;  ///< whether the domain is a local mail domain, or none was given
};

class Reader {
 public:
  /// `path`: the directory/ of the spool. `hostname`: this host's name, always a local mail domain. Call
  /// before confinement (it maps the file). Temporary failure if accounts has not made it yet.
  [[nodiscard]] static po::Result<Reader> open(const std::string& path, const std::string& hostname);
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  /// All that an address leads to (lib/directory/resolution.h), in one transaction. `address` is canonical
  /// (lib/address.h: domain in lower-case A-labels, the local part unquoted where it may be); "postmaster" in
  /// any letter case, alone or at any local domain, is the Postmaster. Local parts are compared without
  /// regard to ASCII letter case.
  [[nodiscard]] po::Result<Resolution> resolve(std::string_view address, bool steps = false) const;
  /// Of the current settings; the same object until they change.
  [[nodiscard]] po::Result<std::shared_ptr<const RoutingTable>> routing() const;
  [[nodiscard]] po::Result<std::optional<Account>> account(std::uint64_t id) const;
  /// Whom `user` means as people use names, in one transaction: with a `domain` (canonical), whoever has
  /// user@domain; without one, whoever has that address in the completion domain, or else at this host, or
  /// else that log-in name. At this host's own name a log-in name serves as well. `user` is a local part as
  /// it is written in an address, and may be hostile. The Postmaster is found at every local mail domain.
  /// Aliases, plus parts and forwarding addresses take no part: nothing is followed.
  [[nodiscard]] po::Result<Named> named(std::string_view user, std::string_view domain) const;
  /// Whether `domain` (canonical) is a local mail domain.
  [[nodiscard]] po::Result<bool> is_local(std::string_view domain) const;
  /// At most `most` accounts whose numbers are above `id`, in the order of their numbers, in one transaction.
  [[nodiscard]] po::Result<std::vector<Account>> accounts_after(std::uint64_t id, std::size_t most) const;
  /// The current settings; cheap when nothing has changed since the last call (one look at the meta page).
  [[nodiscard]] po::Result<std::shared_ptr<const Settings>> settings() const;
  /// What changes of accounts left to be done, in order, from the first behind `after`; at most `limit`. The
  /// position of the last is what the caller remembers.
  [[nodiscard]] po::Result<std::vector<Errand>> errands(const ErrandPosition& after, std::size_t limit) const;
  /// Counts commits.
  [[nodiscard]] std::uint64_t generation() const;

 private:
  struct Impl;
  explicit Reader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace directory
