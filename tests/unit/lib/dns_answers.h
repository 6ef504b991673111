// Answers of DNS built octet by octet, for the tests of the parser and of the resolver.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dns.h"
#include "lib/net_address.h"

namespace dns_answers {

using po::DnsAnswer;
using po::DnsStatus;
using po::messages::NetAddress;

inline NetAddress number(const char* text) {
  return po::parse_address(text).value();
}

inline std::string show(const DnsAnswer& a) {
  std::string out = a.status == DnsStatus::kOk         ? "ok"
                    : a.status == DnsStatus::kNotFound ? "none"
                                                       : "temporary";
  for (const auto& x : a.addresses) out += " " + po::address_text(x);
  for (const auto& n : a.names) out += " " + n;
  for (const auto& m : a.exchangers) out += " " + std::to_string(m.preference) + "/" + m.name;
  return out;
}

inline std::string u16(unsigned v) {
  return {static_cast<char>(v >> 8), static_cast<char>(v)};
}
inline std::string u32(std::uint32_t v) {
  return u16(v >> 16) + u16(v & 0xffff);
}

inline std::string wire(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    std::size_t n = std::min(name.find('.'), name.size());
    out += static_cast<char>(n);
    out += name.substr(0, n);
    name.remove_prefix(std::min(n + 1, name.size()));
  }
  return out + '\0';
}

inline constexpr unsigned kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kMx = 15, kAaaa = 28;

inline std::string rr(const std::string& owner, unsigned type, std::uint32_t ttl, const std::string& data) {
  return owner + u16(type) + u16(1) + u32(ttl) + u16(static_cast<unsigned>(data.size())) + data;
}
inline std::string a4(const std::string& owner, const char* address, std::uint32_t ttl = 300) {
  auto n = number(address);
  return rr(owner, n.family == 4 ? kA : kAaaa, ttl,
            std::string(reinterpret_cast<const char*>(n.octets.data()), n.family == 4 ? 4 : 16));
}
inline std::string mx(const std::string& owner, unsigned preference, const std::string& name,
                      std::uint32_t ttl = 300) {
  return rr(owner, kMx, ttl, u16(preference) + name);
}
inline std::string soa(std::uint32_t ttl, std::uint32_t minimum) {
  return rr(wire("x.org"), kSoa, ttl,
            wire("ns.x.org") + wire("root.x.org") + u32(1) + u32(2) + u32(3) + u32(4) + u32(minimum));
}

struct Reply {
  unsigned flags = 0x8180;
  std::vector<std::string> answer = {}, authority = {};
};

inline std::string packet(unsigned id, std::string_view name, unsigned type, const Reply& r) {
  std::string out = u16(id) + u16(r.flags) + u16(1) + u16(static_cast<unsigned>(r.answer.size())) +
                    u16(static_cast<unsigned>(r.authority.size())) + u16(0) + wire(name) + u16(type) + u16(1);
  for (const auto& s : r.answer) out += s;
  for (const auto& s : r.authority) out += s;
  return out;
}

inline const std::string kOwner("\xc0\x0c", 2);  // a pointer to the question's name

}  // namespace dns_answers
