// The `post.office` command towards a running system: one Command frame to run/command, output until its end.
// Holds no privilege of its own: accounts sees by peer credentials, or a Postmaster's password, who asks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/config.h"
#include "lib/error.h"
#include "lib/exit_codes.h"
#include "lib/fd.h"

namespace dispatcher {

struct CommandLine {
  std::vector<std::string> words;
  std::string
      password_file;  ///< the Postmaster's password, for those who are neither root nor administrators
};

/// Reads what stands on standard input, for a command that takes it (accounts::reads_input); a password is
/// asked for twice, without echo, if somebody sits there. Permanent failure with the reason.
[[nodiscard]] po::Result<std::string> read_input(const std::vector<std::string>& words);

/// Nothing if no system runs (no socket, or nobody behind it).
[[nodiscard]] std::optional<po::Fd> connect_to_system(const po::config::Config& config);
/// Sends the command and prints what comes; who is refused at a terminal is asked for the Postmaster's
/// password; the exit status is the command's.
[[nodiscard]] int run_on_system(const po::config::Config& config, po::Fd socket, const CommandLine& command);

/// `stop`: asks the dispatcher (by signal if we may, else through the command socket) and waits until it is
/// gone.
[[nodiscard]] int run_stop(const po::config::Config& config, const CommandLine& command);

using po::kExitNotAllowed;
using po::kExitTemporary;
using po::kExitUsage;

}  // namespace dispatcher
