// Internet addresses as people and SMTP clients write them: RFC 5321 4.1.2 with RFC 6531 (UTF-8) where the
// rules allow it. The text is hostile; what comes out is one canonical form, so that two writings of one
// mailbox compare equal and no octet of it can end a line, a quoted string or a log field. Pure; every
// process that takes an address from outside uses it, and the error sentences are fit for an SMTP reply.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/error.h"

namespace po {

/// RFC 5321 4.5.3.1: octets of a local part, a domain, a path with its angle brackets.
inline constexpr std::size_t kMaxLocalPart = 64;
inline constexpr std::size_t kMaxDomain = 255;
inline constexpr std::size_t kMaxPath = 256;

struct Mailbox {
  std::string local;  ///< without quotes and backslashes; UTF-8 in NFC
  std::string
      domain;  ///< lower-case A-labels, or a literal "[192.0.2.1]", "[IPv6:2001:db8::1]"; may be empty

  /// local@domain, the local part quoted only where it must be; without a domain just the local part.
  [[nodiscard]] std::string canonical() const;
  /// What the directory indexes by: canonical() with the ASCII letters of the local part in lower case.
  [[nodiscard]] std::string key() const;
  bool operator==(const Mailbox&) const = default;
};

struct AddressRules {
  bool utf8 = false;        ///< RFC 6531: UTF-8 local parts and U-label domains
  bool need_domain = true;  ///< false: "postmaster" alone is an address without a domain
};

/// The whole text is one address, without angle brackets. Permanent failure with a sentence otherwise.
[[nodiscard]] Result<Mailbox> parse_mailbox(std::string_view text, AddressRules rules = {});

/// A domain or an address literal, in canonical form. U-labels are taken and made A-labels.
[[nodiscard]] Result<std::string> parse_domain(std::string_view text);

struct ParsedPath {
  Mailbox mailbox;    ///< empty if `null`
  bool null = false;  ///< "<>"
  std::string_view
      rest;  ///< what follows the path (the parameters), without leading spaces; points into text
};
/// A path of MAIL or RCPT, which must begin with '<'. A source route is read and ignored (RFC 5321 4.1.1.3,
/// appendix C). `null` is for the caller to accept or refuse.
[[nodiscard]] Result<ParsedPath> parse_path(std::string_view text, AddressRules rules = {});

/// A bang path of UUCP on its way to its first host: "host1!host2!user" as "user%host2@host1". Nothing if it
/// is none: no '!', an empty part, an '@' or a quotation mark in it (then it is an Internet address with a
/// '!' in its local part), or longer than a path may be. What comes out must be parsed as any other text.
[[nodiscard]] std::optional<std::string> rewrite_bang_path(std::string_view text);

/// Letters, digits, '-', '_' in labels of 1 to 63 octets, 253 in all, no final dot: a name that may be asked
/// of DNS or was given by it. Underscores are taken, as Postfix does: hosts with such names exist and send
/// mail, and nothing here gives them a meaning.
[[nodiscard]] bool is_host_name(std::string_view text);

}  // namespace po
