// Reading the directory beside its only writer, accounts. The environment is opened with MDB_RDONLY and
// MDB_NOLOCK: no octet of it can be written from here, and the writer does not know of us (directory(5),
// Readers: accounts keeps a young read transaction so that no page that a young reader sees is used again;
// each call here is one transaction, ended before it returns). Values are copied out. Callers: smtpd, queue,
// pop3d, one Reader per process, one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/directory/account.h"
#include "lib/directory/next_hop.h"
#include "lib/directory/resolution.h"
#include "lib/directory/settings.h"
#include "lib/error.h"

namespace directory {

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
  /// The current settings; cheap when nothing has changed since the last call (one look at the meta page).
  [[nodiscard]] po::Result<std::shared_ptr<const Settings>> settings() const;
  /// Counts commits.
  [[nodiscard]] std::uint64_t generation() const;

 private:
  struct Impl;
  explicit Reader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace directory
