#include "lib/net_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace po {

using messages::NetAddress;

std::string address_text(const NetAddress& a) {
  char text[INET6_ADDRSTRLEN] = "";
  if (a.family == 4) inet_ntop(AF_INET, a.octets.data(), text, sizeof text);
  if (a.family == 6) inet_ntop(AF_INET6, a.octets.data(), text, sizeof text);
  return a.family == 0 ? "local" : text;
}

std::string address_port_text(const NetAddress& a) {
  if (a.family == 0) return "local";
  std::string host = address_text(a);
  if (a.family == 6) host = "[" + host + "]";
  return host + ":" + std::to_string(a.port);
}

static void unmap(NetAddress& a) {
  static constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (a.family != 6 || !std::equal(kMapped.begin(), kMapped.end(), a.octets.begin())) return;
  std::copy(a.octets.begin() + 12, a.octets.end(), a.octets.begin());
  std::fill(a.octets.begin() + 4, a.octets.end(), std::uint8_t{0});
  a.family = 4;
}

NetAddress net_address(const void* sockaddr, unsigned length) {
  NetAddress a;
  sa_family_t family = AF_UNSPEC;
  if (length >= sizeof family) std::memcpy(&family, sockaddr, sizeof family);
  if (family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in in{};
    std::memcpy(&in, sockaddr, sizeof in);
    a.family = 4;
    std::memcpy(a.octets.data(), &in.sin_addr, 4);
    a.port = ntohs(in.sin_port);
  } else if (family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in{};
    std::memcpy(&in, sockaddr, sizeof in);
    a.family = 6;
    std::memcpy(a.octets.data(), &in.sin6_addr, 16);
    a.port = ntohs(in.sin6_port);
    unmap(a);
  }
  return a;
}

unsigned to_sockaddr(const NetAddress& a, sockaddr_storage& out) {
  out = {};
  if (a.family == 4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(a.port);
    std::memcpy(&in.sin_addr, a.octets.data(), 4);
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
  }
  if (a.family != 6) return 0;
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(a.port);
  std::memcpy(&in.sin6_addr, a.octets.data(), 16);
  std::memcpy(&out, &in, sizeof in);
  return sizeof in;
}

std::optional<NetAddress> parse_address(std::string_view text) {
  std::string z(text);
  NetAddress a;
  if (z.size() != text.size() || z.find('\0') != std::string::npos) return std::nullopt;
  if (inet_pton(AF_INET, z.c_str(), a.octets.data()) == 1) {
    a.family = 4;
    return a;
  }
  if (inet_pton(AF_INET6, z.c_str(), a.octets.data()) != 1) return std::nullopt;
  a.family = 6;
  unmap(a);
  return a;
}

bool same_host(const NetAddress& a, const NetAddress& b) {
  return a.family == b.family && a.octets == b.octets;
}

bool is_loopback(const NetAddress& a) {
  if (a.family == 4) return a.octets[0] == 127;
  if (a.family != 6) return a.family == 0;
  return std::all_of(a.octets.begin(), a.octets.end() - 1, [](std::uint8_t o) { return o == 0; }) &&
         a.octets[15] == 1;
}

std::string limit_key(const NetAddress& a) {
  if (a.family != 6) return address_text(a);
  NetAddress net = a;
  std::fill(net.octets.begin() + 8, net.octets.end(), std::uint8_t{0});
  return address_text(net) + "/64";
}

}  // namespace po
