#include "lib/dns_hosts.h"

#include "lib/address.h"
#include "lib/net_address.h"
#include "lib/text.h"

namespace po {

using messages::NetAddress;

namespace {

std::string_view take_word(std::string_view& line) {
  line = trim(line);
  std::size_t n = 0;
  while (n < line.size() && line[n] != ' ' && line[n] != '\t') ++n;
  std::string_view word = line.substr(0, n);
  line.remove_prefix(n);
  return word;
}

bool is_localhost(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost");
}

DnsAnswer of_type(const std::vector<NetAddress>& all, DnsType type) {
  DnsAnswer answer{DnsStatus::kNotFound, {}, {}};
  for (const NetAddress& a : all) {
    if (a.family == (type == DnsType::kA ? 4 : 6)) answer.addresses.push_back(a);
  }
  if (!answer.addresses.empty()) answer.status = DnsStatus::kOk;
  return answer;
}

}  // namespace

HostsFile::HostsFile(std::string_view text) {
  while (!text.empty()) {
    std::size_t lf = text.find('\n');
    add_line(text.substr(0, lf));
    text = lf == std::string_view::npos ? std::string_view() : text.substr(lf + 1);
  }
}

void HostsFile::add_line(std::string_view line) {
  line = line.substr(0, line.find('#'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  auto address = parse_address(take_word(line));
  if (!address) return;
  std::string number = address_text(*address);
  for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
    if (!is_host_name(word)) continue;
    std::string name = ascii_lower(word);
    addresses_[name].push_back(*address);
    names_[number].push_back(std::move(name));
  }
}

std::optional<DnsAnswer> HostsFile::find(std::string_view name, DnsType type) const {
  if (type == DnsType::kPtr) return std::nullopt;
  std::string key = ascii_lower(name);
  if (type == DnsType::kMx) {  // the file cannot hold any: its silence says nothing, but of localhost
    return is_localhost(key) ? std::optional(DnsAnswer{DnsStatus::kNotFound, {}, {}}) : std::nullopt;
  }
  if (auto at = addresses_.find(key); at != addresses_.end()) return of_type(at->second, type);
  if (!is_localhost(key)) return std::nullopt;
  return of_type({*parse_address("127.0.0.1"), *parse_address("::1")}, type);
}

std::optional<DnsAnswer> HostsFile::reverse(const NetAddress& address) const {
  if (address.family == 0) return DnsAnswer{DnsStatus::kNotFound, {}, {}};
  auto at = names_.find(address_text(address));
  if (at != names_.end()) return DnsAnswer{DnsStatus::kOk, {}, at->second};
  for (const char* own : {"127.0.0.1", "::1"}) {
    if (address_text(address) == own) return DnsAnswer{DnsStatus::kOk, {}, {"localhost"}};
  }
  return std::nullopt;
}

}  // namespace po
