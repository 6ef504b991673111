#include "lib/dns_packet.h"

#include <catch2/catch.hpp>

#include "lib/dns_cache.h"
#include "lib/dns_hosts.h"
#include "lib/net_address.h"
#include "tests/unit/lib/dns_answers.h"

using namespace dns_answers;
using po::DnsType;
using Outcome = po::ParsedDnsAnswer::Outcome;
using std::chrono::seconds;

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
      {"MX",
       kMx,
       {.answer = {mx(kOwner, 20, wire("B.X.org")), mx(kOwner, 10, wire("a.x.org"), 60)}},
       Outcome::kAnswer,
       "ok 20/b.x.org 10/a.x.org",
       60},
      {"MX, compressed", kMx, {.answer = {mx(kOwner, 1, kOwner)}}, Outcome::kAnswer, "ok 1/q.x.org", 300},
      {"MX behind an alias",
       kMx,
       {.answer = {rr(kOwner, kCname, 7, w), mx(w, 10, wire("a.x.org"))}},
       Outcome::kAnswer,
       "ok 10/a.x.org",
       7},
      {"MX, the root", kMx, {.answer = {mx(kOwner, 0, wire(""))}}, Outcome::kAnswer, "ok 0/.", 300},
      {"MX, only illegal: there, but of no use",
       kMx,
       {.answer = {mx(kOwner, 10, wire("a b.org"))}},
       Outcome::kAnswer,
       "ok",
       300},
      {"MX, not whole",
       kMx,
       {.answer = {mx(kOwner, 10, wire("a.org")), rr(kOwner, kMx, 60, u16(10))}},
       Outcome::kServerFailed,
       "temporary",
       0},
      {"MX, too long",
       kMx,
       {.answer = {mx(kOwner, 10, wire("a.org") + "x")}},
       Outcome::kServerFailed,
       "temporary",
       0},
      {"no MX", kMx, {.authority = {soa(100, 50)}}, Outcome::kAnswer, "none", 50},
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

// RFC 1035 2.3.4: 255 octets, the root's among them. udns takes one more.
TEST_CASE("dns: a name may be 255 octets long") {
  std::string label(63, 'a'), longest = label + '.' + label + '.' + label + '.' + std::string(61, 'b');
  std::string one_more = longest + 'b';
  REQUIRE(wire(longest).size() == 255);
  auto parse = [](const std::string& owner, const std::string& name) {
    Reply reply{.answer = {rr(kOwner, kPtr, 300, wire(name)), rr(owner, kPtr, 300, wire("x.org"))}};
    return po::parse_dns_answer(packet(7, "q.x.org", kPtr, reply), 7, "q.x.org", DnsType::kPtr);
  };
  CHECK(show(parse(wire("w.x.org"), longest).answer) == "ok " + longest);
  CHECK(parse(wire(longest), "w.x.org").outcome == Outcome::kAnswer);
  CHECK(show(parse(wire("w.x.org"), one_more).answer) == "none");
  CHECK(parse(wire(one_more), "w.x.org").outcome == Outcome::kServerFailed);
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
  Reply many;
  for (unsigned i = 0; i < 1000; ++i) many.answer.push_back(mx(kOwner, i, wire("a.org")));
  p = po::parse_dns_answer(packet(7, "q.x.org", kMx, many), 7, "q.x.org", DnsType::kMx);
  CHECK(p.answer.exchangers.size() == po::kMaxDnsExchangers);
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
  // The file knows no mail exchangers; of localhost there are none.
  CHECK(find("mail.x.org", DnsType::kMx) == "ask");
  CHECK(find("localhost", DnsType::kMx) == "none");
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
