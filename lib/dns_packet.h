// The wire form of DNS (RFC 1035, EDNS0 of RFC 6891): one question out, one answer in. An answer is hostile
// from the first octet: it is taken only if its id and its question are ours, every record is inside the
// packet, and names come out as legal host names or not at all. Compressed names are read by udns; the
// records are walked here, because the negative TTL stands in a section that udns does not give. Pure;
// caller: lib/dns.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/dns.h"

namespace po {

/// What servers may send by UDP; larger answers are asked by TCP. 1232 passes every path unfragmented
/// (forged second fragments are one way to poison a cache).
inline constexpr std::uint16_t kDnsUdpSize = 1232;
/// More addresses or names in one answer are not kept.
inline constexpr std::size_t kMaxDnsAddresses = 512;
inline constexpr std::size_t kMaxDnsNames = 64;
inline constexpr std::size_t kMaxDnsExchangers = 128;
inline constexpr std::chrono::seconds kMaxDnsTtl{3600};

/// Nothing if `name` is no legal host name.
[[nodiscard]] std::optional<std::string> build_dns_query(std::uint16_t id, std::string_view name,
                                                         DnsType type, bool edns);

struct ParsedDnsAnswer {
  enum class Outcome : std::uint8_t {
    kNotOurs,       ///< not the answer to this question: wait on
    kTruncated,     ///< ask again by TCP
    kServerFailed,  ///< this server cannot say; another may
    kNoEdns,        ///< this server does not know EDNS0: ask again without
    kAnswer,        ///< `answer` holds kOk or kNotFound, for `ttl`
  };
  Outcome outcome = Outcome::kNotOurs;
  DnsAnswer answer;
  std::chrono::seconds ttl{0};  ///< the smallest of all records used, at most kMaxDnsTtl
};

[[nodiscard]] ParsedDnsAnswer parse_dns_answer(std::string_view packet, std::uint16_t id,
                                               std::string_view name, DnsType type);

/// "4.3.2.1.in-addr.arpa" or its ip6.arpa form; empty for a local peer.
[[nodiscard]] std::string reverse_name(const messages::NetAddress& address);

}  // namespace po
