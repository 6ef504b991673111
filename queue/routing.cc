#include "queue/routing.h"

#include "lib/checksum.h"

namespace queue {

std::string_view domain_part(std::string_view address) {
  auto at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view{} : address.substr(at + 1);
}

std::uint8_t lane_of(const store::Envelope& e) {
  std::string text = std::to_string(e.account) + ' ' + std::to_string(e.local_uid) + ' ';
  text.append(reinterpret_cast<const char*>(e.client.octets.data()), e.client.octets.size());
  po::Checksum sum;
  sum.add(text);
  std::uint64_t mixed = sum.value() * 0x9e3779b97f4a7c15ULL;
  return static_cast<std::uint8_t>(mixed >> 56);
}

po::messages::NextHop next_hop(const directory::RoutingTable& table, std::string_view address,
                               std::string_view sender) {
  return table.next_hop(domain_part(address), domain_part(sender));
}

std::string hop_name(const directory::RoutingTable& table, const directory::Target& target,
                     std::string_view sender) {
  using Kind = directory::Target::Kind;
  if (target.kind == Kind::kMaildrop) return std::string(kMaildropHop);
  if (target.kind == Kind::kHeld) return std::string(kLocalHop);
  return next_hop(table, target.address, sender).name;
}

}  // namespace queue
