#include "lib/interfaces.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include "lib/net_address.h"

namespace po {

std::vector<messages::NetAddress> own_addresses() {
  std::vector<messages::NetAddress> out;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return out;
  for (ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr) continue;
    int family = i->ifa_addr->sa_family;
    if (family == AF_INET) out.push_back(net_address(i->ifa_addr, sizeof(sockaddr_in)));
    if (family == AF_INET6) out.push_back(net_address(i->ifa_addr, sizeof(sockaddr_in6)));
  }
  freeifaddrs(list);
  return out;
}

}  // namespace po
