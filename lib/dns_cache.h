// Answers of DNS for as long as their TTL allows, least recently used ones going first when a bound on memory
// is reached. Strangers choose what is asked, so the bound is in octets, not in answers. The clock is passed
// in. Caller: lib/dns.cc.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "lib/dns.h"

namespace po {

class DnsCache {
 public:
  using Clock = std::chrono::steady_clock;
  using Key = std::pair<std::string, DnsType>;

  explicit DnsCache(std::size_t max_octets) : max_octets_(max_octets) {}
  [[nodiscard]] std::optional<DnsAnswer> find(const Key& key, Clock::time_point now);
  /// Keeps kOk and kNotFound; a `ttl` of 0 keeps nothing.
  void put(const Key& key, DnsAnswer answer, std::chrono::seconds ttl, Clock::time_point now);
  [[nodiscard]] std::size_t octets() const { return octets_; }

 private:
  struct Entry {
    Key key;
    DnsAnswer answer;
    Clock::time_point expires;
    std::size_t cost;
  };
  void drop(std::list<Entry>::iterator entry);

  std::size_t max_octets_, octets_ = 0;
  std::list<Entry> entries_;  ///< most recently used first
  std::map<Key, std::list<Entry>::iterator> index_;
};

}  // namespace po
