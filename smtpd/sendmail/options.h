// The command line of sendmail, as its callers write it: cron, git, mail readers, scripts of forty years.
// Pure. What a flag may mean is one table in options.cc; man/sendmail.8 shows the same table to people.
// Callers: main, the tests.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "lib/address.h"
#include "lib/config.h"

namespace sendmail {

enum class Mode : std::uint8_t {
  kSend,        ///< -bm: a message on standard input
  kSmtp,        ///< -bs: SMTP on standard input and output
  kPrintQueue,  ///< -bp, mailq
  kAliases,     ///< -bi, -I, newaliases
  kRunQueue     ///< -q...
};

/// -e and -oe: what becomes of a failure besides the exit status.
enum class OnError : std::uint8_t {
  kPrint,       ///< p, w: a sentence on standard error
  kQuiet,       ///< q: nothing
  kMailBack,    ///< m: mail to the sender; a sentence if that fails too
  kMailAndZero  ///< e: likewise, and the exit status is 0 once it is mailed
};

struct Options {
  Mode mode = Mode::kSend;
  bool whole_queue = false;  ///< -q, -qf: all of it, now
  bool from_header = false;  ///< -t
  bool dot_ends = true;      ///< no -i, no -oi
  bool verbose = false;      ///< -v
  OnError on_error = OnError::kPrint;
  std::optional<po::Mailbox> sender;                   ///< -f, -r; without a domain if none was written
  bool null_sender = false;                            ///< -f '<>' or -f ''
  std::string full_name;                               ///< -F
  std::string notify;                                  ///< -N, as NOTIFY wants it: "NEVER", "FAILURE,DELAY"
  std::string ret;                                     ///< -R: "FULL" or "HDRS"
  std::string envid;                                   ///< -V, not yet encoded
  bool body_8bit = false;                              ///< -B 8BITMIME
  std::string config_file = po::config::kDefaultFile;  ///< -C
  std::vector<po::Mailbox> recipients;                 ///< of the command line
};

/// The most recipients of one message; smtpd may take fewer.
inline constexpr std::size_t kMostRecipients = 10'000;

/// `name`: the last part of argv[0]; `arguments`: what follows it. Otherwise one sentence for a person, and
/// the exit status is EX_USAGE.
[[nodiscard]] tl::expected<Options, std::string> parse_options(std::string_view name,
                                                               std::span<const char* const> arguments);

/// Addresses separated by commas, as people write them in a header or on a command line, added to `out`; UUCP
/// paths are rewritten (host1!host2!user -> user%host2@host1). None is no failure.
[[nodiscard]] po::Result<void> add_recipients(std::string_view list, std::vector<po::Mailbox>& out);

}  // namespace sendmail
