#include "lib/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <catch2/catch.hpp>

#include <cstring>
#include <functional>
#include <map>

#include "lib/dns_cache.h"
#include "lib/dns_hosts.h"
#include "lib/dns_packet.h"
#include "lib/fd.h"
#include "lib/net_address.h"

using po::DnsAnswer;
using po::DnsStatus;
using po::DnsType;
using po::messages::NetAddress;
using Outcome = po::ParsedDnsAnswer::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

NetAddress number(const char* text) {
  return po::parse_address(text).value();
}

std::string show(const DnsAnswer& a) {
  std::string out = a.status == DnsStatus::kOk         ? "ok"
                    : a.status == DnsStatus::kNotFound ? "none"
                                                       : "temporary";
  for (const auto& x : a.addresses) out += " " + po::address_text(x);
  for (const auto& n : a.names) out += " " + n;
  return out;
}

// ---- building answers by hand

std::string u16(unsigned v) {
  return {static_cast<char>(v >> 8), static_cast<char>(v)};
}
std::string u32(std::uint32_t v) {
  return u16(v >> 16) + u16(v & 0xffff);
}

std::string wire(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    std::size_t n = std::min(name.find('.'), name.size());
    out += static_cast<char>(n);
    out += name.substr(0, n);
    name.remove_prefix(std::min(n + 1, name.size()));
  }
  return out + '\0';
}

constexpr unsigned kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kAaaa = 28;

std::string rr(const std::string& owner, unsigned type, std::uint32_t ttl, const std::string& data) {
  return owner + u16(type) + u16(1) + u32(ttl) + u16(static_cast<unsigned>(data.size())) + data;
}
std::string a4(const std::string& owner, const char* address, std::uint32_t ttl = 300) {
  auto n = number(address);
  return rr(owner, n.family == 4 ? kA : kAaaa, ttl,
            std::string(reinterpret_cast<const char*>(n.octets.data()), n.family == 4 ? 4 : 16));
}
std::string soa(std::uint32_t ttl, std::uint32_t minimum) {
  return rr(wire("x.org"), kSoa, ttl,
            wire("ns.x.org") + wire("root.x.org") + u32(1) + u32(2) + u32(3) + u32(4) + u32(minimum));
}

struct Reply {
  unsigned flags = 0x8180;
  std::vector<std::string> answer = {}, authority = {};
};

std::string packet(unsigned id, std::string_view name, unsigned type, const Reply& r) {
  std::string out = u16(id) + u16(r.flags) + u16(1) + u16(static_cast<unsigned>(r.answer.size())) +
                    u16(static_cast<unsigned>(r.authority.size())) + u16(0) + wire(name) + u16(type) + u16(1);
  for (const auto& s : r.answer) out += s;
  for (const auto& s : r.authority) out += s;
  return out;
}

const std::string kOwner("\xc0\x0c", 2);  // a pointer to the question's name

}  // namespace

TEST_CASE("dns: a question's octets") {
  auto q = po::build_dns_query(0x1234, "x.org", DnsType::kAaaa, true);
  REQUIRE(q.has_value());
  CHECK(*q == u16(0x1234) + u16(0x0100) + u16(1) + u16(0) + u16(0) + u16(1) + wire("x.org") + u16(28) +
                  u16(1) + std::string(1, '\0') + u16(41) + u16(po::kDnsUdpSize) + std::string(6, '\0'));
  CHECK(po::build_dns_query(1, "x.org", DnsType::kA, false)->size() == 12 + 7 + 4);
  for (const char* bad : {"", ".", "x.org.", "a b", "a\\.b", "-x.org"}) {
    CHECK(!po::build_dns_query(1, bad, DnsType::kA, true).has_value());
  }
}

TEST_CASE("dns: answers") {
  struct Row {
    const char* what;
    unsigned type;
    Reply reply;
    Outcome outcome;
    const char* shown;
    int ttl;
  };
  const std::string w = wire("w.x.org");
  const Row rows[] = {
      {"one", kA, {.answer = {a4(kOwner, "192.0.2.1")}}, Outcome::kAnswer, "ok 192.0.2.1", 300},
      {"two, smaller TTL",
       kA,
       {.answer = {a4(kOwner, "192.0.2.1"), a4(kOwner, "192.0.2.2", 9)}},
       Outcome::kAnswer,
       "ok 192.0.2.1 192.0.2.2",
       9},
      {"TTL capped",
       kA,
       {.answer = {a4(kOwner, "192.0.2.1", 999999)}},
       Outcome::kAnswer,
       "ok 192.0.2.1",
       3600},
      {"TTL top bit",
       kA,
       {.answer = {a4(kOwner, "192.0.2.1", 0x80000000)}},
       Outcome::kAnswer,
       "ok 192.0.2.1",
       0},
      {"AAAA", kAaaa, {.answer = {a4(kOwner, "2001:db8::1")}}, Outcome::kAnswer, "ok 2001:db8::1", 300},
      {"letter case",
       kA,
       {.answer = {a4(wire("Q.X.oRG"), "192.0.2.1")}},
       Outcome::kAnswer,
       "ok 192.0.2.1",
       300},
      {"other owner", kA, {.answer = {a4(w, "192.0.2.1")}}, Outcome::kAnswer, "none", 0},
      {"other type", kA, {.answer = {a4(kOwner, "2001:db8::1")}}, Outcome::kAnswer, "none", 0},
      {"alias",
       kA,
       {.answer = {rr(kOwner, kCname, 7, w), a4(w, "192.0.2.1")}},
       Outcome::kAnswer,
       "ok 192.0.2.1",
       7},
      {"alias behind",
       kA,
       {.answer = {a4(w, "192.0.2.1"), rr(kOwner, kCname, 7, w)}},
       Outcome::kAnswer,
       "ok 192.0.2.1",
       7},
      {"alias loop", kA, {.answer = {rr(kOwner, kCname, 7, kOwner)}}, Outcome::kAnswer, "none", 0},
      {"alias to nothing",
       kA,
       {.answer = {rr(kOwner, kCname, 7, w)}, .authority = {soa(100, 50)}},
       Outcome::kAnswer,
       "none",
       7},
      {"PTR",
       kPtr,
       {.answer = {rr(kOwner, kPtr, 60, wire("Mail.X.org"))}},
       Outcome::kAnswer,
       "ok mail.x.org",
       60},
      {"PTR, illegal names",
       kPtr,
       {.answer = {rr(kOwner, kPtr, 60, wire("a b.org")),
                   rr(kOwner, kPtr, 60,
                      std::string("\x03"
                                  "a.b\x00",
                                  5)),
                   rr(kOwner, kPtr, 60, std::string(1, '\0')), rr(kOwner, kPtr, 60, wire("x.org") + "junk"),
                   rr(kOwner, kPtr, 60, wire("good.org"))}},
       Outcome::kAnswer,
       "ok good.org",
       60},
      {"PTR, only illegal",
       kPtr,
       {.answer = {rr(kOwner, kPtr, 60, wire("a\nb"))}},
       Outcome::kAnswer,
       "none",
       0},
      {"no such name", kA, {.flags = 0x8183, .authority = {soa(100, 50)}}, Outcome::kAnswer, "none", 50},
      {"no such name, SOA's TTL",
       kA,
       {.flags = 0x8183, .authority = {soa(20, 50)}},
       Outcome::kAnswer,
       "none",
       20},
      {"no such record", kA, {.authority = {soa(100, 50)}}, Outcome::kAnswer, "none", 50},
      {"no SOA: not kept", kA, {.flags = 0x8183}, Outcome::kAnswer, "none", 0},
      {"delegation",
       kA,
       {.authority = {rr(wire("x.org"), kNs, 60, wire("ns.x.org"))}},
       Outcome::kServerFailed,
       "temporary",
       0},
      {"failure", kA, {.flags = 0x8182}, Outcome::kServerFailed, "temporary", 0},
      {"refused", kA, {.flags = 0x8185}, Outcome::kServerFailed, "temporary", 0},
      {"format error", kA, {.flags = 0x8181}, Outcome::kNoEdns, "temporary", 0},
      {"not implemented", kA, {.flags = 0x8184}, Outcome::kNoEdns, "temporary", 0},
      {"truncated",
       kA,
       {.flags = 0x8380, .answer = {a4(kOwner, "192.0.2.1")}},
       Outcome::kTruncated,
       "temporary",
       0},
      {"wrong length", kA, {.answer = {rr(kOwner, kA, 60, "abc")}}, Outcome::kAnswer, "none", 0},
      {"pointer loop",
       kA,
       {.answer = {rr(std::string("\xc0\x19", 2), kA, 60, "abcd")}},
       Outcome::kServerFailed,
       "temporary",
       0},
      {"pointer out",
       kA,
       {.answer = {rr(std::string("\xff\xff", 2), kA, 60, "abcd")}},
       Outcome::kServerFailed,
       "temporary",
       0},
      {"a question", kA, {.flags = 0x0100}, Outcome::kNotOurs, "temporary", 0},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    std::string bytes = packet(7, "q.x.org", row.type, row.reply);
    auto p = po::parse_dns_answer(bytes, 7, "q.x.org", static_cast<DnsType>(row.type));
    CHECK(p.outcome == row.outcome);
    CHECK(show(p.answer) == row.shown);
    CHECK(p.ttl == seconds(row.ttl));
    // An answer cut anywhere is never taken for a whole one.
    if (row.outcome != Outcome::kAnswer) continue;
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      auto cut = po::parse_dns_answer(std::string_view(bytes).substr(0, n), 7, "q.x.org",
                                      static_cast<DnsType>(row.type));
      REQUIRE(cut.outcome != Outcome::kAnswer);
    }
  }
}

TEST_CASE("dns: answers to something else are not ours") {
  std::string bytes = packet(7, "q.x.org", kA, {.answer = {a4(kOwner, "192.0.2.1")}});
  CHECK(po::parse_dns_answer(bytes, 8, "q.x.org", DnsType::kA).outcome == Outcome::kNotOurs);
  CHECK(po::parse_dns_answer(bytes, 7, "r.x.org", DnsType::kA).outcome == Outcome::kNotOurs);
  CHECK(po::parse_dns_answer(bytes, 7, "q.x.org", DnsType::kAaaa).outcome == Outcome::kNotOurs);
  CHECK(po::parse_dns_answer(bytes, 7, "Q.X.ORG", DnsType::kA).outcome == Outcome::kAnswer);
  bytes[5] = 2;  // two questions
  CHECK(po::parse_dns_answer(bytes, 7, "q.x.org", DnsType::kA).outcome == Outcome::kNotOurs);
}

TEST_CASE("dns: an answer holds no more than the bound") {
  Reply r;
  for (int i = 0; i < 1000; ++i) r.answer.push_back(a4(kOwner, "192.0.2.1"));
  auto p = po::parse_dns_answer(packet(7, "q.x.org", kA, r), 7, "q.x.org", DnsType::kA);
  CHECK(p.answer.addresses.size() == po::kMaxDnsAddresses);
}

TEST_CASE("dns: reverse names") {
  CHECK(po::reverse_name(number("192.0.2.1")) == "1.2.0.192.in-addr.arpa");
  CHECK(po::reverse_name(number("2001:db8::1")) ==
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
  CHECK(po::reverse_name(NetAddress{}).empty());
}

TEST_CASE("dns: servers") {
  auto ok = po::parse_dns_servers(
      {"192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:54", "[2001:db8::1]"});
  REQUIRE(ok.has_value());
  std::vector<std::string> shown;
  for (const auto& s : *ok) shown.push_back(po::address_port_text(s));
  CHECK(shown == std::vector<std::string>{"192.0.2.1:53", "192.0.2.1:5353", "[2001:db8::1]:53",
                                          "[2001:db8::1]:54", "[2001:db8::1]:53"});
  for (const char* bad : {"", "ns.x.org", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:5x",
                          "[2001:db8::1", "[]:53", "[2001:db8::1]53", ":53"}) {
    INFO(bad);
    CHECK(!po::parse_dns_servers({bad}).has_value());
  }
}

TEST_CASE("dns: hosts file") {
  po::HostsFile hosts(
      "# comment\n127.0.0.1\tlocalhost loop\n\n 192.0.2.1  Mail.X.org mail # more\r\n2001:db8::1 mail.x.org\n"
      "garbage line\n192.0.2.2\n192.0.2.3 bad_but-ok a..b\n192.0.2.4 last");
  auto find = [&](const char* name, DnsType type) {
    auto a = hosts.find(name, type);
    return a ? show(*a) : "ask";
  };
  CHECK(find("mail.x.org", DnsType::kA) == "ok 192.0.2.1");
  CHECK(find("MAIL.x.org", DnsType::kAaaa) == "ok 2001:db8::1");
  CHECK(find("mail", DnsType::kAaaa) == "none");
  CHECK(find("last", DnsType::kA) == "ok 192.0.2.4");
  CHECK(find("a..b", DnsType::kA) == "ask");
  CHECK(find("x.org", DnsType::kA) == "ask");
  CHECK(find("localhost", DnsType::kA) == "ok 127.0.0.1");
  CHECK(find("any.localhost", DnsType::kAaaa) == "ok ::1");
  auto reverse = [&](const char* address) {
    auto a = hosts.reverse(number(address));
    return a ? show(*a) : "ask";
  };
  CHECK(reverse("192.0.2.1") == "ok mail.x.org mail");
  CHECK(reverse("127.0.0.1") == "ok localhost loop");
  CHECK(reverse("127.0.0.2") == "ask");
  CHECK(reverse("::1") == "ok localhost");
  CHECK(reverse("192.0.2.9") == "ask");
}

TEST_CASE("dns: cache") {
  using Clock = po::DnsCache::Clock;
  Clock::time_point t0{};
  DnsAnswer yes{DnsStatus::kOk, {number("192.0.2.1")}, {}};
  po::DnsCache cache(2000);
  po::DnsCache::Key k1{"a.org", DnsType::kA}, k2{"a.org", DnsType::kAaaa};
  cache.put(k1, yes, seconds(10), t0);
  cache.put(k2, {DnsStatus::kNotFound, {}, {}}, seconds(5), t0);
  CHECK(cache.find(k1, t0 + seconds(9)).has_value());
  CHECK(show(*cache.find(k2, t0 + seconds(4))) == "none");
  CHECK(!cache.find(k2, t0 + seconds(5)).has_value());
  CHECK(!cache.find(k1, t0 + seconds(10)).has_value());
  CHECK(cache.octets() == 0);
  cache.put(k1, yes, seconds(0), t0);
  cache.put(k2, {DnsStatus::kTemporary, {}, {}}, seconds(10), t0);
  CHECK(cache.octets() == 0);
  // The one not used for longest goes first.
  cache.put(k1, yes, seconds(10), t0);
  for (int i = 0; i < 100; ++i) {
    cache.put({std::to_string(i) + ".org", DnsType::kA}, yes, seconds(10), t0);
    REQUIRE(cache.find(k1, t0).has_value());
    REQUIRE(cache.octets() <= 2000);
  }
  CHECK(!cache.find({"0.org", DnsType::kA}, t0).has_value());
  CHECK(cache.find({"99.org", DnsType::kA}, t0).has_value());
  cache.put(k1, {DnsStatus::kOk, {}, {std::string(3000, 'x')}}, seconds(10), t0);
  CHECK(!cache.find(k1, t0).has_value());
}

// ---- the Resolver against a server in this process

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
