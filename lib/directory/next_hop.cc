#include "lib/directory/next_hop.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "lib/address.h"
#include "lib/net_address.h"
#include "lib/text.h"

namespace directory {
namespace {

using po::messages::NextHop;
using po::messages::TlsLevel;

/// More than any entry takes in its written form, so that what was taken is taken again.
constexpr std::size_t kMaxRouteText = 2048;
constexpr std::size_t kMaxUser = 255;
constexpr std::string_view kTlsWords[] = {"none", "opportunistic", "required", "verified"};

tl::unexpected<po::Error> wrong(std::string_view shown, std::string_view why) {
  return po::permanent(fmt::format("\"{}\": {}", po::for_display(shown), why));
}

/// Cuts the next word off; empty at the end.
std::string_view take_word(std::string_view& text) {
  text = po::trim(text);
  std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

/// Where the pattern ends: at the first colon that is not inside an address literal.
std::size_t end_of_pattern(std::string_view text) {
  std::size_t from = text.starts_with('[') ? text.find(']') : 0;
  return from == std::string_view::npos ? from : text.find(':', from);
}

po::Result<std::string> parse_pattern(std::string_view text) {
  if (text == "*") return std::string(text);
  bool all_under = text.starts_with("*.");
  std::string_view domain = all_under ? text.substr(2) : text;
  if (domain.find('*') != std::string_view::npos)
    return wrong(text, "a * stands alone or, with a dot behind it, before a domain");
  auto parsed = po::parse_domain(domain);
  if (!parsed) return wrong(text, parsed.error().text);
  if (all_under && parsed->front() == '[') return wrong(text, "nothing is under an IP number");
  return all_under ? "*." + *parsed : *parsed;
}

po::Result<void> parse_port(std::string_view text, std::uint16_t& port) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0)
    return wrong(text, "a port is a number from 1 to 65535");
  return {};
}

po::Result<void> parse_host(std::string_view text, RouteEntry& entry) {
  if (text == "*") {
    entry.host = text;
    return {};
  }
  std::size_t colon = end_of_pattern(text);
  if (colon != std::string_view::npos) {
    if (auto ok = parse_port(text.substr(colon + 1), entry.port); !ok) return ok;
    text = text.substr(0, colon);
  }
  if (text == "*") return wrong("*", "mail that goes by MX goes to port 25");
  auto host = po::parse_domain(text);
  if (!host) return wrong(text, host.error().text);
  entry.host = std::move(*host);
  return {};
}

po::Result<TlsLevel> parse_tls(std::string_view value) {
  auto found = std::find_if(std::begin(kTlsWords), std::end(kTlsWords),
                            [&](std::string_view word) { return po::equal_ignoring_case(word, value); });
  if (found == std::end(kTlsWords))
    return wrong(value, "tls= takes none, opportunistic, required or verified");
  return static_cast<TlsLevel>(found - std::begin(kTlsWords));
}

po::Result<std::string> parse_user(std::string_view value) {
  if (value.empty() || value.size() > kMaxUser || !po::is_utf8(value) || po::has_control(value))
    return wrong(value, fmt::format("user= takes a log-in name of 1 to {} octets", kMaxUser));
  return std::string(value);
}

po::Result<std::string> parse_source(std::string_view value) {
  auto address = po::parse_address(value);
  if (!address) return wrong(value, "source= takes an IP number of this host");
  return po::address_text(*address);
}

po::Result<std::string> parse_helo(std::string_view value) {
  auto name = po::parse_domain(value);
  if (!name) return wrong(value, fmt::format("helo= takes a host name: {}", name.error().text));
  return name;
}

/// Puts a value where it belongs; the option must not have been given before.
po::Result<void> store(po::Result<std::string> value, std::string_view option, std::string& into) {
  if (!value) return tl::make_unexpected(value.error());
  if (!into.empty()) return wrong(option, "this option is given twice");
  into = std::move(*value);
  return {};
}

/// source= and helo=, which routes and senders share; nothing if it is neither.
std::optional<po::Result<void>> read_shared(std::string_view name, std::string_view value,
                                            std::string& source, std::string& helo) {
  if (po::equal_ignoring_case(name, "source")) return store(parse_source(value), name, source);
  if (po::equal_ignoring_case(name, "helo")) return store(parse_helo(value), name, helo);
  return std::nullopt;
}

struct Option {
  std::string_view name, value;
};

po::Result<Option> split_option(std::string_view word) {
  std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return wrong(word, "an option is written NAME=VALUE");
  return Option{word.substr(0, equals), word.substr(equals + 1)};
}

po::Result<void> read_route_option(std::string_view word, RouteEntry& entry) {
  auto option = split_option(word);
  if (!option) return tl::make_unexpected(option.error());
  if (auto shared = read_shared(option->name, option->value, entry.source, entry.helo)) return *shared;
  if (po::equal_ignoring_case(option->name, "user"))
    return store(parse_user(option->value), option->name, entry.user);
  if (!po::equal_ignoring_case(option->name, "tls"))
    return wrong(option->name, "no such option; there are tls=, user=, source= and helo=");
  if (entry.tls) return wrong(option->name, "this option is given twice");
  auto level = parse_tls(option->value);
  if (!level) return tl::make_unexpected(level.error());
  entry.tls = *level;
  return {};
}

std::string options_text(std::string_view source, std::string_view helo) {
  std::string out;
  if (!source.empty()) out += fmt::format(" source={}", source);
  if (!helo.empty()) out += fmt::format(" helo={}", helo);
  return out;
}

/// "relay.podunk.edu", "[192.0.2.1]:587".
std::string host_text(const RouteEntry& entry) {
  return entry.port == 25 ? entry.host : fmt::format("{}:{}", entry.host, entry.port);
}

bool is_literal(std::string_view host) {
  return host.starts_with('[');
}

/// The host alone, whatever DNS says of its mail exchangers.
void set_host(std::string_view host, std::uint16_t port, NextHop& hop) {
  hop.by_mx = false;
  hop.host = host;
  hop.port = port;
  hop.name = is_literal(host) ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

/// The inverse of set_host(): host or literal, and port. Nothing: the name is a domain's.
std::optional<std::pair<std::string_view, std::uint16_t>> host_of_name(std::string_view name) {
  std::size_t end = name.rfind("]:");
  if (!is_literal(name) || end == std::string_view::npos) return std::nullopt;
  std::uint16_t port = 25;
  std::from_chars(name.data() + end + 2, name.data() + name.size(), port);
  std::string_view inside = name.substr(1, end - 1);
  bool address = inside.find_first_not_of("0123456789.") == std::string_view::npos ||
                 inside.find(':') != std::string_view::npos;
  return std::pair(address ? name.substr(0, end + 1) : inside, port);
}

}  // namespace

po::Result<RouteEntry> parse_route(std::string_view text) {
  if (text.size() > kMaxRouteText)
    return po::permanent(fmt::format("a route is at most {} octets long", kMaxRouteText));
  std::string_view route = take_word(text);
  std::size_t colon = end_of_pattern(route);
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == route.size())
    return wrong(route, "a route is written PATTERN:HOST, as podunk.edu:* or *:firewall.podunk.edu");
  RouteEntry entry;
  auto pattern = parse_pattern(route.substr(0, colon));
  if (!pattern) return tl::make_unexpected(pattern.error());
  entry.pattern = std::move(*pattern);
  auto ok = parse_host(route.substr(colon + 1), entry);
  for (auto word = take_word(text); ok && !word.empty(); word = take_word(text))
    ok = read_route_option(word, entry);
  if (!ok) return tl::make_unexpected(ok.error());
  if (entry.host == "*" && !entry.user.empty())
    return wrong(route, "user= needs a host of one's own to log in to, not *");
  return entry;
}

std::string route_text(const RouteEntry& entry) {
  std::string out = fmt::format("{}:{}", entry.pattern, host_text(entry));
  if (entry.tls) out += fmt::format(" tls={}", kTlsWords[static_cast<std::size_t>(*entry.tls)]);
  if (!entry.user.empty()) out += fmt::format(" user={}", entry.user);
  return out + options_text(entry.source, entry.helo);
}

po::Result<SenderEntry> parse_sender_options(std::string_view text) {
  if (text.size() > kMaxRouteText)
    return po::permanent(fmt::format("sender options are at most {} octets long", kMaxRouteText));
  std::string_view word = take_word(text);
  auto domain = po::parse_domain(word);
  if (!domain) return wrong(word, domain.error().text);
  SenderEntry entry{std::move(*domain), {}, {}};
  for (word = take_word(text); !word.empty(); word = take_word(text)) {
    auto option = split_option(word);
    if (!option) return tl::make_unexpected(option.error());
    auto shared = read_shared(option->name, option->value, entry.source, entry.helo);
    if (!shared) return wrong(option->name, "no such option; a sender's domain has source= and helo=");
    if (!*shared) return tl::make_unexpected(shared->error());
  }
  if (entry.source.empty() && entry.helo.empty())
    return wrong(entry.domain, "behind the domain stands source=ADDRESS, helo=NAME or both");
  return entry;
}

std::string sender_options_text(const SenderEntry& entry) {
  return entry.domain + options_text(entry.source, entry.helo);
}

RoutingTable::RoutingTable(const std::vector<std::string>& routes,
                           const std::vector<std::string>& sender_options) {
  for (const std::string& line : routes) {
    auto entry = parse_route(line);
    if (!entry || !by_pattern_.try_emplace(entry->pattern, routes_.size()).second) continue;
    routes_.push_back(std::move(*entry));
  }
  for (const std::string& line : sender_options)
    if (auto entry = parse_sender_options(line)) senders_.try_emplace(std::string(entry->domain), *entry);
}

const RouteEntry* RoutingTable::match(std::string_view domain) const {
  std::size_t first = routes_.size();
  auto look = [&](const std::string& pattern) {
    auto found = by_pattern_.find(pattern);
    if (found != by_pattern_.end()) first = std::min(first, found->second);
  };
  if (routes_.empty()) return nullptr;
  look(std::string(domain));
  look("*");
  if (!is_literal(domain))
    for (auto dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.', dot + 1))
      look(fmt::format("*{}", domain.substr(dot)));
  return first < routes_.size() ? &routes_[first] : nullptr;
}

void RoutingTable::add_options(const RouteEntry* entry, std::string_view sender_domain, NextHop& hop) const {
  if (entry != nullptr) {
    hop.user = entry->user;
    hop.tls = entry->tls.value_or(hop.user.empty() ? TlsLevel::kOpportunistic : TlsLevel::kRequired);
    hop.source = entry->source;
    hop.helo = entry->helo;
  }
  if (auto sender = senders_.find(std::string(sender_domain)); sender != senders_.end()) {
    if (hop.source.empty()) hop.source = sender->second.source;
    if (hop.helo.empty()) hop.helo = sender->second.helo;
  }
}

NextHop RoutingTable::next_hop(std::string_view domain, std::string_view sender_domain) const {
  NextHop hop;
  hop.name = hop.host = domain;
  if (is_literal(domain)) set_host(domain, 25, hop);
  const RouteEntry* entry = match(domain);
  if (entry != nullptr && entry->host != "*") set_host(entry->host, entry->port, hop);
  add_options(entry, sender_domain, hop);
  return hop;
}

NextHop RoutingTable::next_hop_named(std::string_view name, std::string_view sender_domain) const {
  NextHop hop;
  hop.name = hop.host = name;
  const RouteEntry* entry = nullptr;
  if (auto host = host_of_name(name)) {
    set_host(host->first, host->second, hop);
    auto found = std::find_if(routes_.begin(), routes_.end(), [&hop](const RouteEntry& each) {
      return each.host == hop.host && each.port == hop.port;
    });
    if (found != routes_.end()) entry = &*found;
  }
  add_options(entry, sender_domain, hop);
  return hop;
}

}  // namespace directory
