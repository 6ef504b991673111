// smtp-deliver: mail to other hosts by SMTP. Started by the dispatcher; man/smtp-deliver.8.
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "deliver/server.h"
#include "lib/module.h"
#include "lib/net_address.h"

static std::string read_hosts() {
  std::ifstream in("/etc/hosts", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

static std::vector<po::messages::NetAddress> own_addresses() {
  std::vector<po::messages::NetAddress> out;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return out;
  for (ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr) continue;
    int family = i->ifa_addr->sa_family;
    if (family == AF_INET) out.push_back(po::net_address(i->ifa_addr, sizeof(sockaddr_in)));
    if (family == AF_INET6) out.push_back(po::net_address(i->ifa_addr, sizeof(sockaddr_in6)));
  }
  freeifaddrs(list);
  return out;
}

int main() {
  static constexpr const char* kAuthorities = "/etc/ssl/certs/ca-certificates.crt";
  po::Module module = po::Module::start_or_die(po::messages::Role::kSmtpDeliver);
  deliver::Surroundings surroundings{read_hosts(), po::Fd(open(kAuthorities, O_RDONLY | O_CLOEXEC)),
                                     own_addresses()};
  module.confine_or_die();
  deliver::Server server(module, std::move(surroundings));
  return module.run(server);
}
