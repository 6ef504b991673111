// The Received field that goes before every message (RFC 5321 4.4), pure. Everything of the client's in it
// has passed a parser that leaves no octet able to end a line or a comment. Caller: the session.
#pragma once

#include <cstdint>
#include <string>

#include "lib/messages.h"

namespace smtpd {

struct TraceFacts {
  std::string helo;  ///< by parse_helo()
  std::string name;  ///< confirmed reverse name; empty if not known when the message began
  po::messages::NetAddress client;
  std::uint32_t local_uid = 0xffffffff;  ///< who submitted on the local socket
  std::string local_user;                ///< their login name, by LocalUsers; may be empty
  std::string host;
  std::string id;
  bool esmtp = true;
  bool authenticated = false;
  bool smtputf8 = false;
  std::string tls_version, tls_cipher;  ///< empty without TLS
  std::string only_recipient;           ///< canonical; empty if there are several: Bcc must not leak
  std::int64_t now = 0;                 ///< seconds since 1970
};

/// Protocol word of the Mail Transmission Types registry (RFC 3848, RFC 6531).
[[nodiscard]] std::string with_word(const TraceFacts& facts);
/// Folded, with its CRLF.
[[nodiscard]] std::string received_field(const TraceFacts& facts);

}  // namespace smtpd
