#include "accounts/slow_down.h"

#include <algorithm>

namespace accounts {
namespace {

using std::chrono::seconds;

constexpr seconds kRemember{3600};

/// Failures are forgotten this long after the last one.
seconds memory(const SlowDown::Limits& limits) {
  return std::max(kRemember, 2 * limits.longest);
}

std::string address_key(const SlowDown::Who& who) {
  return "address " + who.address;
}
std::string account_key(const SlowDown::Who& who) {
  return "account " + who.account;
}
std::string pair_key(const SlowDown::Who& who) {
  return "pair " + who.address + " " + who.account;
}

}  // namespace

seconds SlowDown::wait_for(const std::string& key, std::uint32_t limit, const Limits& limits,
                           Time now) const {
  auto found = entries_.find(key);
  if (found == entries_.end()) return seconds(0);
  const Entry& entry = found->second;
  if (entry.failures < limit || now - entry.last > memory(limits)) return seconds(0);
  std::uint32_t doublings = std::min(entry.failures - limit, 30U);
  seconds delay = std::min(limits.longest, seconds(1LL << doublings));
  auto left = std::chrono::ceil<seconds>(entry.last + delay - now);
  return std::max(left, seconds(0));
}

seconds SlowDown::wait(const Who& who, const Limits& limits, Time now) const {
  if (who.known) return wait_for(pair_key(who), limits.per_account, limits, now);
  return std::max(wait_for(address_key(who), limits.per_address, limits, now),
                  wait_for(account_key(who), limits.per_account, limits, now));
}

void SlowDown::failed(const Who& who, const Limits& limits, Time now) {
  count(address_key(who), limits, now);
  count(account_key(who), limits, now);
  if (who.known) count(pair_key(who), limits, now);
}

void SlowDown::count(const std::string& key, const Limits& limits, Time now) {
  auto [at, is_new] = entries_.try_emplace(key);
  Entry& entry = at->second;
  if (!is_new) order_.erase(entry.order);
  if (now - entry.last > memory(limits)) entry.failures = 0;
  entry.failures = std::min(entry.failures + 1, 1'000'000'000U);
  entry.last = now;
  entry.order = order_.insert(order_.begin(), key);
  while (entries_.size() > most_) {
    entries_.erase(order_.back());
    order_.pop_back();
  }
}

void SlowDown::succeeded(const Who& who) {
  auto found = entries_.find(pair_key(who));
  if (found == entries_.end()) return;
  order_.erase(found->second.order);
  entries_.erase(found);
}

}  // namespace accounts
