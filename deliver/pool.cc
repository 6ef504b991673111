#include "deliver/pool.h"

#include <algorithm>
#include <utility>

namespace deliver {

using Clock = std::chrono::steady_clock;

std::string pool_key(const po::messages::NextHop& hop) {
  std::string key = hop.name;
  for (const std::string& part :
       {std::to_string(static_cast<int>(hop.tls)), hop.user, hop.source, hop.helo}) {
    key += '\0';
    key += part;
  }
  return key;
}

// ---- DeadAddresses

void DeadAddresses::add(const po::messages::NetAddress& address, Moment now) {
  if (dead_.size() >= kMost) std::erase_if(dead_, [now](const auto& d) { return d.second <= now; });
  if (dead_.size() < kMost) dead_[key_of(address)] = now + kMemory;
}

bool DeadAddresses::contains(const po::messages::NetAddress& address, Moment now) const {
  auto at = dead_.find(key_of(address));
  return at != dead_.end() && at->second > now;
}

void DeadAddresses::put_last(std::vector<Endpoint>& endpoints, Moment now) const {
  if (dead_.empty()) return;
  std::stable_partition(endpoints.begin(), endpoints.end(),
                        [&](const Endpoint& e) { return !contains(e.address, now); });
}

// ---- Pool

Connection* Pool::take(const std::string& key) {
  auto hop = hops_.find(key);
  if (hop == hops_.end()) return nullptr;
  auto& waiting = hop->second.waiting;
  while (!waiting.empty()) {  // the youngest: the others may end
    Connection* c = waiting.back().connection;
    waiting.pop_back();
    --waiting_;
    if (c->usable()) return c;
  }
  return nullptr;
}

Connection& Pool::open(Connection::Place place, Terms terms, std::shared_ptr<const po::TlsContext> tls,
                       ConnectionUser& user, po::Fd connected) {
  ++hops_[place.key].connections;
  auto made = std::make_unique<Connection>(loop_, *this, std::move(place), std::move(terms), std::move(tls));
  Connection& c = *made;
  all_.emplace(&c, std::move(made));
  c.set_user(&user);
  if (connected) {
    c.start(std::move(connected));
  } else {
    c.start();
  }
  return c;
}

void Pool::give(Connection& c) {
  c.set_user(nullptr);
  Moment now = Clock::now();
  bool worn = c.messages() >= kMostMessages || now - c.since() >= kLife;
  if (!c.usable()) return;
  if (draining_ || worn || waiting_ >= kMostIdle) return c.quit();
  hops_[c.place().key].waiting.push_back({&c, now});
  ++waiting_;
}

void Pool::stop_waiting(Hop& hop, std::size_t i) {
  hop.waiting.erase(hop.waiting.begin() + static_cast<std::ptrdiff_t>(i));
  --waiting_;
}

void Pool::drain() {
  draining_ = true;
  for (auto& [key, hop] : hops_) {
    for (Waiting& w : std::exchange(hop.waiting, {})) w.connection->quit();
  }
  waiting_ = 0;
}

void Pool::tick(Moment now) {
  for (auto& [key, hop] : hops_) {
    for (std::size_t i = 0; i < hop.waiting.size();) {
      if (now - hop.waiting[i].since < kIdle) {
        ++i;
        continue;
      }
      Connection* c = hop.waiting[i].connection;
      stop_waiting(hop, i);
      c->quit();
    }
  }
  std::vector<Connection*> all;  // a tick may end one, and its user begin another
  all.reserve(all_.size());
  for (auto& [c, owned] : all_) all.push_back(c);
  for (Connection* c : all) c->tick(now);
}

std::size_t Pool::working(const std::string& key) const {
  auto hop = hops_.find(key);
  if (hop == hops_.end()) return 0;
  return static_cast<std::size_t>(std::count_if(all_.begin(), all_.end(), [&key](const auto& c) {
    return c.first->messages() > 0 && !c.first->over() && c.first->place().key == key;
  }));
}

void Pool::on_gone(Connection& c) {
  auto hop = hops_.find(c.place().key);
  if (hop != hops_.end()) {
    auto& waiting = hop->second.waiting;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].connection != &c) continue;
      stop_waiting(hop->second, i);
      break;
    }
    if (--hop->second.connections == 0) hops_.erase(hop);
  }
  all_.erase(&c);
}

}  // namespace deliver
