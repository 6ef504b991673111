#include "lib/dns_cache.h"

namespace po {

namespace {

/// Nodes of list and map, the key in both, and what the answer holds.
std::size_t cost_of(const DnsCache::Key& key, const DnsAnswer& answer) {
  constexpr std::size_t kNodes = 256;
  std::size_t cost = kNodes + 2 * key.first.size() + answer.addresses.size() * sizeof(messages::NetAddress);
  for (const std::string& name : answer.names) cost += sizeof(std::string) + name.size();
  for (const MailExchanger& mx : answer.exchangers) cost += sizeof(MailExchanger) + mx.name.size();
  return cost;
}

}  // namespace

std::optional<DnsAnswer> DnsCache::find(const Key& key, Clock::time_point now) {
  auto at = index_.find(key);
  if (at == index_.end()) return std::nullopt;
  if (at->second->expires <= now) {
    drop(at->second);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, at->second);
  return at->second->answer;
}

void DnsCache::put(const Key& key, DnsAnswer answer, std::chrono::seconds ttl, Clock::time_point now) {
  if (auto at = index_.find(key); at != index_.end()) drop(at->second);
  if (ttl <= std::chrono::seconds(0) || answer.status == DnsStatus::kTemporary) return;
  std::size_t cost = cost_of(key, answer);
  if (cost > max_octets_) return;
  while (octets_ + cost > max_octets_) drop(std::prev(entries_.end()));
  entries_.push_front({key, std::move(answer), now + ttl, cost});
  index_[key] = entries_.begin();
  octets_ += cost;
}

void DnsCache::drop(std::list<Entry>::iterator entry) {
  octets_ -= entry->cost;
  index_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace po
