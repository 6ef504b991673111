// The mail routing table: from the domain of an address to its next hop. An entry is "pattern:host" with
// options behind it. Patterns: a domain (itself alone), "*.domain" (all under it), "*" (all); the first that
// matches wins. Hosts: "*" (by MX, as if there were no entry), a host name, an address literal
// "[192.0.2.1]", the latter two with ":port" if it is not 25. Options, separated by spaces:
// tls=none|opportunistic|required|verified, user=NAME (log in there; the password is kept apart, in
// secrets/), source=ADDRESS, helo=NAME. No address is rewritten, and no entry permits anything. Pure; the
// text comes from forms. Callers: queue; the forms, to check.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/error.h"
#include "lib/messages.h"

namespace directory {

struct RouteEntry {
  std::string pattern;  ///< lower-case A-labels: "podunk.edu", "*.podunk.edu", "*"
  std::string host;     ///< "*", a name in lower-case A-labels, or an address literal
  std::uint16_t port = 25;
  /// Not given: opportunistic, but required with `user`, because a password is not for everybody's eyes.
  std::optional<po::messages::TlsLevel> tls;
  std::string user, source, helo;  ///< empty: not given
};

/// Permanent failure with a sentence that names what is wrong.
[[nodiscard]] po::Result<RouteEntry> parse_route(std::string_view text);
/// How parse_route() would like it written.
[[nodiscard]] std::string route_text(const RouteEntry& entry);

/// "domain options" of Sender-Options, options source= and helo=: for mail whose sender is in the domain.
struct SenderEntry {
  std::string domain;
  std::string source, helo;
};
[[nodiscard]] po::Result<SenderEntry> parse_sender_options(std::string_view text);
[[nodiscard]] std::string sender_options_text(const SenderEntry& entry);

class RoutingTable {
 public:
  RoutingTable() = default;
  /// Lines that do not parse (the forms check them) match nothing. Of two entries with one pattern the first
  /// counts.
  RoutingTable(const std::vector<std::string>& routes, const std::vector<std::string>& sender_options);

  /// The first entry that matches, or nothing: then by MX.
  [[nodiscard]] const RouteEntry* match(std::string_view domain) const;
  /// `domain`: of the recipient, lower-case A-labels or a literal; `sender_domain` empty for <>. What the
  /// entry says of source and HELO name goes before what the sender's domain says. Two hops with one name may
  /// differ in the rest: a job is for recipients whose hops are equal in all.
  [[nodiscard]] po::messages::NextHop next_hop(std::string_view domain, std::string_view sender_domain) const;
  /// The hop of that name (NextHop::name), whatever domain it is for: with the options of the first entry
  /// that has its host.
  [[nodiscard]] po::messages::NextHop next_hop_named(std::string_view name,
                                                     std::string_view sender_domain) const;

 private:
  void add_options(const RouteEntry* entry, std::string_view sender_domain, po::messages::NextHop& hop) const;
  std::vector<RouteEntry> routes_;
  std::unordered_map<std::string, std::size_t> by_pattern_;  ///< the first of each pattern
  std::unordered_map<std::string, SenderEntry> senders_;     ///< by domain
};

}  // namespace directory
