// A server program as inetd starts it: descriptor 0 is a client's connection. It reads nothing from it, gives
// it to the dispatcher on run/inetd, waits until a running process has taken it, and exits. If nobody takes
// it, the client is told so in the words of its protocol. Callers: main of smtpd, pop3d, fingerd and wwwd,
// and the dispatcher for the check of what it is given.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/exit_codes.h"

namespace po::inetd {

/// What stands in inetd.conf behind the program: --inetd SERVICE [SPOOL-DIRECTORY]
struct Arguments {
  std::string service;
  std::string spool = "/var/spool/post.office";
  [[nodiscard]] std::string socket() const { return spool + "/run/inetd"; }
};
/// Nothing if the words are others than these, or the socket's path would be too long.
[[nodiscard]] std::optional<Arguments> parse(int argc, const char* const* argv);

/// Whether it is a TCP socket that does not listen. (Whether the client is still there, only getpeername can
/// say.)
[[nodiscard]] bool is_tcp_connection(int fd);

/// Nothing if there are no arguments: the dispatcher started the program. Else the exit status: 0 handed
/// over; kExitTemporary not now, and the client has been sent `refusal`; kExitUsage inetd.conf is wrong, and
/// the client has been sent it too. Why goes to descriptor 2, unless that is the client.
[[nodiscard]] std::optional<int> run_if_asked(int argc, const char* const* argv, std::string_view refusal);

}  // namespace po::inetd
