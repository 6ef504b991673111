// sendmail -bs: SMTP between standard input and output on one side and the socket of smtpd on the other. The
// octets are passed on as they are; who asks, smtpd knows by the socket. Caller: main.
#pragma once

#include "lib/fd.h"

namespace sendmail {

/// Whether standard input is a connection of the network: then strangers would speak as the local user.
[[nodiscard]] bool is_network_client(int fd);

/// Until both sides have ended. EX_OK or EX_IOERR.
[[nodiscard]] int relay(int in, int out, po::Fd socket);

}  // namespace sendmail
