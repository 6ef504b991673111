// The dispatcher's part in asking saslauthd(8): accounts may open no socket, so the dispatcher connects to
// saslauthd's and passes the connection on. No octet of the talk passes through here.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "lib/error.h"
#include "lib/fd.h"

namespace dispatcher {

/// Connects to the Unix socket at `path`, without waiting. Temporary failure with what to do if there is
/// none, or if more wait for it than it takes.
[[nodiscard]] po::Result<po::Fd> connect_to_saslauthd(const std::string& path);

/// The group that may enter the socket's directory, which is not open to all (Debian: root:sasl 0710), to be
/// kept when root is given up. Nothing if the directory is open to all, or `path` is empty. If it is not
/// there yet: the group "sasl". Never group 0.
[[nodiscard]] std::optional<gid_t> saslauthd_group(const std::string& path);

}  // namespace dispatcher
