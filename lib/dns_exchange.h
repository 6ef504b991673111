// One question on the wire: by UDP to one server after the other, by TCP where the answer was truncated,
// without EDNS0 where a server does not know it, all within one time limit. Sockets of earlier tries stay
// open until the end, because a resolver that works long for us answers late. Caller: lib/dns.cc.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/dns_packet.h"
#include "lib/fd.h"
#include "lib/loop.h"

namespace po {

class DnsExchange {
 public:
  struct Question {
    std::string name;
    DnsType type = DnsType::kA;
  };
  /// Called once. `server` is the one that answered. Must not destroy the exchange, only put it aside.
  using OnDone = std::function<void(DnsAnswer answer, std::chrono::seconds ttl, std::size_t server)>;

  /// The time limit begins here, start() may come later. `servers` must not be empty and must outlive this.
  DnsExchange(const Loop& loop, const std::vector<messages::NetAddress>& servers, Question question,
              std::chrono::milliseconds time_limit, OnDone on_done);
  DnsExchange(const DnsExchange&) = delete;
  DnsExchange& operator=(const DnsExchange&) = delete;

  /// Asks, `first_server` first.
  void start(std::size_t first_server);
  [[nodiscard]] bool started() const { return started_; }

 private:
  struct Attempt {
    std::size_t server = 0;
    bool edns = true, tcp = false, connected = false;
    std::uint16_t id = 0;
    Fd socket;
    std::string query, received;  ///< received: TCP only
    Event event;
  };
  void try_next();
  void attempt(std::size_t server, bool edns, bool tcp);
  bool open(Attempt& a);
  void send_tcp(Attempt& a);
  void read_udp(Attempt& a);
  void read_tcp(Attempt& a);
  void on_packet(Attempt& a, std::string_view packet);
  void fail(Attempt& a);
  void close(Attempt& a);
  void give_up();
  void done(DnsAnswer answer, std::chrono::seconds ttl, std::size_t server);

  const Loop& loop_;
  const std::vector<messages::NetAddress>& servers_;
  Question question_;
  std::chrono::milliseconds step_;
  OnDone on_done_;
  std::size_t first_ = 0, tries_ = 0, max_tries_, open_ = 0;
  bool started_ = false, done_ = false;
  Event deadline_, next_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
};

}  // namespace po
