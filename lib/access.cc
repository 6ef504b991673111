#include "lib/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "lib/address.h"
#include "lib/net_address.h"
#include "lib/text.h"

namespace po {

using messages::NetAddress;

namespace {

unsigned width(const NetAddress& a) {
  return a.family == 4 ? 32 : 128;
}

bool same_prefix(const NetAddress& a, const NetAddress& b, unsigned bits) {
  unsigned whole = bits / 8, left = bits % 8;
  if (!std::equal(a.octets.begin(), a.octets.begin() + whole, b.octets.begin())) return false;
  return left == 0 || (a.octets[whole] ^ b.octets[whole]) >> (8 - left) == 0;
}

void clear_behind(NetAddress& a, unsigned bits) {
  for (unsigned i = 0; i < a.octets.size(); ++i) {
    unsigned keep = bits > i * 8 ? std::min(8U, bits - i * 8) : 0;
    a.octets[i] &= static_cast<std::uint8_t>(0xff00 >> keep);
  }
}

/// 199.17.234.0 is 199.17.234.0/24, and 0.0.0.0 is everybody who has an IPv4 address.
unsigned wildcard_bits(const NetAddress& a) {
  if (a.family != 4) return 128;
  unsigned bits = 32;
  for (unsigned i = 4; i-- > 0 && a.octets[i] == 0;) bits -= 8;
  return bits;
}

std::optional<unsigned> parse_bits(std::string_view text, unsigned max) {
  unsigned bits = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), bits);
  bool leading_zero = text.size() > 1 && text.front() == '0';
  if (text.empty() || ec != std::errc() || end != text.data() + text.size() || leading_zero || bits > max) {
    return std::nullopt;
  }
  return bits;
}

Result<AccessRule> parse_network(std::string_view text, std::size_t slash) {
  std::string shown = for_display(text);
  std::string_view number = text.substr(0, slash);
  auto address = parse_address(number);
  if (!address) return permanent(fmt::format("\"{}\": before the / stands no IP number", shown));
  // ::ffff:192.0.2.0/120 speaks of IPv4 clients, which we always know by their IPv4 number.
  unsigned mapped = address->family == 4 && number.find(':') != std::string_view::npos ? 96 : 0;
  unsigned max = width(*address) + mapped;
  auto bits = parse_bits(text.substr(slash + 1), max);
  if (!bits || *bits < mapped) {
    return permanent(
        fmt::format("\"{}\": behind the / must stand a number from {} to {}", shown, mapped, max));
  }
  AccessRule rule{"", *address, *bits - mapped};
  clear_behind(rule.network, rule.bits);
  if (rule.network.octets != address->octets) {
    return permanent(fmt::format("\"{}\" has bits set behind its prefix; the network is {}/{}", shown,
                                 address_text(rule.network), rule.bits));
  }
  return rule;
}

bool under(std::string_view name, std::string_view domain) {
  if (name.size() < domain.size() || domain.empty()) return false;
  std::size_t before = name.size() - domain.size();
  if (!equal_ignoring_case(name.substr(before), domain)) return false;
  return before == 0 || name[before - 1] == '.';
}

}  // namespace

bool AccessRule::operator==(const AccessRule& other) const {
  return name == other.name && bits == other.bits && network.family == other.network.family &&
         network.octets == other.network.octets;
}

Result<AccessRule> parse_access_rule(std::string_view text) {
  text = trim(text);
  std::string shown = for_display(text);
  if (text.empty()) return permanent("an access restriction is empty");
  if (std::size_t slash = text.find('/'); slash != std::string_view::npos) return parse_network(text, slash);
  if (auto address = parse_address(text)) return AccessRule{"", *address, wildcard_bits(*address)};
  if (text.front() == '[') {
    return permanent(fmt::format("\"{}\": an IP number stands without brackets here", shown));
  }
  if (text.find(':') != std::string_view::npos)
    return permanent(fmt::format("\"{}\" is no IPv6 number", shown));
  if (text.find_first_not_of("0123456789.") == std::string_view::npos) {
    return permanent(fmt::format("\"{}\" is no IPv4 number: it takes four numbers from 0 to 255", shown));
  }
  if (text.front() == '.' || text.front() == '*') {
    return permanent(
        fmt::format("\"{}\": a domain stands without a dot or * before it and means all under it", shown));
  }
  auto domain = parse_domain(text);
  if (!domain) return permanent(fmt::format("\"{}\": {}", shown, domain.error().text));
  return AccessRule{std::move(*domain), {}, 0};
}

std::vector<AccessRule> parse_access_rules(const std::vector<std::string>& lines) {
  std::vector<AccessRule> out;
  for (const std::string& line : lines) {
    if (auto rule = parse_access_rule(line)) out.push_back(std::move(*rule));
  }
  return out;
}

std::string access_rule_text(const AccessRule& rule) {
  if (needs_name(rule)) return rule.name;
  std::string number = address_text(rule.network);
  bool single = rule.bits == width(rule.network);
  // 10.0.0.0/32 is one host, which the number alone would not say.
  return single && wildcard_bits(rule.network) == rule.bits ? number
                                                            : fmt::format("{}/{}", number, rule.bits);
}

bool matches(const AccessRule& rule, const NetAddress& client, std::string_view confirmed_name) {
  if (needs_name(rule)) return under(confirmed_name, rule.name);
  return client.family != 0 && client.family == rule.network.family &&
         same_prefix(client, rule.network, rule.bits);
}

bool needs_name(const AccessRule& rule) {
  return !rule.name.empty();
}

bool needs_name(const std::vector<AccessRule>& rules, const NetAddress& client) {
  return !any_match(rules, client, "") &&
         std::any_of(rules.begin(), rules.end(), [](const AccessRule& r) { return needs_name(r); });
}

bool any_match(const std::vector<AccessRule>& rules, const NetAddress& client,
               std::string_view confirmed_name) {
  return std::any_of(rules.begin(), rules.end(),
                     [&](const AccessRule& r) { return matches(r, client, confirmed_name); });
}

}  // namespace po
