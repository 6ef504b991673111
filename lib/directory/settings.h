// The system's settings as the servers use them: the values of all forms but Account Data, checked and
// converted. The form declarations in lib/form own names, limits and help text; the defaults here and there
// are the same by construction (a form's default is printed from a default Settings).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "lib/wire.h"

namespace directory {

/// POP3-Clear-Text-Log-In: where a password may cross without TLS.
enum class ClearText : std::uint8_t { kNever = 0, kLoopback = 1, kAlways = 2 };

/// Unknown-Local-Users: what happens to mail for a local domain's address that nobody has.
enum class UnknownUsers : std::uint8_t { kRefuse = 0, kHold = 1, kDeliver = 2 };

struct Settings {
  // ---- System Configuration
  std::uint64_t max_message_size = 50ULL << 20;  ///< Maximum-Message-Size, octets (the form: kilobytes)
  std::uint64_t default_mailbox_limit = 0;       ///< Maximum-POP3-Mailbox-Size, octets, 0: none
  bool over_quota_permanent = false;          ///< Mailbox-Full-Is-Permanent: 552 5.2.2 instead of 452 4.2.2
  std::uint64_t min_free_disk = 64ULL << 20;  ///< Minimum-Free-Disk-Space, octets: below it 452
  std::uint32_t max_recipients = 1000;        ///< Maximum-Recipients, per message (RFC 5321: at least 100)
  std::uint32_t max_messages = 0;             ///< Maximum-Messages-per-Session, 0: no limit
  std::uint32_t smtp_per_address = 100;       ///< SMTP-Sessions-per-Address, open at once, in one process
  std::uint32_t pop3_per_address = 100;       ///< POP3-Sessions-per-Address
  std::uint32_t smtp_command_seconds = 300;   ///< SMTP-Command-Time-Limit (RFC 5321 4.5.3.2.7)
  std::uint32_t smtp_data_seconds = 180;      ///< SMTP-Data-Time-Limit: between two pieces of a message
  std::uint32_t smtp_session_seconds =
      7200;                               ///< SMTP-Session-Time-Limit: whole session without a message taken
  std::uint32_t smtp_error_limit = 20;    ///< SMTP-Error-Limit: errors in a session, then 421
  std::uint32_t smtp_unknown_limit = 50;  ///< SMTP-Unknown-Recipient-Limit: then 421
  std::uint32_t smtp_idle_commands =
      200;  ///< SMTP-Idle-Command-Limit: commands that bring no mail forward, between messages
  std::uint32_t pop3_idle_seconds = 600;             ///< POP3-Idle-Time-Limit (RFC 1939: at least 600 s)
  std::uint32_t pop3_error_limit = 20;               ///< POP3-Error-Limit
  ClearText pop3_clear_text = ClearText::kLoopback;  ///< POP3-Clear-Text-Log-In
  bool look_up_clients = true;                       ///< Look-Up-Client-Names: reverse names in trace and log
  // ---- System Security
  std::vector<std::string> relay_networks;  ///< Relay-Networks: access restrictions that may send anywhere
  std::uint32_t failures_per_address = 10;  ///< Log-In-Failures-per-Address, then slowed down
  std::uint32_t failures_per_account = 20;  ///< Log-In-Failures-per-Account
  std::uint32_t failure_delay_max = 900;    ///< Log-In-Delay-Limit, seconds
  std::uint32_t password_checks = 2;        ///< Password-Checks-at-Once: threads
  // ---- Mail Routing
  std::vector<std::string> local_domains;  ///< Local-Mail-Domains, A-labels in lower case; own host implied
  std::vector<std::string> relay_domains;  ///< Relay-Domains
  std::string completion_domain;           ///< Address-Completion-Domain; empty: the own host name
  std::vector<std::string> routes;         ///< Mail-Routing-Table: "pattern:host options" (next_hop.h)
  std::vector<std::string> sender_routes;  ///< Sender-Options: "domain options" (next_hop.h)
  bool plus_addresses = true;              ///< Plus-Addresses: jane+x@ reaches jane
  UnknownUsers unknown_users = UnknownUsers::kRefuse;  ///< Unknown-Local-Users
  std::string catch_all;  ///< Catch-All-Address: an account's address; for kDeliver
  // ---- SMTP Channel Aliases
  std::vector<std::string> channel_aliases;  ///< Aliases: "<incoming> <outgoing>"
  // ---- Mail Queue
  std::uint32_t message_lifetime = 120;  ///< Message-Lifetime, hours; then it is returned
  std::uint32_t delay_warning = 4;       ///< Delay-Warning, hours; 0: none
  /// Bounce-Full-Message-Size, octets: of larger ones the header alone.
  std::uint64_t bounce_full_size = 37 << 10;
  std::uint32_t deliveries_at_once = 500;  ///< Deliveries-at-Once: connections, all hosts together
  std::uint32_t deliveries_per_host = 20;  ///< Deliveries-per-Host: connections to one next hop
  std::uint32_t account_per_hour = 1000;  ///< Recipients-per-Hour-per-Account, 0: no limit; remote ones count
  std::uint32_t account_per_day = 5000;   ///< Recipients-per-Day-per-Account
  std::uint32_t user_per_hour = 1000;     ///< Recipients-per-Hour-per-UNIX-User
  std::uint32_t user_per_day = 5000;      ///< Recipients-per-Day-per-UNIX-User
  std::uint32_t network_per_hour = 0;     ///< Recipients-per-Hour-per-Network: clients that do not log in
  std::uint32_t network_per_day = 0;      ///< Recipients-per-Day-per-Network
  // ---- System Security, what came with mail to other hosts
  std::vector<std::string> trusted_users;  ///< Trusted-UNIX-Users: may set any sender; root always
  std::vector<std::string> queue_start;    ///< Queue-Start-Permissions: "domain access-restriction"
  // ---- System Security, the web and finger
  std::vector<std::string> web_limit;  ///< Limit-Configuration-via-Web-Forms: access restrictions; empty: all
  ClearText web_clear_text = ClearText::kLoopback;  ///< Web-Clear-Text: who may use http without TLS
  std::uint32_t web_idle_seconds = 300;  ///< Web-Idle-Limit: a session that asks nothing for so long is over
  std::vector<std::string> trusted_proxies;  ///< Trusted-Web-Proxies: access restrictions, numbers alone
  std::uint32_t min_password_length = 6;     ///< Minimum-Password-Length, characters
  std::vector<std::string> finger_access;    ///< Finger-Access: access restrictions; empty: all
  bool finger_list = false;                  ///< Finger-List-Users: an empty query is answered with a list
  /// Finger-Host-Line: answers begin with "[hostname]", for finger programs that do not print it themselves.
  bool finger_host_line = true;
  // ---- System Configuration, likewise
  std::uint32_t web_per_address = 50;  ///< Web-Sessions-per-Address: connections open at once, in one process
  std::uint32_t finger_per_address = 10;  ///< Finger-Sessions-per-Address
  std::uint32_t most_accounts = 0;        ///< Maximum-Accounts: System Information's optional limit, 0: none
  // ---- Greeting
  bool send_greeting = false;         ///< Send-Greeting: to the mailbox of each new account
  std::vector<std::string> greeting;  ///< Greeting-Text: its lines

  std::uint64_t revision = 0;  ///< generation of the last change of any of these forms

  auto fields() {
    return std::tie(max_message_size, default_mailbox_limit, over_quota_permanent, min_free_disk,
                    max_recipients, max_messages, smtp_per_address, pop3_per_address, smtp_command_seconds,
                    smtp_data_seconds, smtp_session_seconds, smtp_error_limit, smtp_unknown_limit,
                    smtp_idle_commands, pop3_idle_seconds, pop3_error_limit, pop3_clear_text, look_up_clients,
                    relay_networks, failures_per_address, failures_per_account, failure_delay_max,
                    password_checks, local_domains, relay_domains, completion_domain, routes, sender_routes,
                    plus_addresses, unknown_users, catch_all, channel_aliases, message_lifetime,
                    delay_warning, bounce_full_size, deliveries_at_once, deliveries_per_host,
                    account_per_hour, account_per_day, user_per_hour, user_per_day, network_per_hour,
                    network_per_day, trusted_users, queue_start, web_limit, web_clear_text, web_idle_seconds,
                    trusted_proxies, min_password_length, finger_access, finger_list, finger_host_line,
                    web_per_address, finger_per_address, most_accounts, send_greeting, greeting, revision);
  }
};

}  // namespace directory

template <>
struct po::wire::valid_enum<directory::ClearText> {
  static bool ok(directory::ClearText v) { return v <= directory::ClearText::kAlways; }
};

template <>
struct po::wire::valid_enum<directory::UnknownUsers> {
  static bool ok(directory::UnknownUsers v) { return v <= directory::UnknownUsers::kDeliver; }
};
