#include "deliver/hosts.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "lib/net_address.h"

namespace {

using namespace deliver;
using po::MailExchanger;
using po::messages::NetAddress;
using po::messages::NextHop;

NetAddress number(const char* text) {
  return po::parse_address(text).value();
}

/// Always the last: nothing is swapped.
const Chance kNoChance = [](std::size_t below) { return below - 1; };
/// Always the first.
const Chance kFirst = [](std::size_t) { return std::size_t{0}; };

const OwnHost kOwn("Mail.Podunk.edu", {"0.0.0.0:25", "[::]:25"},
                   {number("192.0.2.25"), number("2001:db8::25")});

NextHop by_mx(std::string domain = "x.org") {
  NextHop hop;
  hop.name = hop.host = std::move(domain);
  return hop;
}

std::string show(const Exchangers& e) {
  std::string out;
  for (const Candidate& c : e.hosts) out += std::to_string(c.preference) + "/" + c.name + " ";
  if (e.none) out += e.none->status + (e.none->kind == po::Kind::kPermanent ? " permanent" : " temporary");
  return out;
}

std::string show(const HostList& l) {
  std::string out;
  for (const Endpoint& e : l.endpoints) out += endpoint_text(e) + " ";
  if (l.none) out += l.none->status + (l.none->kind == po::Kind::kPermanent ? " permanent" : " temporary");
  return out;
}

Candidate host(const char* name, unsigned preference, std::vector<const char*> addresses,
               bool failed = false) {
  Candidate c{name, static_cast<std::uint16_t>(preference), failed, {}};
  for (const char* a : addresses) c.addresses.push_back(number(a));
  return c;
}

}  // namespace

TEST_CASE("hosts: the order of MX records") {
  struct Row {
    const char* what;
    std::vector<MailExchanger> mx;
    std::string expected;
  };
  const Row rows[] = {
      {"by preference", {{20, "b"}, {10, "a"}, {30, "c"}}, "10/a 20/b 30/c "},
      {"equals as chance has them", {{10, "a"}, {10, "b"}, {5, "c"}}, "5/c 10/a 10/b "},
      {"twice the same", {{10, "a"}, {20, "a"}, {20, "b"}}, "10/a 20/b "},
      {"null MX", {{0, "."}}, "5.1.10 permanent"},
      {"null MX with another preference", {{7, "."}}, "5.1.10 permanent"},
      {"a null MX beside others is none", {{0, "."}, {10, "a"}}, "10/a "},
      {"only roots", {{0, "."}, {10, "."}}, "5.4.4 permanent"},
      {"no legal name", {}, "5.4.4 permanent"},
      {"from ourselves on", {{10, "a"}, {20, "mail.podunk.edu"}, {20, "b"}, {30, "c"}}, "10/a "},
      {"we are the best", {{10, "mail.podunk.edu"}, {20, "b"}}, "5.4.6 permanent"},
      {"we alone", {{10, "mail.podunk.edu"}}, "5.4.6 permanent"},
      {"we twice", {{20, "mail.podunk.edu"}, {10, "mail.podunk.edu"}, {5, "a"}, {15, "b"}}, "5/a "},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK(show(order_exchangers("x.org", row.mx, kOwn, kNoChance)) == row.expected);
  }
  CHECK(show(order_exchangers("x.org", {{10, "a"}, {10, "b"}, {10, "c"}}, kOwn, kFirst)) ==
        "10/b 10/c 10/a ");
  std::vector<MailExchanger> many;
  for (int i = 0; i < 100; ++i) many.push_back({10, "h" + std::to_string(i)});
  CHECK(order_exchangers("x.org", many, kOwn, kNoChance).hosts.size() == kMaxCandidates);
  // The sentence says whose fault it may be, to the sender and to the Postmaster.
  auto loop = order_exchangers("x.org", {{10, "mail.podunk.edu"}}, kOwn, kNoChance);
  CHECK(loop.none->text.find("MX loop") == 0);
  CHECK(loop.none->text.find("mail.podunk.edu") != std::string::npos);
  CHECK(loop.none->text.size() < 500);
}

TEST_CASE("hosts: the addresses that are tried") {
  struct Row {
    const char* what;
    bool from_mx;
    std::vector<Candidate> candidates;
    std::string expected;
  };
  const Row rows[] = {
      {"one", true, {host("a", 10, {"192.0.2.1"})}, "a[192.0.2.1]:25 "},
      {"IPv4 first",
       true,
       {host("a", 10, {"2001:db8::1", "192.0.2.1", "192.0.2.2"}), host("b", 20, {"192.0.2.3"})},
       "a[192.0.2.1]:25 a[192.0.2.2]:25 a[2001:db8::1]:25 b[192.0.2.3]:25 "},
      {"one fails, another is there",
       true,
       {host("a", 10, {}, true), host("b", 20, {"192.0.2.3"})},
       "b[192.0.2.3]:25 "},
      {"all fail", true, {host("a", 10, {}, true), host("b", 20, {})}, "4.4.3 temporary"},
      {"none exists", true, {host("a", 10, {}), host("b", 20, {})}, "5.4.4 permanent"},
      {"no MX, no address", false, {host("x.org", 0, {})}, "5.1.2 permanent"},
      {"no MX, address unknown", false, {host("x.org", 0, {}, true)}, "4.4.3 temporary"},
      {"no MX, an address", false, {host("x.org", 0, {"192.0.2.9"})}, "x.org[192.0.2.9]:25 "},
      {"our address ends the list",
       true,
       {host("a", 10, {"192.0.2.1"}), host("b", 20, {"192.0.2.25", "192.0.2.7"}),
        host("c", 20, {"192.0.2.8"}), host("d", 30, {"192.0.2.9"})},
       "a[192.0.2.1]:25 "},
      {"our address first",
       true,
       {host("a", 10, {"192.0.2.25"}), host("b", 20, {"192.0.2.1"})},
       "5.4.6 permanent"},
      {"our IPv6 address", true, {host("a", 10, {"2001:db8::25"})}, "5.4.6 permanent"},
      {"loopback is us", true, {host("a", 10, {"127.0.0.1"})}, "5.4.6 permanent"},
      {"all of loopback", true, {host("a", 10, {"127.9.9.9"})}, "5.4.6 permanent"},
      {"0.0.0.0 is us", true, {host("a", 10, {"0.0.0.0"})}, "5.4.6 permanent"},
      {":: is us", true, {host("a", 10, {"::"})}, "5.4.6 permanent"},
      {"groups are no hosts",
       true,
       {host("a", 10, {"224.0.0.1", "255.255.255.255", "ff02::1"})},
       "5.4.4 permanent"},
      {"0.x is no host", true, {host("a", 10, {"0.1.2.3"})}, "5.4.4 permanent"},
      {"a domain at our address", false, {host("x.org", 0, {"192.0.2.25"})}, "5.4.6 permanent"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK(show(choose_hosts(by_mx(), row.from_mx, row.candidates, kOwn, kNoChance)) == row.expected);
  }
}

TEST_CASE("hosts: IPv4 in IPv6's clothes is no way to ourselves") {
  NetAddress mapped;  // as an AAAA record has it: parse_address() would undress it
  mapped.family = 6;
  mapped.octets[10] = mapped.octets[11] = 0xff;
  mapped.octets[12] = 127;
  mapped.octets[15] = 1;
  Candidate c{"a", 10, false, {mapped}};
  CHECK(show(choose_hosts(by_mx(), true, {c}, kOwn, kNoChance)) == "5.4.4 permanent");
}

TEST_CASE("hosts: what the routing table names") {
  NextHop hop;
  hop.by_mx = false;
  hop.host = "relay.x.org";
  hop.name = "[relay.x.org]:587";
  hop.port = 587;
  CHECK(show(choose_hosts(hop, false, {host("relay.x.org", 0, {"192.0.2.1"})}, kOwn, kNoChance)) ==
        "relay.x.org[192.0.2.1]:587 ");
  // A mistake in the table can be mended; our own port 587 is none where mail from others is taken.
  CHECK(show(choose_hosts(hop, false, {host("relay.x.org", 0, {})}, kOwn, kNoChance)) == "4.3.5 temporary");
  CHECK(show(choose_hosts(hop, false, {host("relay.x.org", 0, {"127.0.0.1"})}, kOwn, kNoChance)) ==
        "relay.x.org[127.0.0.1]:587 ");
  hop.port = 25;
  auto loop = choose_hosts(hop, false, {host("relay.x.org", 0, {"127.0.0.1"})}, kOwn, kNoChance);
  CHECK(show(loop) == "5.4.6 permanent");
  CHECK(loop.none->text.find("mail loop") == 0);
  hop.source = "192.0.2.25";
  CHECK(show(choose_hosts(hop, false, {host("r", 0, {"2001:db8::1", "192.0.2.1"})}, kOwn, kNoChance)) ==
        "r[192.0.2.1]:25 ");
  CHECK(show(choose_hosts(hop, false, {host("r", 0, {"2001:db8::1"})}, kOwn, kNoChance)) ==
        "4.4.4 temporary");
  hop.source.clear();
  hop.host = "[192.0.2.1]";
  CHECK(show(choose_hosts(hop, false, {host("[192.0.2.1]", 0, {"192.0.2.1"})}, kOwn, kNoChance)) ==
        "[192.0.2.1]:25 ");
  std::vector<const char*> many(100, "192.0.2.77");
  CHECK(choose_hosts(hop, false, {host("r", 0, many)}, kOwn, kNoChance).endpoints.size() == kMaxEndpoints);
}

TEST_CASE("hosts: where we take mail ourselves") {
  struct Row {
    std::vector<std::string> smtp;
    const char* address;
    int port;
    bool own;
  };
  const Row rows[] = {
      {{"127.0.0.2:25"}, "127.0.0.2", 25, true},
      {{"127.0.0.2:25"}, "127.0.0.3", 25, false},
      {{"127.0.0.2:25"}, "127.0.0.2", 26, false},
      {{"0.0.0.0:25"}, "192.0.2.25", 25, true},
      {{"0.0.0.0:25"}, "192.0.2.26", 25, false},
      {{"0.0.0.0:25"}, "2001:db8::25", 25, false},
      {{"[::]:25"}, "2001:db8::25", 25, true},
      {{"[::]:25"}, "::1", 25, true},
      {{"[2001:db8::25]:2525"}, "2001:db8::25", 2525, true},
      {{}, "127.0.0.1", 25, false},
      {{"garbage", "1.2.3.4:", "1.2.3.4:99999", ":25", "run/submission"}, "1.2.3.4", 25, false},
  };
  for (const Row& row : rows) {
    OwnHost own("h", row.smtp, {number("192.0.2.25"), number("2001:db8::25")});
    NetAddress a = number(row.address);
    a.port = static_cast<std::uint16_t>(row.port);
    INFO(row.address << ":" << row.port);
    CHECK(own.takes_mail_at(a) == row.own);
  }
}

TEST_CASE("hosts: address literals") {
  CHECK(po::address_text(*parse_literal("[192.0.2.1]")) == "192.0.2.1");
  CHECK(po::address_text(*parse_literal("[IPv6:2001:db8::1]")) == "2001:db8::1");
  CHECK(po::address_text(*parse_literal("[ipv6:2001:DB8::1]")) == "2001:db8::1");
  for (const char* bad : {"", "[", "[]", "192.0.2.1", "[192.0.2.256]", "[x.org]", "[192.0.2.1", "[IPv6:]"})
    CHECK(!parse_literal(bad).has_value());
}
