// Asks one question of a DNS server through lib/dns.h and prints the answer, for tests with real servers:
//     dns_probe SERVER[:PORT][,SERVER...] a|aaaa|ptr|name WHAT [HOSTS-FILE]
// First line: ok, not-found or temporary; then a line for each address or name. With - as SERVER, the hosts
// file alone answers.
#include <fmt/core.h>

#include <fstream>
#include <iterator>
#include <string_view>

#include "lib/dns.h"
#include "lib/net_address.h"

static const char* status_text(po::DnsStatus s) {
  return s == po::DnsStatus::kOk ? "ok" : s == po::DnsStatus::kNotFound ? "not-found" : "temporary";
}

static std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty() && list != "-") {
    std::size_t n = std::min(list.find(','), list.size());
    out.emplace_back(list.substr(0, n));
    list.remove_prefix(std::min(n + 1, list.size()));
  }
  return out;
}

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: dns_probe SERVERS a|aaaa|ptr|name WHAT [HOSTS-FILE]\n");
    return 2;
  }
  auto servers = po::parse_dns_servers(split(argv[1]));
  if (!servers) {
    fmt::print(stderr, "dns_probe: {}\n", servers.error().text);
    return 2;
  }
  po::ResolverOptions options;
  options.servers = std::move(*servers);
  if (argc > 4) {
    std::ifstream in(argv[4]);
    options.hosts.assign(std::istreambuf_iterator<char>(in), {});
  }
  po::Loop loop;
  po::Resolver resolver(loop, std::move(options));
  auto print = [&](const po::DnsAnswer& answer) {
    fmt::print("{}\n", status_text(answer.status));
    for (const auto& a : answer.addresses) fmt::print("{}\n", po::address_text(a));
    for (const auto& n : answer.names) fmt::print("{}\n", n);
    loop.stop();
  };
  std::string_view kind = argv[2];
  po::DnsQuestion question;
  if (kind == "a" || kind == "aaaa") {
    question = resolver.resolve(argv[3], kind == "a" ? po::DnsType::kA : po::DnsType::kAaaa, print);
  } else {
    auto address = po::parse_address(argv[3]);
    if (!address || (kind != "ptr" && kind != "name")) {
      fmt::print(stderr, "dns_probe: \"{}\" cannot be asked by {}\n", argv[3], kind);
      return 2;
    }
    if (kind == "ptr") {
      question = resolver.reverse(*address, print);
    } else {
      question = resolver.confirmed_name(*address, [&](po::DnsStatus s, const std::string& name) {
        print({s, {}, name.empty() ? std::vector<std::string>() : std::vector<std::string>{name}});
      });
    }
  }
  loop.run();
  return 0;
}
