#include "lib/dns_packet.h"

#include <fmt/format.h>
#include <udns.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "lib/address.h"
#include "lib/text.h"

namespace po {

using messages::NetAddress;
using Outcome = ParsedDnsAnswer::Outcome;

namespace {

/// A CNAME chain longer than this is taken for a loop.
constexpr int kMaxAliases = 16;

const dnscc_t* octets(std::string_view s) {
  return reinterpret_cast<const dnscc_t*>(s.data());
}

/// A name in wire form, letters in lower case: comparable, and free of compression.
using WireName = std::string;

struct Record {
  WireName owner;
  unsigned type = 0, cls = 0;
  std::uint32_t ttl = 0;
  std::size_t data = 0, size = 0;  ///< where the data lies in the packet
};

std::optional<WireName> wire_name(std::string_view name) {
  dnsc_t dn[DNS_MAXDN];
  if (!is_host_name(name)) return std::nullopt;
  int n = dns_ptodn(name.data(), static_cast<unsigned>(name.size()), dn, sizeof dn, nullptr);
  if (n <= 0) return std::nullopt;
  return ascii_lower(std::string_view(reinterpret_cast<const char*>(dn), static_cast<std::size_t>(n)));
}

/// As text, if every label consists of what a host name may have (a label may hold any octet, also a dot).
std::optional<std::string> host_name(const WireName& dn) {
  std::string out;
  for (std::size_t at = 0; at < dn.size() && dn[at] != '\0';) {
    std::size_t n = static_cast<unsigned char>(dn[at]);
    if (n > dn.size() - at - 1) return std::nullopt;
    std::string_view label = std::string_view(dn).substr(at + 1, n);
    if (label.find('.') != std::string_view::npos) return std::nullopt;
    if (!out.empty()) out += '.';
    out.append(label);
    at += n + 1;
  }
  if (!is_host_name(out)) return std::nullopt;
  return out;
}

class Packet {
 public:
  explicit Packet(std::string_view bytes) : bytes_(bytes), at_(DNS_HSIZE) {}

  [[nodiscard]] std::optional<WireName> name() { return name_at(at_); }
  /// A name in the data of a record; compression may point anywhere before. The octet more is for udns, which
  /// bounds the labels alone and puts the root's behind them: a name of 256 octets, one too many (RFC 1035
  /// 2.3.4), it writes past a buffer of 255.
  [[nodiscard]] std::optional<WireName> name_at(std::size_t& at) const {
    dnsc_t dn[DNS_MAXDN + 1];
    const dnscc_t* begin = octets(bytes_);
    const dnscc_t* cursor = begin + at;
    int n = at < bytes_.size() ? dns_getdn(begin, &cursor, begin + bytes_.size(), dn, sizeof dn) : -1;
    if (n <= 0 || n > DNS_MAXDN) return std::nullopt;
    at = static_cast<std::size_t>(cursor - begin);
    return ascii_lower(std::string_view(reinterpret_cast<const char*>(dn), static_cast<std::size_t>(n)));
  }
  [[nodiscard]] std::optional<unsigned> u16() {
    if (bytes_.size() - at_ < 2) return std::nullopt;
    unsigned v = dns_get16(octets(bytes_) + at_);
    at_ += 2;
    return v;
  }
  [[nodiscard]] std::uint16_t u16_at(std::size_t at) const {
    return static_cast<std::uint16_t>(dns_get16(octets(bytes_) + at));
  }
  [[nodiscard]] std::uint32_t u32_at(std::size_t at) const { return dns_get32(octets(bytes_) + at); }
  [[nodiscard]] std::optional<Record> record() {
    constexpr std::size_t kFixed = 10;
    auto owner = name();
    if (!owner || bytes_.size() - at_ < kFixed) return std::nullopt;
    const dnscc_t* p = octets(bytes_) + at_;
    Record r{std::move(*owner), dns_get16(p), dns_get16(p + 2),
             dns_get32(p + 4),  at_ + kFixed, dns_get16(p + 8)};
    if (bytes_.size() - r.data < r.size) return std::nullopt;
    at_ = r.data + r.size;
    return r;
  }
  [[nodiscard]] std::string_view data(const Record& r) const { return bytes_.substr(r.data, r.size); }

 private:
  std::string_view bytes_;
  std::size_t at_;
};

struct Sections {
  std::vector<Record> answer, authority;
};

/// Nothing if a record is not whole. The additional section is not read.
std::optional<Sections> read_sections(Packet& packet, unsigned answers, unsigned authorities) {
  Sections s;
  for (unsigned i = 0; i < answers + authorities; ++i) {
    auto r = packet.record();
    if (!r) return std::nullopt;
    (i < answers ? s.answer : s.authority).push_back(std::move(*r));
  }
  return s;
}

bool is_soa(const Record& r) {
  return r.type == DNS_T_SOA && r.cls == DNS_C_IN;
}

/// RFC 2308 section 5: the smaller of the SOA's TTL and its last field. Without an SOA nothing may be kept.
std::uint32_t negative_ttl(const Packet& packet, const Sections& s) {
  for (const Record& r : s.authority) {
    if (is_soa(r) && r.size >= 22) return std::min(r.ttl, packet.u32_at(r.data + r.size - 4));
  }
  return 0;
}

std::chrono::seconds cap(std::uint32_t ttl) {
  // RFC 2181 section 8: a TTL with the top bit set is 0.
  if (ttl > 0x7fffffff) ttl = 0;
  return std::min(std::chrono::seconds(ttl), kMaxDnsTtl);
}

void add_address(DnsAnswer& out, std::string_view data, DnsType type) {
  std::size_t want = type == DnsType::kA ? 4 : 16;
  if (data.size() != want || out.addresses.size() == kMaxDnsAddresses) return;
  NetAddress a;
  a.family = type == DnsType::kA ? 4 : 6;
  std::memcpy(a.octets.data(), data.data(), want);
  out.addresses.push_back(a);
}

void add_name(DnsAnswer& out, const Packet& packet, const Record& r) {
  std::size_t at = r.data;
  auto dn = packet.name_at(at);
  if (!dn || at != r.data + r.size || out.names.size() == kMaxDnsNames) return;
  if (auto text = host_name(*dn)) out.names.push_back(std::move(*text));
}

/// RFC 1035 3.3.9. False if the record is not whole; what has no legal host name is left out.
bool add_exchanger(DnsAnswer& out, const Packet& packet, const Record& r) {
  std::size_t at = r.data + 2;
  if (r.size < 3) return false;
  auto dn = packet.name_at(at);
  if (!dn || at != r.data + r.size) return false;
  auto text = dn->size() == 1 ? std::optional<std::string>(".") : host_name(*dn);
  if (text && out.exchangers.size() < kMaxDnsExchangers)
    out.exchangers.push_back({packet.u16_at(r.data), std::move(*text)});
  return true;
}

/// False if the record is not whole. A PTR or an address that is not what it should be is left out.
bool add_record(DnsAnswer& out, const Packet& packet, const Record& r, DnsType type) {
  if (type == DnsType::kMx) return add_exchanger(out, packet, r);
  if (type == DnsType::kPtr) {
    add_name(out, packet, r);
  } else {
    add_address(out, packet.data(r), type);
  }
  return true;
}

/// Follows aliases from `name`, in whatever order the records stand, then takes what has the type. False if a
/// record of it is not whole.
[[nodiscard]] bool collect(const Packet& packet, const Sections& s, WireName name, DnsType type,
                           ParsedDnsAnswer& out) {
  std::uint32_t ttl = 0xffffffff;
  bool found_mx = false;  // perhaps with no legal name
  for (int hop = 0; hop < kMaxAliases; ++hop) {
    auto alias = std::find_if(s.answer.begin(), s.answer.end(), [&](const Record& r) {
      return r.type == DNS_T_CNAME && r.cls == DNS_C_IN && r.owner == name;
    });
    if (alias == s.answer.end()) break;
    std::size_t at = alias->data;
    auto target = packet.name_at(at);
    if (!target) break;
    ttl = std::min(ttl, alias->ttl);
    name = std::move(*target);
  }
  for (const Record& r : s.answer) {
    if (r.type != static_cast<unsigned>(type) || r.cls != DNS_C_IN || r.owner != name) continue;
    ttl = std::min(ttl, r.ttl);
    if (!add_record(out.answer, packet, r, type)) return false;
    found_mx = type == DnsType::kMx;
  }
  bool found = found_mx || !out.answer.addresses.empty() || !out.answer.names.empty();
  out.answer.status = found ? DnsStatus::kOk : DnsStatus::kNotFound;
  out.ttl = cap(found ? ttl : std::min(ttl, negative_ttl(packet, s)));
  return true;
}

/// A delegation instead of an answer comes from a server that does not resolve for us.
bool is_referral(const Sections& s) {
  auto is_ns = [](const Record& r) { return r.type == DNS_T_NS; };
  return s.answer.empty() && std::any_of(s.authority.begin(), s.authority.end(), is_ns) &&
         std::none_of(s.authority.begin(), s.authority.end(), is_soa);
}

bool is_our_question(Packet& packet, const WireName& name, DnsType type) {
  auto asked = packet.name();
  if (!asked || *asked != name) return false;
  return packet.u16() == static_cast<unsigned>(type) && packet.u16() == static_cast<unsigned>(DNS_C_IN);
}

void put16(std::string& out, unsigned v) {
  out += static_cast<char>(v >> 8 & 0xff);
  out += static_cast<char>(v & 0xff);
}

}  // namespace

std::optional<std::string> build_dns_query(std::uint16_t id, std::string_view name, DnsType type, bool edns) {
  auto dn = wire_name(name);
  if (!dn) return std::nullopt;
  std::string out;
  put16(out, id);
  put16(out, DNS_HF1_RD << 8);
  for (unsigned count : {1U, 0U, 0U, edns ? 1U : 0U}) put16(out, count);
  out += *dn;
  put16(out, static_cast<unsigned>(type));
  put16(out, DNS_C_IN);
  if (edns) {
    out += '\0';  // the root, owner of OPT
    put16(out, DNS_T_OPT);
    put16(out, kDnsUdpSize);
    out.append(6, '\0');  // extended code, version, flags, no options
  }
  return out;
}

ParsedDnsAnswer parse_dns_answer(std::string_view bytes, std::uint16_t id, std::string_view name,
                                 DnsType type) {
  ParsedDnsAnswer out;
  auto dn = wire_name(name);
  if (!dn || bytes.size() < DNS_HSIZE) return out;
  const dnscc_t* head = octets(bytes);
  if (dns_qid(head) != id || !dns_qr(head) || dns_opcode(head) != 0) return out;
  unsigned code = dns_rcode(head);
  bool refuses_edns = code == DNS_R_FORMERR || code == DNS_R_NOTIMPL;
  Packet packet(bytes);
  // Some servers that do not know EDNS0 leave the question out of their refusal. Not more is taken from it
  // than that.
  if (dns_numqd(head) == 0 && refuses_edns) {
    out.outcome = Outcome::kNoEdns;
    return out;
  }
  if (dns_numqd(head) != 1 || !is_our_question(packet, *dn, type)) return out;
  if (refuses_edns) {
    out.outcome = Outcome::kNoEdns;
  } else if (code != DNS_R_NOERROR && code != DNS_R_NXDOMAIN) {
    out.outcome = Outcome::kServerFailed;
  } else if (dns_tc(head)) {
    out.outcome = Outcome::kTruncated;
  } else {
    auto sections = read_sections(packet, dns_numan(head), dns_numns(head));
    out.outcome = !sections || (code == DNS_R_NOERROR && is_referral(*sections)) ? Outcome::kServerFailed
                                                                                 : Outcome::kAnswer;
    if (out.outcome == Outcome::kAnswer && !collect(packet, *sections, std::move(*dn), type, out))
      out = {Outcome::kServerFailed, {}, {}};
  }
  return out;
}

std::string reverse_name(const NetAddress& a) {
  std::string out;
  if (a.family == 4) {
    return fmt::format("{}.{}.{}.{}.in-addr.arpa", a.octets[3], a.octets[2], a.octets[1], a.octets[0]);
  }
  if (a.family != 6) return out;
  for (std::size_t i = 16; i-- > 0;) out += fmt::format("{:x}.{:x}.", a.octets[i] & 15, a.octets[i] >> 4);
  return out + "ip6.arpa";
}

}  // namespace po
