// queue as a whole for tests: Server over a store that the test passes, and peers at the other ends of its
// pipes.
#pragma once

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "lib/channel.h"
#include "lib/ticket.h"
#include "queue/server.h"
#include "tests/unit/queue/test_routing.h"
#include "tests/unit/store/temporary_store.h"

namespace queue::testing {

using namespace po::messages;
using po::Channel;
using po::Fd;

inline constexpr Key kKey = {4, 2};
inline constexpr Key kOrderKey = {2, 4};

struct TestPeer {
  std::unique_ptr<Channel> channel;
  struct Got {
    std::uint16_t type;
    std::uint32_t serial;
    std::string payload;
    Fd fd;
  };
  std::deque<Got> got;
  bool closed = false;
};

class TestOffice {
 public:
  explicit TestOffice(store::Store& s, std::vector<directory::Errand> errands_now = {})
      : errands(std::move(errands_now)), store_(s) {
    start();
  }
  void start() {
    server_ = std::make_unique<Server>(Parts{
        .loop = loop_,
        .log = log_,
        .store = store_,
        .ticket_key = kKey,
        .order_key = kOrderKey,
        .hostname = "mail.example.org",
        .routing = routing_without_gone(),
        .errands = [this](const directory::ErrandPosition& after,
                          std::size_t limit) { return errands_behind(after, limit); },
        .generation = [this] { return generation; },
        .settings = [] { return queue::testing::settings(); },
        .min_free_disk = [this] { return min_free; },
        .default_limit = [] { return std::uint64_t{0}; },
        .finished = [this] { finished = true; },
        .lost = [this] { lost = true; },
        .release_after = std::chrono::milliseconds(0),
    });
  }
  std::unique_ptr<TestPeer> connect(Role role) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    auto peer = std::make_unique<TestPeer>();
    TestPeer* raw = peer.get();
    peer->channel = std::make_unique<Channel>(
        loop_, Fd(fds[0]),
        [raw](po::Frame& f) {
          raw->got.push_back({f.type, f.serial, std::string(f.payload), std::move(f.fd)});
          return true;
        },
        [raw](std::string_view) { raw->closed = true; });
    server_->on_peer({role, role_name(role)}, Fd(fds[1]));
    return peer;
  }
  template <class Condition>
  void run_until(Condition condition) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      timeval brief{0, 5000};
      event_base_loopexit(loop_.base(), &brief);
      event_base_loop(loop_.base(), EVLOOP_ONCE);
    }
    REQUIRE(condition());
  }
  template <class M>
  M wait_for(TestPeer& peer, Fd* fd = nullptr) {
    run_until([&] { return !peer.got.empty(); });
    M m;
    REQUIRE(peer.got.front().type == M::kType);
    REQUIRE(po::wire::decode(peer.got.front().payload, m));
    if (fd != nullptr) *fd = std::move(peer.got.front().fd);
    peer.got.pop_front();
    return m;
  }
  template <class A, class Q>
  A ask(TestPeer& peer, const Q& question, Fd* fd = nullptr) {
    peer.channel->send(peer.channel->next_serial(), question);
    return wait_for<A>(peer, fd);
  }
  Mailbox open_mailbox(TestPeer& peer, std::uint64_t account) {
    static std::uint64_t nonce = 0;
    std::string ticket = po::seal_ticket(kKey, {account, po::ticket_now_ms(), ++nonce, "s"});
    return ask<Mailbox>(peer, OpenMailbox{ticket, "s"});
  }
  Server& server() { return *server_; }
  po::Loop& loop() { return loop_; }
  std::vector<directory::Errand> errands;
  std::uint64_t generation = 1'000'000;
  std::set<std::uint64_t> gone;  ///< accounts that the directory does not know
  std::uint64_t min_free = 0;
  bool lost = false, finished = false;

 private:
  Routing routing_without_gone() {
    Routing out = queue::testing::routing();
    out.account = [this, all = out.account](std::uint64_t id) {
      if (gone.contains(id)) return po::Result<std::optional<directory::Account>>();
      return all(id);
    };
    return out;
  }
  std::vector<directory::Errand> errands_behind(const directory::ErrandPosition& after, std::size_t limit) {
    std::vector<directory::Errand> out;
    for (const directory::Errand& errand : errands)
      if (errand.position > after && out.size() < limit) out.push_back(errand);
    return out;
  }
  po::Loop loop_;
  po::Log log_;
  store::Store& store_;
  std::unique_ptr<Server> server_;
};

inline Submit submission(std::uint64_t n, std::string body, std::initializer_list<const char*> to) {
  Submit s;
  s.id = store::testing::id_number(n);
  s.sender = "me@example.org";
  s.session = "s";
  s.size = body.size();
  s.checksum = store::testing::checksum(body);
  s.body = std::move(body);
  for (const char* a : to) s.recipients.push_back({a, 0, ""});
  return s;
}

}  // namespace queue::testing
