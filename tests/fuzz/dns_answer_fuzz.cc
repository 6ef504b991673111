// Answers of DNS to a question for q.x.org (id 7; the first octet chooses the type): no read outside the
// packet, nothing in the result but legal names and bounded numbers.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/address.h"
#include "lib/dns_hosts.h"
#include "lib/dns_packet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr po::DnsType kTypes[] = {po::DnsType::kA, po::DnsType::kAaaa, po::DnsType::kPtr, po::DnsType::kMx};
  // A copy of the exact size, so that a read behind it is seen.
  std::string packet(reinterpret_cast<const char*>(data) + 1, size - 1);
  packet.shrink_to_fit();
  auto parsed = po::parse_dns_answer(packet, 7, "q.x.org", kTypes[data[0] % 4]);
  for (const auto& name : parsed.answer.names) {
    if (!po::is_host_name(name)) std::abort();
  }
  for (const auto& mx : parsed.answer.exchangers) {
    if (mx.name != "." && !po::is_host_name(mx.name)) std::abort();
  }
  if (parsed.answer.exchangers.size() > po::kMaxDnsExchangers) std::abort();
  if (parsed.ttl > po::kMaxDnsTtl || parsed.answer.addresses.size() > po::kMaxDnsAddresses) std::abort();
  if (kTypes[data[0] % 4] == po::DnsType::kMx) return 0;  // kOk may mean that no name was legal
  bool found = !parsed.answer.addresses.empty() || !parsed.answer.names.empty();
  if (found != (parsed.answer.status == po::DnsStatus::kOk)) std::abort();
  (void)po::HostsFile(packet);
  return 0;
}
