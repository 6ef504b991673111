// What submission does to a header (RFC 6409 section 8): Date and Message-ID where they are missing, domains
// of addresses likewise, the From field by the account's From-Address-Rewrite, a word about local users who
// set another's sender. Nothing else is touched, and only for mail by 587, 465, the local socket, or an
// authenticated client on 25. Pure; the header is hostile. Caller: the session, which holds the header until
// its end.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib/header.h"
#include "smtpd/command.h"

namespace smtpd {

/// Who sends, as far as the header is concerned.
struct Author {
  po::FromStyle style = po::FromStyle::kNone;
  std::string name;
  std::string address;    ///< goes into a From field that is missing or rewritten; empty: add none
  bool any_from = false;  ///< the From field is not checked
};

struct HeaderFacts {
  Author author;
  std::string completion_domain;  ///< for addresses without a domain
  std::string host;
  std::string id;
  std::int64_t now = 0;
  std::string warning;  ///< for X-Authentication-Warning; empty: none
};

/// Whether an address is one of the author's own.
using IsOwn = std::function<po::Result<bool>(const po::Mailbox&)>;

/// `header` is the header block that `scan` has found, with its blank line if it has one. The result has one
/// where a body follows.
[[nodiscard]] Parsed<std::string> complete_header(std::string_view header, const po::HeaderScanner& scan,
                                                  const HeaderFacts& facts, const IsOwn& is_own);

}  // namespace smtpd
