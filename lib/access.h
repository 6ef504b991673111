// Access restrictions, the lines of General-Access-Restrictions, Relay-Networks and their like: a domain (it
// and everything under it), a host name, an IPv4 number whose trailing 0 octets are wildcards, an IPv6
// number, or a network as NUMBER/BITS. The text comes from forms; the client's name must be one that a
// forward look-up confirmed (lib/dns.h), or whoever runs a reverse zone chooses it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/error.h"
#include "lib/messages.h"

namespace po {

struct AccessRule {
  std::string name;              ///< a domain in lower-case A-labels; empty: a network
  messages::NetAddress network;  ///< bits behind the prefix are 0
  unsigned bits = 0;             ///< length of the prefix
  bool operator==(const AccessRule& other) const;
};

/// Permanent failure with a sentence that names what is wrong.
[[nodiscard]] Result<AccessRule> parse_access_rule(std::string_view text);
/// Lines that are none, which forms let nobody enter, are left out.
[[nodiscard]] std::vector<AccessRule> parse_access_rules(const std::vector<std::string>& lines);
/// How parse_access_rule() would like it written: "podunk.edu", "192.0.2.0/24", "2001:db8::1".
[[nodiscard]] std::string access_rule_text(const AccessRule& rule);

/// `confirmed_name`: the client's confirmed name, in any letter case; empty if there is none.
[[nodiscard]] bool matches(const AccessRule& rule, const messages::NetAddress& client,
                           std::string_view confirmed_name);
/// Whether deciding by this rule takes the client's name.
[[nodiscard]] bool needs_name(const AccessRule& rule);

/// Whether a name must be looked up before any_match() can say no: no network matches, and one rule is a
/// name.
[[nodiscard]] bool needs_name(const std::vector<AccessRule>& rules, const messages::NetAddress& client);
/// True if any rule matches. No rules match nobody: that "no restriction" means everybody is the caller's.
[[nodiscard]] bool any_match(const std::vector<AccessRule>& rules, const messages::NetAddress& client,
                             std::string_view confirmed_name);

}  // namespace po
