// The dispatcher's part in asking other programs of this host: saslauthd(8) for accounts, a mail store that
// speaks LMTP for lmtp-deliver. Neither may open a socket, so the dispatcher connects to the program's and
// passes the connection on. No octet of the talk passes through here. Callers: supervisor, start, check.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "lib/error.h"
#include "lib/fd.h"

namespace dispatcher {

/// Connects to the Unix socket at `path`, without waiting. Temporary failure with what to do if there is
/// none, or if more wait for it than it takes. `what`: who listens there, and `key` says so in the
/// configuration.
[[nodiscard]] po::Result<po::Fd> connect_to_local(const std::string& path, const std::string& what,
                                                  const std::string& key);

/// The group that may enter the socket's directory, which is not open to all (Debian's saslauthd: root:sasl
/// 0710), to be kept when root is given up. Nothing if the directory is open to all, or `path` is empty. If
/// it is not there yet: the group of this name; "": nothing. Never group 0.
[[nodiscard]] std::optional<gid_t> group_to_enter(const std::string& path, const char* if_not_there);

/// What keeps this process from connecting to `path`: the first directory that it may not enter, or the
/// socket itself. Empty: nothing does.
[[nodiscard]] std::string closed_part(const std::string& path);

}  // namespace dispatcher
