#include "accounts/login_cache.h"

#include "lib/notice.h"
#include "lib/wire.h"

namespace accounts {

std::string LoginCache::name(std::uint64_t account, std::uint64_t revision, std::string_view stored,
                             std::string_view password) const {
  std::string text;
  po::wire::Writer w(text);  // every field with its length: no two quadruples give one text
  w.put(account);
  w.put(revision);
  w.put(stored);
  w.put(password);
  return po::hmac_sha256(key_, text);
}

bool LoginCache::hit(const std::string& name, Time now) {
  auto at = entries_.find(name);
  if (at == entries_.end()) return false;
  Entry& entry = at->second;
  if (now - entry.used > kLife || now - entry.made > kLongest) {
    forget(at);
    return false;
  }
  entry.used = now;
  order_.splice(order_.begin(), order_, entry.order);
  return true;
}

void LoginCache::put(const std::string& name, Time now) {
  if (auto at = entries_.find(name); at != entries_.end()) forget(at);
  order_.push_front(name);
  entries_[name] = {now, now, order_.begin()};
  while (entries_.size() > most_) forget(entries_.find(order_.back()));
}

void LoginCache::forget(std::unordered_map<std::string, Entry>::iterator at) {
  order_.erase(at->second.order);
  entries_.erase(at);
}

}  // namespace accounts
