// Slows down those who guess passwords, by address (lib/net_address.h limit_key) and by account, and nobody
// else. After the limit each further failure doubles the time until the next try is looked at. A pair of
// account and address that logged in within 30 days ("known") is judged by its own failures alone, so that no
// stranger can lock a user out. Pure: the clock is passed in. Memory is bounded: the entries that failed
// longest ago go first.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

namespace accounts {

class SlowDown {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Limits {
    std::uint32_t per_address = 10, per_account = 20;
    std::chrono::seconds longest{900};
  };
  struct Who {
    std::string address;  ///< limit key
    std::string account;  ///< the id, or the folded name if there is no such account
    bool known = false;
  };

  explicit SlowDown(std::size_t most_entries = 200'000) : most_(most_entries) {}

  /// How long this try has to wait; 0: go ahead.
  [[nodiscard]] std::chrono::seconds wait(const Who& who, const Limits& limits, Time now) const;
  void failed(const Who& who, const Limits& limits, Time now);
  /// Forgets the failures of this pair only: whoever has one account must not clear his address for guessing
  /// others.
  void succeeded(const Who& who);
  [[nodiscard]] std::size_t entries() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint32_t failures = 0;
    Time last{};
    std::list<std::string>::iterator order;
  };
  [[nodiscard]] std::chrono::seconds wait_for(const std::string& key, std::uint32_t limit,
                                              const Limits& limits, Time now) const;
  void count(const std::string& key, const Limits& limits, Time now);

  std::size_t most_;
  std::list<std::string> order_;  ///< newest failure first
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace accounts
