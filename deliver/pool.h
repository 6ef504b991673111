// The connections of the process: those at work, and those that wait for the next job of the same next hop;
// and which addresses could not be reached lately. Nothing in it matters after a restart. Callers: delivery,
// server.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "deliver/connection.h"
#include "lib/loop.h"
#include "lib/messages.h"

namespace deliver {

/// What connections of a job may be used by another: everything in the next hop that makes a difference.
[[nodiscard]] std::string pool_key(const po::messages::NextHop& hop);

/// Addresses that could not be reached, for a minute. Bounded.
class DeadAddresses {
 public:
  static constexpr auto kMemory = std::chrono::seconds(60);
  static constexpr std::size_t kMost = 10'000;

  void add(const po::messages::NetAddress& address, Moment now);
  void remove(const po::messages::NetAddress& address) { dead_.erase(key_of(address)); }
  [[nodiscard]] bool contains(const po::messages::NetAddress& address, Moment now) const;
  /// Moves those that are in here behind the others, without changing the order else.
  void put_last(std::vector<Endpoint>& endpoints, Moment now) const;

 private:
  using Key = std::tuple<std::uint8_t, std::array<std::uint8_t, 16>, std::uint16_t>;
  static Key key_of(const po::messages::NetAddress& a) { return {a.family, a.octets, a.port}; }
  std::map<Key, Moment> dead_;  ///< until when
};

class Pool final : public ConnectionOwner {
 public:
  static constexpr auto kIdle = std::chrono::seconds(5);
  static constexpr auto kLife = std::chrono::minutes(5);
  static constexpr std::uint64_t kMostMessages = 1000;
  static constexpr std::size_t kMostIdle = 200;

  explicit Pool(const po::Loop& loop) : loop_(loop) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// A connection that waits, without user; null: there is none.
  [[nodiscard]] Connection* take(const std::string& key);
  /// A new one, which begins to connect; or by one that somebody else has connected.
  [[nodiscard]] Connection& open(Connection::Place place, Terms terms,
                                 std::shared_ptr<const po::TlsContext> tls, ConnectionUser& user,
                                 po::Fd connected = {});
  /// It is needed no more: kept, or ended with QUIT.
  void give(Connection& connection);
  /// Ends those that wait, and keeps none from now on.
  void drain();
  /// Each second.
  void tick(Moment now);
  /// How many with this key have carried something and are at work.
  [[nodiscard]] std::size_t working(const std::string& key) const;
  [[nodiscard]] std::size_t size() const { return all_.size(); }
  [[nodiscard]] DeadAddresses& dead() { return dead_; }

  void on_gone(Connection& connection) override;

 private:
  struct Waiting {
    Connection* connection;
    Moment since;
  };
  struct Hop {
    std::vector<Waiting> waiting;
    std::size_t connections = 0;
  };
  void stop_waiting(Hop& hop, std::size_t i);

  const po::Loop& loop_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> all_;
  std::unordered_map<std::string, Hop> hops_;
  std::size_t waiting_ = 0;
  bool draining_ = false;
  DeadAddresses dead_;
};

}  // namespace deliver
