// One line of a client -> a command with its arguments, checked. The line is hostile; nothing here knows the
// session. Pure; callers: the session, the fuzzer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "lib/address.h"
#include "smtpd/reply.h"

namespace smtpd {

enum class Verb : std::uint8_t {
  kEhlo,
  kHelo,
  kMail,
  kRcpt,
  kData,
  kBdat,
  kRset,
  kNoop,
  kQuit,
  kVrfy,
  kHelp,
  kStartTls,
  kAuth,
  kEtrn,
  kQsnd,      ///< "qsnd podunk.edu": ETRN for people who type it
  kNotBuilt,  ///< known to SMTP, not to us: EXPN, TURN, SEND, SOML, SAML
  kHttp,      ///< a browser's line, made to talk to us by a page that it shows (cross-protocol attack)
  kUnknown,
};

struct Command {
  Verb verb = Verb::kUnknown;
  std::string_view argument;  ///< without blanks at its ends; points into the line
};
/// `line` without its CRLF.
[[nodiscard]] Command parse_command(std::string_view line);

template <class T>
using Parsed = tl::expected<T, Refusal>;

/// What EHLO or HELO says, as far as it may stand in a trace field: a host name or an address literal, or the
/// odd things that real clients send, made of letters, digits and .-_:[]
[[nodiscard]] Parsed<std::string> parse_helo(std::string_view argument);

struct MailCommand {
  po::Mailbox sender;
  bool null = false;
  std::uint64_t size = 0;
  bool body_8bit = false;
  bool smtputf8 = false;
  std::uint8_t ret = 0;  ///< as in messages::Submit
  std::string envid;
};
/// `need_domain`: false where an address without a domain is completed later.
[[nodiscard]] Parsed<MailCommand> parse_mail(std::string_view argument, bool need_domain);

struct RcptCommand {
  po::Mailbox recipient;  ///< the domain may be empty: "postmaster"
  std::uint8_t notify = 0;
  std::string orcpt;
};
/// `utf8`: the transaction has SMTPUTF8.
[[nodiscard]] Parsed<RcptCommand> parse_rcpt(std::string_view argument, bool utf8);

struct BdatCommand {
  std::uint64_t octets = 0;
  bool last = false;
};
[[nodiscard]] Parsed<BdatCommand> parse_bdat(std::string_view argument);

/// What ETRN (RFC 1985) and QSND name: a domain, or with an @ before it, the domain and all under it.
struct StartCommand {
  std::string domain;  ///< lower-case A-labels or a literal
  bool subdomains = false;
};
[[nodiscard]] Parsed<StartCommand> parse_start(std::string_view argument);

enum class Mechanism : std::uint8_t { kPlain, kLogin };
struct AuthCommand {
  Mechanism mechanism = Mechanism::kPlain;
  std::optional<std::string_view> initial;  ///< base64, or "=" for an empty one
};
[[nodiscard]] Parsed<AuthCommand> parse_auth(std::string_view argument);

/// Base64 of a SASL response; "=" is empty (RFC 4954 section 4).
[[nodiscard]] Parsed<std::string> parse_sasl_response(std::string_view text);
struct Credentials {
  std::string login, password;
};
/// The message of PLAIN (RFC 4616), decoded. Control characters are refused in both.
[[nodiscard]] Parsed<Credentials> parse_plain(std::string_view message);
[[nodiscard]] Parsed<Credentials> check_credentials(std::string login, std::string password);

}  // namespace smtpd
