// Remembers for some minutes that a password was right, so that clients which poll cost no scrypt. It holds
// no password: an entry is an HMAC, with a key of this start, over account, stored hash, account revision and
// password. So a changed password or account simply never hits again. The clock is passed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lib/messages.h"

namespace accounts {

class LoginCache {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::minutes kLife{15};   ///< after the last hit
  static constexpr std::chrono::hours kLongest{12};  ///< after the password was really checked

  explicit LoginCache(const po::messages::Key& key, std::size_t most_entries = 100'000)
      : key_(key), most_(most_entries) {}

  [[nodiscard]] std::string name(std::uint64_t account, std::uint64_t revision, std::string_view stored,
                                 std::string_view password) const;
  [[nodiscard]] bool hit(const std::string& name, Time now);
  void put(const std::string& name, Time now);

 private:
  struct Entry {
    Time made{}, used{};
    std::list<std::string>::iterator order;
  };
  void forget(std::unordered_map<std::string, Entry>::iterator at);

  po::messages::Key key_;
  std::size_t most_;
  std::list<std::string> order_;  ///< last used first
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace accounts
