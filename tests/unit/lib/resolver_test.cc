// The Resolver against DNS servers in this process: offline, on the loopback address.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <map>
#include <memory>

#include "lib/dns.h"
#include "lib/fd.h"
#include "lib/net_address.h"
#include "tests/unit/lib/dns_answers.h"

using namespace dns_answers;
using po::DnsType;
using std::chrono::milliseconds;

namespace {

class FakeServer {
 public:
  /// Makes the answer to a question: empty for silence.
  using Answer =
      std::function<std::string(unsigned id, const std::string& name, unsigned type, bool tcp, bool edns)>;

  FakeServer(const po::Loop& loop, Answer answer) : loop_(loop), answer_(std::move(answer)) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // UDP and TCP must have the same port: try until both are free.
    for (int i = 0; i < 100; ++i) {
      in.sin_port = 0;
      udp_.reset(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
      tcp_.reset(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      socklen_t n = sizeof in;
      bool bound = bind(udp_.get(), reinterpret_cast<sockaddr*>(&in), n) == 0 &&
                   getsockname(udp_.get(), reinterpret_cast<sockaddr*>(&in), &n) == 0 &&
                   bind(tcp_.get(), reinterpret_cast<sockaddr*>(&in), n) == 0 && listen(tcp_.get(), 5) == 0;
      if (bound) break;
    }
    address_ = po::net_address(&in, sizeof in);
    on_udp_.on_readable(loop, udp_.get(), [this] { read_udp(); });
    on_tcp_.on_readable(loop, tcp_.get(), [this] { accept_tcp(); });
  }
  [[nodiscard]] NetAddress address() const { return address_; }
  int questions = 0, tcp_questions = 0;

 private:
  std::string reply(std::string_view q, bool tcp) {
    ++questions;
    if (tcp) ++tcp_questions;
    REQUIRE(q.size() > 16);
    unsigned id = static_cast<unsigned char>(q[0]) << 8 | static_cast<unsigned char>(q[1]);
    std::string name;
    std::size_t at = 12;
    for (; q[at] != 0; at += static_cast<std::size_t>(q[at]) + 1) {
      name += (name.empty() ? "" : ".") + std::string(q.substr(at + 1, static_cast<std::size_t>(q[at])));
    }
    unsigned type = static_cast<unsigned char>(q[at + 2]);
    return answer_(id, name, type, tcp, q[11] == 1);
  }
  void read_udp() {
    char buffer[600];
    sockaddr_storage from{};
    socklen_t n = sizeof from;
    ssize_t got = recvfrom(udp_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &n);
    REQUIRE(got > 0);
    std::string out = reply({buffer, static_cast<std::size_t>(got)}, false);
    if (!out.empty())
      REQUIRE(sendto(udp_.get(), out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&from), n) > 0);
  }
  void accept_tcp() {
    peer_.reset(accept4(tcp_.get(), nullptr, nullptr, SOCK_NONBLOCK));
    on_peer_.on_readable(loop_, peer_.get(), [this] {
      char buffer[600];
      ssize_t got = recv(peer_.get(), buffer, sizeof buffer, 0);
      if (got > 2) {
        std::string out = reply({buffer + 2, static_cast<std::size_t>(got) - 2}, true);
        out = u16(static_cast<unsigned>(out.size())) + out;
        // In two pieces, the first of which ends inside the length.
        REQUIRE(send(peer_.get(), out.data(), 1, MSG_NOSIGNAL) == 1);
        rest_ = out.substr(1);
        later_.after(loop_, milliseconds(5),
                     [this] { (void)send(peer_.get(), rest_.data(), rest_.size(), MSG_NOSIGNAL); });
      } else {
        on_peer_.cancel();
      }
    });
  }

  const po::Loop& loop_;
  Answer answer_;
  po::Fd udp_, tcp_, peer_;
  po::Event on_udp_, on_tcp_, on_peer_, later_;
  std::string rest_;
  NetAddress address_;
};

/// Zone data: "name/type" -> reply.
FakeServer::Answer zone(std::map<std::string, Reply> data) {
  return [data = std::move(data)](unsigned id, const std::string& name, unsigned type, bool, bool) {
    auto at = data.find(name + "/" + std::to_string(type));
    return packet(id, name, type,
                  at == data.end() ? Reply{.flags = 0x8183, .authority = {soa(60, 60)}} : at->second);
  };
}

/// Asks, runs the loop until the answer is there, and shows it.
std::string ask(po::Loop& loop, po::Resolver& r, const char* name, DnsType type) {
  std::string out;
  auto q = r.resolve(name, type, [&](const DnsAnswer& a) {
    out = show(a);
    loop.stop();
  });
  CHECK(out.empty());  // never from inside the call
  loop.run();
  return out;
}

std::string confirm(po::Loop& loop, po::Resolver& r, const char* address) {
  std::string out;
  auto q = r.confirmed_name(number(address), [&](DnsStatus s, const std::string& name) {
    out = show({s, {}, {}}) + (name.empty() ? "" : " " + name);
    loop.stop();
  });
  loop.run();
  return out;
}

po::ResolverOptions options(std::vector<NetAddress> servers) {
  po::ResolverOptions o;
  o.servers = std::move(servers);
  o.hosts = "127.0.0.1 localhost\n192.0.2.99 here.x.org\n";
  o.time_limit = milliseconds(300);
  return o;
}

}  // namespace

TEST_CASE("resolver: answers, cache and hosts file") {
  po::Loop loop;
  FakeServer server(loop, zone({{"a.org/1", {.answer = {a4(kOwner, "192.0.2.1")}}}}));
  po::Resolver r(loop, options({server.address()}));
  CHECK(ask(loop, r, "a.org", DnsType::kA) == "ok 192.0.2.1");
  CHECK(ask(loop, r, "A.ORG", DnsType::kA) == "ok 192.0.2.1");
  CHECK(server.questions == 1);
  CHECK(ask(loop, r, "b.org", DnsType::kA) == "none");
  CHECK(ask(loop, r, "b.org", DnsType::kA) == "none");
  CHECK(server.questions == 2);
  CHECK(ask(loop, r, "here.x.org", DnsType::kA) == "ok 192.0.2.99");
  CHECK(ask(loop, r, "localhost", DnsType::kAaaa) == "none");
  CHECK(ask(loop, r, "bad name", DnsType::kA) == "none");
  CHECK(server.questions == 2);
}

TEST_CASE("resolver: the same question at the same time is asked once") {
  po::Loop loop;
  FakeServer server(loop, zone({{"a.org/1", {.answer = {a4(kOwner, "192.0.2.1", 0)}}}}));
  po::Resolver r(loop, options({server.address()}));
  int answers = 0;
  std::vector<po::DnsQuestion> questions;
  for (int i = 0; i < 10; ++i) {
    questions.push_back(r.resolve("a.org", DnsType::kA, [&](const DnsAnswer& a) {
      CHECK(show(a) == "ok 192.0.2.1");
      if (++answers == 10) loop.stop();
    }));
  }
  loop.run();
  CHECK(server.questions == 1);
}

TEST_CASE("resolver: truncated answers come by TCP, servers without EDNS0 are asked without") {
  po::Loop loop;
  FakeServer server(loop, [](unsigned id, const std::string& name, unsigned type, bool tcp, bool edns) {
    if (edns) return packet(id, name, type, {.flags = 0x8181});
    if (!tcp) return packet(id, name, type, {.flags = 0x8380});
    Reply r;
    for (int i = 0; i < 200; ++i) r.answer.push_back(a4(kOwner, "192.0.2.1"));
    return packet(id, name, type, r);
  });
  po::Resolver r(loop, options({server.address()}));
  std::string got = ask(loop, r, "a.org", DnsType::kA);
  CHECK(got.size() == 2 + 200 * std::strlen(" 192.0.2.1"));
  CHECK(server.questions == 3);
  CHECK(server.tcp_questions == 1);
}

TEST_CASE("resolver: dead, failing and silent servers") {
  po::Loop loop;
  NetAddress dead;
  {
    FakeServer gone(loop, zone({}));
    dead = gone.address();
  }
  FakeServer failing(loop, [](unsigned id, const std::string& name, unsigned type, bool, bool) {
    return packet(id, name, type, {.flags = 0x8182});
  });
  FakeServer silent(loop, [](unsigned, const std::string&, unsigned, bool, bool) { return std::string(); });
  FakeServer forging(loop, [](unsigned id, const std::string& name, unsigned type, bool, bool) {
    return packet(id + 1, name, type, {.answer = {a4(kOwner, "203.0.113.66")}});
  });
  FakeServer good(loop, zone({{"a.org/1", {.answer = {a4(kOwner, "192.0.2.1")}}},
                              {"b.org/1", {.answer = {a4(kOwner, "192.0.2.2")}}}}));
  {
    po::Resolver r(loop,
                   options({dead, failing.address(), forging.address(), silent.address(), good.address()}));
    CHECK(ask(loop, r, "a.org", DnsType::kA) == "ok 192.0.2.1");
    int before = failing.questions;
    CHECK(ask(loop, r, "b.org", DnsType::kA) == "ok 192.0.2.2");  // the good one is asked first now
    CHECK(failing.questions == before);
  }
  {
    po::Resolver r(loop, options({silent.address()}));
    CHECK(ask(loop, r, "a.org", DnsType::kA) == "temporary");
    CHECK(silent.questions >= 3);
  }
  {
    po::Resolver r(loop, options({dead}));
    CHECK(ask(loop, r, "a.org", DnsType::kA) == "temporary");
  }
  {
    po::Resolver r(loop, options({failing.address()}));
    CHECK(ask(loop, r, "a.org", DnsType::kA) == "temporary");
  }
  {
    po::Resolver r(loop, options({}));
    CHECK(ask(loop, r, "a.org", DnsType::kA) == "none");
    CHECK(confirm(loop, r, "127.0.0.1") == "ok localhost");
  }
}

TEST_CASE("resolver: confirmed names") {
  po::Loop loop;
  auto ptr = [](std::vector<const char*> names) {
    Reply r;
    for (const char* n : names) r.answer.push_back(rr(kOwner, kPtr, 60, wire(n)));
    return r;
  };
  FakeServer server(loop,
                    zone({{"1.2.0.192.in-addr.arpa/12", ptr({"liar.org", "Mail.a.org"})},
                          {"liar.org/1", {.answer = {a4(kOwner, "203.0.113.1")}}},
                          {"mail.a.org/1", {.answer = {a4(kOwner, "192.0.2.7"), a4(kOwner, "192.0.2.1")}}},
                          {"2.2.0.192.in-addr.arpa/12", ptr({"liar.org"})},
                          {"3.2.0.192.in-addr.arpa/12", ptr({"fails.org"})},
                          {"fails.org/1", {.flags = 0x8182}},
                          {"4.2.0.192.in-addr.arpa/12",
                           ptr({"n1.org", "n2.org", "n3.org", "n4.org", "n5.org", "mail.a.org"})},
                          {"5.2.0.192.in-addr.arpa/12", {.flags = 0x8182}}}));
  po::Resolver r(loop, options({server.address()}));
  CHECK(confirm(loop, r, "192.0.2.1") == "ok mail.a.org");
  CHECK(confirm(loop, r, "192.0.2.2") == "none");
  CHECK(confirm(loop, r, "192.0.2.3") == "temporary");
  CHECK(confirm(loop, r, "192.0.2.4") == "none");
  CHECK(confirm(loop, r, "192.0.2.5") == "temporary");
  CHECK(confirm(loop, r, "192.0.2.6") == "none");
  CHECK(confirm(loop, r, "192.0.2.99") == "ok here.x.org");
  CHECK(confirm(loop, r, "2001:db8::1") == "none");
}

TEST_CASE("resolver: cancelled and destroyed in every way") {
  po::Loop loop;
  FakeServer server(loop, zone({{"a.org/1", {.answer = {a4(kOwner, "192.0.2.1")}}}}));
  po::Event stop;
  stop.after(loop, milliseconds(60), [&] { loop.stop(); });
  auto never = [](const DnsAnswer&) { FAIL("called after it was cancelled"); };
  auto r = std::make_unique<po::Resolver>(loop, options({server.address()}));
  { auto q = r->resolve("a.org", DnsType::kA, never); }
  { auto q = r->resolve("localhost", DnsType::kA, never); }
  {
    auto q = r->confirmed_name(number("192.0.2.1"), [](DnsStatus, const std::string&) { FAIL("called"); });
  }
  loop.run();

  // Destroyed from inside a callback, with others waiting for the same answer and for others.
  stop.after(loop, milliseconds(60), [&] { loop.stop(); });
  po::DnsQuestion first, second, third, fourth;
  int called = 0;
  first = r->resolve("b.org", DnsType::kA, [&](const DnsAnswer&) {
    ++called;
    first.cancel();
    r.reset();
  });
  second = r->resolve("b.org", DnsType::kA, never);
  third = r->resolve("c.org", DnsType::kA, never);
  fourth = r->confirmed_name(number("192.0.2.1"), [](DnsStatus, const std::string&) { FAIL("called"); });
  loop.run();
  CHECK(called == 1);
  CHECK(!r);

  // A confirmation that destroys its own question and the resolver.
  stop.after(loop, milliseconds(60), [&] { loop.stop(); });
  r = std::make_unique<po::Resolver>(loop, options({}));
  fourth = r->confirmed_name(number("127.0.0.1"), [&](DnsStatus, const std::string& name) {
    CHECK(name == "localhost");
    fourth.cancel();
    r.reset();
    ++called;
  });
  loop.run();
  CHECK(called == 2);
}

TEST_CASE("resolver: too many questions fail at once, the others take turns") {
  po::Loop loop;
  Reply yes{.answer = {a4(kOwner, "192.0.2.1")}};
  std::map<std::string, Reply> data;
  for (int i = 0; i < 20; ++i) data["n" + std::to_string(i) + ".org/1"] = yes;
  FakeServer server(loop, zone(data));
  auto o = options({server.address()});
  o.concurrent = 2;
  o.waiting = 8;
  po::Resolver r(loop, o);
  int ok = 0, temporary = 0;
  std::vector<po::DnsQuestion> questions;
  for (int i = 0; i < 20; ++i) {
    questions.push_back(r.resolve("n" + std::to_string(i) + ".org", DnsType::kA, [&](const DnsAnswer& a) {
      ++(a.status == DnsStatus::kOk ? ok : temporary);
      if (ok + temporary == 20) loop.stop();
    }));
  }
  loop.run();
  CHECK(ok == 10);
  CHECK(temporary == 10);
}
