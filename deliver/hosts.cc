#include "deliver/hosts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/net_address.h"
#include "lib/text.h"

namespace deliver {

using po::Kind;
using po::messages::NetAddress;
using po::messages::NextHop;

namespace {

bool is_unspecified(const NetAddress& a) {
  return std::all_of(a.octets.begin(), a.octets.end(), [](std::uint8_t o) { return o == 0; });
}

/// No host has such an address: 0.0.0.0/8 and :: reach ourselves (RFC 6890), IPv4 in IPv6's clothes is a way
/// around what is said of IPv4, and a group is no host.
bool is_no_hosts(const NetAddress& a) {
  if (a.family == 4) return a.octets[0] == 0 || a.octets[0] >= 224;
  bool mapped = std::all_of(a.octets.begin(), a.octets.begin() + 10, [](std::uint8_t o) { return o == 0; }) &&
                !po::is_loopback(a);
  return mapped || a.octets[0] == 0xff;
}

std::optional<NetAddress> parse_endpoint(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  auto address = po::parse_address(host);
  if (!address || port.empty() || port.size() > 5) return std::nullopt;
  unsigned n = 0;
  for (char c : port) {
    if (!po::is_digit(c)) return std::nullopt;
    n = n * 10 + static_cast<unsigned>(c - '0');
  }
  if (n == 0 || n > 65535) return std::nullopt;
  address->port = static_cast<std::uint16_t>(n);
  return address;
}

template <class T>
void shuffle(std::vector<T>& v, const Chance& chance) {
  for (std::size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[chance(i)]);
}

NoHost loop(std::string_view domain, bool from_mx, const OwnHost& own) {
  if (!from_mx) {
    return {Kind::kPermanent, "5.4.6",
            fmt::format(
                "mail loop: {} leads to this host, {}, itself, which has no mailbox for it. The Postmaster "
                "of {} can make it a local mail domain or correct its route",
                domain, own.name(), own.name())};
  }
  return {
      Kind::kPermanent, "5.4.6",
      fmt::format("MX loop: DNS names this host, {}, as a mail exchanger of {}, but {} is not a domain of "
                  "its own and no route leads further, so the mail would come back here. The Postmaster of "
                  "{} can make {} a local mail domain or give it a route; else its MX records are wrong",
                  own.name(), domain, domain, own.name(), domain)};
}

}  // namespace

std::string endpoint_text(const Endpoint& e) {
  std::string number = po::address_text(e.address);
  if (e.name.starts_with('[')) return fmt::format("[{}]:{}", number, e.address.port);
  return fmt::format("{}[{}]:{}", e.name, number, e.address.port);
}

std::optional<NetAddress> parse_literal(std::string_view text) {
  if (text.size() < 3 || !text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  text = text.substr(1, text.size() - 2);
  if (po::starts_with_ignoring_case(text, "IPv6:")) text.remove_prefix(5);
  auto address = po::parse_address(text);
  if (!address || address->family == 0) return std::nullopt;
  return address;
}

// ---- OwnHost

OwnHost::OwnHost(std::string_view name, const std::vector<std::string>& smtp,
                 std::vector<NetAddress> interfaces)
    : name_(po::ascii_lower(name)), interfaces_(std::move(interfaces)) {
  for (const std::string& text : smtp) {
    if (auto endpoint = parse_endpoint(text)) smtp_.push_back(*endpoint);
  }
}

bool OwnHost::takes_mail_at(const NetAddress& a) const {
  bool of_this_host = po::is_loopback(a) || is_unspecified(a) ||
                      std::any_of(interfaces_.begin(), interfaces_.end(),
                                  [&a](const NetAddress& i) { return po::same_host(i, a); });
  return std::any_of(smtp_.begin(), smtp_.end(), [&](const NetAddress& s) {
    if (s.port != a.port || s.family != a.family) return false;
    return is_unspecified(s) ? of_this_host : po::same_host(s, a);
  });
}

// ---- the steps

Exchangers order_exchangers(std::string_view domain, const std::vector<po::MailExchanger>& mx,
                            const OwnHost& own, const Chance& chance) {
  Exchangers out;
  if (mx.size() == 1 && mx[0].name == ".") {
    out.none = {Kind::kPermanent, "5.1.10",
                fmt::format("the domain {} takes no mail, says DNS (null MX)", domain)};
    return out;
  }
  std::vector<po::MailExchanger> sorted;
  for (const po::MailExchanger& m : mx) {
    if (m.name != ".") sorted.push_back(m);
  }
  shuffle(sorted, chance);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.preference < b.preference; });
  auto ourselves = std::find_if(sorted.begin(), sorted.end(),
                                [&own](const po::MailExchanger& m) { return m.name == own.name(); });
  bool in_it = ourselves != sorted.end();
  if (in_it) {
    std::uint16_t at = ourselves->preference;
    std::erase_if(sorted, [at](const po::MailExchanger& m) { return m.preference >= at; });
  }
  for (const po::MailExchanger& m : sorted) {
    bool twice = std::any_of(out.hosts.begin(), out.hosts.end(),
                             [&m](const Candidate& c) { return c.name == m.name; });
    if (!twice && out.hosts.size() < kMaxCandidates) out.hosts.push_back({m.name, m.preference, false, {}});
  }
  if (!out.hosts.empty()) return out;
  out.none = in_it ? loop(domain, true, own)
                   : NoHost{Kind::kPermanent, "5.4.4",
                            fmt::format("the MX records of {} hold no name that a host can have", domain)};
  return out;
}

namespace {

/// Why no candidate has an address that can be used.
NoHost no_address(const NextHop& hop, bool from_mx, bool failed, bool other_kind) {
  std::string host = po::for_display(hop.host, 255);
  if (other_kind) {
    return {Kind::kTemporary, "4.4.4",
            fmt::format("no host for {} has an address of the kind of {}, from which the route sends", host,
                        po::for_display(hop.source))};
  }
  if (failed)
    return {Kind::kTemporary, "4.4.3", fmt::format("DNS does not say where the hosts of {} are", host)};
  if (from_mx)
    return {Kind::kPermanent, "5.4.4", fmt::format("none of the mail exchangers of {} exists", host)};
  if (hop.by_mx) {
    return {Kind::kPermanent, "5.1.2",
            fmt::format("the domain {} does not exist, or has neither mail exchanger nor address", host)};
  }
  return {Kind::kTemporary, "4.3.5",
          fmt::format(
              "the routing table names the host {}, which has no address: the Postmaster has to see to it",
              host)};
}

/// IPv4 before IPv6, each in random order.
void sort_addresses(std::vector<NetAddress>& addresses, const Chance& chance) {
  shuffle(addresses, chance);
  std::stable_sort(addresses.begin(), addresses.end(),
                   [](const NetAddress& a, const NetAddress& b) { return a.family < b.family; });
}

}  // namespace

HostList choose_hosts(const NextHop& hop, bool from_mx, std::vector<Candidate> candidates, const OwnHost& own,
                      const Chance& chance) {
  HostList out;
  std::optional<std::uint16_t> ours;  // the best preference that leads to ourselves
  bool failed = false, other_kind = false;
  auto source = po::parse_address(hop.source);
  for (Candidate& c : candidates) {
    failed = failed || c.failed;
    for (NetAddress& a : c.addresses) {
      a.port = hop.port;
      if (own.takes_mail_at(a)) ours = std::min(ours.value_or(0xffff), c.preference);
    }
    std::erase_if(c.addresses, is_no_hosts);
  }
  for (Candidate& c : candidates) {
    if (ours && c.preference >= *ours) continue;
    if (source) {
      std::erase_if(c.addresses, [&](const NetAddress& a) {
        other_kind = other_kind || a.family != source->family;
        return a.family != source->family;
      });
    }
    sort_addresses(c.addresses, chance);
    for (const NetAddress& a : c.addresses) {
      if (out.endpoints.size() < kMaxEndpoints) out.endpoints.push_back({c.name, a});
    }
  }
  if (!out.endpoints.empty()) return out;
  out.none = ours ? loop(po::for_display(hop.host, 255), from_mx, own)
                  : no_address(hop, from_mx, failed, other_kind);
  return out;
}

}  // namespace deliver
