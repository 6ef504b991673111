// What is allowed, and how long and how often: relaying, recipients, quota, errors, time. Pure: settings,
// counts and times come in, a verdict comes out. Callers: the session (relaying, counts), the connection
// (time), the server (sessions).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/access.h"
#include "lib/address.h"
#include "lib/directory/queue_start.h"
#include "lib/directory/reader.h"
#include "lib/directory/settings.h"
#include "smtpd/reply.h"

namespace smtpd {

using Moment = std::chrono::steady_clock::time_point;

/// Relay-Networks, parsed. Lines that do not parse (the form checks them) match nobody.
class RelayNetworks {
 public:
  RelayNetworks() = default;
  explicit RelayNetworks(const std::vector<std::string>& lines) : rules_(po::parse_access_rules(lines)) {}
  [[nodiscard]] bool needs_name(const po::messages::NetAddress& client) const;
  [[nodiscard]] bool allows(const po::messages::NetAddress& client, std::string_view confirmed_name) const;

 private:
  std::vector<po::AccessRule> rules_;
};

/// Queue-Start-Permissions: who may have what waits for a domain sent at once. A line is good for the
/// domain and all under it. Lines that do not parse (the form checks them) permit nothing.
class QueueStartPermissions {
 public:
  QueueStartPermissions() = default;
  explicit QueueStartPermissions(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  [[nodiscard]] bool needs_name(std::string_view domain, const po::messages::NetAddress& client) const;
  [[nodiscard]] bool allows(std::string_view domain, const po::messages::NetAddress& client,
                            std::string_view confirmed_name) const;

 private:
  std::vector<std::string> lines_;
};

/// Why a recipient is refused by where it leads; nothing if it is taken. `may_relay`: authenticated, local or
/// in Relay-Networks. Who may not names no way beyond a relay domain either: in user%elsewhere@hub, the '%'
/// has no meaning here, but it may have one for the hub, which trusts us.
[[nodiscard]] std::optional<Refusal> refuse_recipient(const directory::Resolution& resolution,
                                                      const po::Mailbox& recipient, bool may_relay);

/// The account whose mailbox the recipient fills, if it has a limit at all; what leads on to other accounts
/// is theirs to take, over their limit or not, as what is on its way always is.
[[nodiscard]] const directory::Account* mailbox_of(const directory::Resolution& resolution);

/// Octets that the account's mailbox may hold; 0: no limit. Mail for the Postmaster is never refused.
[[nodiscard]] std::uint64_t quota_of(const directory::Account& account, const directory::Settings& settings);
/// `coming`: SIZE of the MAIL command, 0 if not given.
[[nodiscard]] bool over_quota(std::uint64_t quota, std::uint64_t used, std::uint64_t coming);

/// Counts of one session that show a client up to nothing good.
class Conduct {
 public:
  void error() { ++errors_; }
  void unknown_recipient() { ++unknown_; }
  void idle_command() { ++idle_; }
  void message_taken() { idle_ = 0; }
  /// The 421 that ends the session, once a limit is passed. A limit of 0 is none.
  [[nodiscard]] std::optional<Reply> verdict(const directory::Settings& settings) const;
  [[nodiscard]] std::uint32_t errors() const { return errors_; }

 private:
  std::uint32_t errors_ = 0, unknown_ = 0, idle_ = 0;
};

/// What a client may keep us waiting for.
enum class Phase : std::uint8_t {
  kCommand,  ///< a complete command: the clock starts when the last one was answered, octets do not stop it
  kMessage,  ///< octets of a message
  kOurs,     ///< nothing: it waits for us
};

/// When a client has been too slow. An octet now and then buys no time: a command must be complete within the
/// command limit, and a message must bring kProgress octets (or its end) within each data limit, which is
/// slower than any modem and faster than an attack.
class Patience {
 public:
  static constexpr std::uint64_t kProgress = 4096;

  explicit Patience(Moment now) : mark_(now), last_message_(now) {}
  /// After every event: what the session waits for, and its running counts of commands, octets of messages
  /// and messages taken.
  void note(Moment now, Phase phase, std::uint64_t commands, std::uint64_t octets, std::uint64_t messages);
  /// Whether the session is to end now (421 4.4.2).
  [[nodiscard]] bool over(Moment now, const directory::Settings& settings) const;

 private:
  Moment mark_;
  Moment last_message_;
  Phase phase_ = Phase::kCommand;
  std::uint64_t commands_ = 0, octets_ = 0, messages_ = 0;
};

}  // namespace smtpd
