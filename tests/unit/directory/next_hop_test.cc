#include "lib/directory/next_hop.h"

#include <catch2/catch.hpp>

using namespace directory;
using po::messages::NextHop;
using po::messages::TlsLevel;

TEST_CASE("routes: read, and written as they should be") {
  struct Row {
    const char *text, *written;
  };
  const Row rows[] = {
      {"podunk.edu:*", "podunk.edu:*"},
      {"*.podunk.edu:*", "*.podunk.edu:*"},
      {"*:firewall.podunk.edu", "*:firewall.podunk.edu"},
      {"  Podunk.EDU:Relay.Podunk.EDU:25  ", "podunk.edu:relay.podunk.edu"},
      {"*:relay.example:587", "*:relay.example:587"},
      {"*:[192.0.2.1]", "*:[192.0.2.1]"},
      {"*:[192.0.2.1]:2525", "*:[192.0.2.1]:2525"},
      {"*:[ipv6:2001:DB8::1]:2525", "*:[IPv6:2001:db8::1]:2525"},
      {"[192.0.2.7]:gateway.example", "[192.0.2.7]:gateway.example"},
      {"[IPv6:2001:db8::7]:gateway.example", "[IPv6:2001:db8::7]:gateway.example"},
      {"bücher.example:büro.example", "xn--bcher-kva.example:xn--bro-hoa.example"},
      {"*:relay.example tls=Verified user=janie@podunk.edu",
       "*:relay.example tls=verified user=janie@podunk.edu"},
      {"a.example:*\ttls=required  helo=Mail.Podunk.edu source=192.0.2.9",
       "a.example:* tls=required source=192.0.2.9 helo=mail.podunk.edu"},
      {"a.example:b.example source=2001:DB8:0::1", "a.example:b.example source=2001:db8::1"},
      {"a.example:b.example TLS=none", "a.example:b.example tls=none"},
      {"a.example:b.example user=a=b", "a.example:b.example user=a=b"},
      {"UUCP:gateway", "uucp:gateway"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    auto entry = parse_route(row.text);
    REQUIRE(entry);
    CHECK(route_text(*entry) == row.written);
    auto again = parse_route(row.written);
    REQUIRE(again);
    CHECK(route_text(*again) == row.written);
  }
}

TEST_CASE("routes: refused with a sentence") {
  struct Row {
    std::string text, why;
  };
  const Row rows[] = {
      {"", "PATTERN:HOST"},
      {"podunk.edu",
       "\"podunk.edu\": a route is written PATTERN:HOST, as podunk.edu:* or *:firewall.podunk.edu"},
      {":*", "PATTERN:HOST"},
      {"podunk.edu:", "PATTERN:HOST"},
      {"podunk.edu: *", "PATTERN:HOST"},
      {"[192.0.2.1:*", "PATTERN:HOST"},
      {"*podunk.edu:*", "\"*podunk.edu\": a * stands alone or, with a dot behind it, before a domain"},
      {"a.*.edu:*", "a * stands alone"},
      {"*.:*", "domain is empty"},
      {"*.[192.0.2.1]:*", "nothing is under an IP number"},
      {"janie@podunk.edu:*", "no letter, digit, hyphen or dot"},
      {"*:*:25", "goes by MX"},
      {"*:*.podunk.edu", "no letter, digit"},
      {"*:relay:0", "\"0\": a port is a number from 1 to 65535"},
      {"*:relay:65536", "a port is"},
      {"*:relay:smtp", "a port is"},
      {"*:relay:", "a port is"},
      {"*:[192.0.2.1]25", "no closing bracket"},
      {"*:192.0.2.1", "IP number stands in brackets"},
      {"*:a.example tls", "\"tls\": an option is written NAME=VALUE"},
      {"*:a.example tls=maybe", "\"maybe\": tls= takes none, opportunistic, required or verified"},
      {"*:a.example tls=none tls=none", "given twice"},
      {"*:a.example user=", "user= takes a log-in name"},
      {"*:a.example user=" + std::string(256, 'u'), "user= takes a log-in name of 1 to 255 octets"},
      {"*:a.example user=a user=b", "given twice"},
      {"*:* user=a", "user= needs a host of one's own"},
      {"*:a.example source=eth0", "\"eth0\": source= takes an IP number of this host"},
      {"*:a.example helo=a_b!", "helo= takes a host name"},
      {"*:a.example password=x", "\"password\": no such option; there are tls=, user=, source= and helo="},
      {"*:a.example " + std::string(2048, ' '), "at most 2048 octets"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    auto entry = parse_route(row.text);
    REQUIRE_FALSE(entry);
    CHECK(entry.error().kind == po::Kind::kPermanent);
    CHECK_THAT(entry.error().text, Catch::Contains(row.why));
  }
}

TEST_CASE("sender options: read, written and refused") {
  struct Row {
    const char *text, *written, *why;
  };
  const Row rows[] = {
      {"Podunk.edu source=192.0.2.5", "podunk.edu source=192.0.2.5", ""},
      {"podunk.edu helo=Mail.podunk.edu SOURCE=2001:db8::5",
       "podunk.edu source=2001:db8::5 helo=mail.podunk.edu", ""},
      {"", "", "the domain is empty"},
      {"podunk.edu", "", "behind the domain stands source=ADDRESS, helo=NAME or both"},
      {"podunk.edu tls=none", "", "\"tls\": no such option; a sender's domain has source= and helo="},
      {"podunk.edu helo=a helo=b", "", "given twice"},
      {"* helo=a", "", "no letter"},
      {"podunk.edu source=x", "", "IP number"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    auto entry = parse_sender_options(row.text);
    CHECK((entry ? sender_options_text(*entry) : "") == row.written);
    if (!entry) CHECK_THAT(entry.error().text, Catch::Contains(row.why));
  }
}

namespace {

std::string hop_text(const NextHop& h) {
  std::string out = h.name + (h.by_mx ? " mx " : " host ") + h.host + " " + std::to_string(h.port);
  out += " tls" + std::to_string(static_cast<int>(h.tls));
  if (!h.user.empty()) out += " user=" + h.user;
  if (!h.source.empty()) out += " source=" + h.source;
  if (!h.helo.empty()) out += " helo=" + h.helo;
  return out;
}

}  // namespace

TEST_CASE("next hops: the first entry that matches wins") {
  const RoutingTable table(
      {"special.podunk.edu:[10.0.0.7]:2525", "podunk.edu:*", "*.podunk.edu:*",
       "late.podunk.edu:never.example", "uucp:gateway.podunk.edu", "this is no route and matches nothing",
       "bank.example:* tls=verified", "a.example:relay.example:587 user=janie",
       "b.example:relay.example:587 user=jo tls=none",
       "c.example:c1.example source=192.0.2.3 helo=c.podunk.edu", "*:firewall.podunk.edu"},
      {"podunk.edu source=192.0.2.8 helo=out.podunk.edu", "podunk.edu source=192.0.2.9"});
  struct Row {
    const char *domain, *sender, *hop;
  };
  const Row rows[] = {
      {"podunk.edu", "", "podunk.edu mx podunk.edu 25 tls1"},
      {"xanadu.podunk.edu", "", "xanadu.podunk.edu mx xanadu.podunk.edu 25 tls1"},
      {"a.b.podunk.edu", "", "a.b.podunk.edu mx a.b.podunk.edu 25 tls1"},
      {"special.podunk.edu", "", "[10.0.0.7]:2525 host [10.0.0.7] 2525 tls1"},
      {"late.podunk.edu", "", "late.podunk.edu mx late.podunk.edu 25 tls1"},
      {"notpodunk.edu", "", "[firewall.podunk.edu]:25 host firewall.podunk.edu 25 tls1"},
      {"uucp", "", "[gateway.podunk.edu]:25 host gateway.podunk.edu 25 tls1"},
      {"x.uucp", "", "[firewall.podunk.edu]:25 host firewall.podunk.edu 25 tls1"},
      {"bank.example", "", "bank.example mx bank.example 25 tls3"},
      {"a.example", "", "[relay.example]:587 host relay.example 587 tls2 user=janie"},
      {"b.example", "", "[relay.example]:587 host relay.example 587 tls0 user=jo"},
      {"[192.0.2.1]", "", "[firewall.podunk.edu]:25 host firewall.podunk.edu 25 tls1"},
      {"bank.example", "podunk.edu",
       "bank.example mx bank.example 25 tls3 source=192.0.2.8 helo=out.podunk.edu"},
      {"bank.example", "sub.podunk.edu", "bank.example mx bank.example 25 tls3"},
      {"c.example", "podunk.edu",
       "[c1.example]:25 host c1.example 25 tls1 source=192.0.2.3 helo=c.podunk.edu"},
  };
  for (const Row& row : rows) {
    INFO(row.domain);
    CHECK(hop_text(table.next_hop(row.domain, row.sender)) == row.hop);
  }
}

TEST_CASE("next hops: by MX where nothing matches, and an IP number by itself") {
  const RoutingTable none;
  CHECK(none.match("podunk.edu") == nullptr);
  CHECK(hop_text(none.next_hop("podunk.edu", "")) == "podunk.edu mx podunk.edu 25 tls1");
  CHECK(hop_text(none.next_hop("[192.0.2.1]", "")) == "[192.0.2.1]:25 host [192.0.2.1] 25 tls1");
  CHECK(hop_text(none.next_hop("[IPv6:2001:db8::1]", "")) ==
        "[IPv6:2001:db8::1]:25 host [IPv6:2001:db8::1] 25 tls1");
  const RoutingTable one({"*.podunk.edu:hub"}, {});
  CHECK(one.match("podunk.edu") == nullptr);
  REQUIRE(one.match("x.podunk.edu"));
  CHECK(one.match("x.podunk.edu")->host == "hub");
}

TEST_CASE("next hops: the tables that the Guide prints") {
  // Figures 2-11 and 2-13: what is inside goes directly, all else to the firewall or to the provider.
  for (const char* out : {"firewall.podunk.edu", "provider.net"}) {
    const RoutingTable table({"podunk.edu:*", "*.podunk.edu:*", std::string("*:") + out}, {});
    CHECK(table.next_hop("podunk.edu", "").by_mx);
    CHECK(table.next_hop("xanadu.podunk.edu", "").by_mx);
    CHECK(table.next_hop("xanadu.podunk.edu", "").host == "xanadu.podunk.edu");
    CHECK(table.next_hop("software.com", "").host == out);
    CHECK_FALSE(table.next_hop("software.com", "").by_mx);
  }
}

TEST_CASE("next hops: by their names, with the options of the entry that has the host") {
  const RoutingTable table({"a.example:relay.example:587 user=janie", "b.example:[192.0.2.1]:26 tls=none"},
                           {});
  for (const char* domain :
       {"a.example", "b.example", "[192.0.2.7]", "[IPv6:2001:db8::1]", "other.example"}) {
    INFO(domain);
    po::messages::NextHop hop = table.next_hop(domain, "");
    CHECK(hop_text(table.next_hop_named(hop.name, "")) == hop_text(hop));
    CHECK(table.next_hop_named(hop.name, "").user == hop.user);
  }
  CHECK(hop_text(table.next_hop_named("[x.example]:25", "")) == "[x.example]:25 host x.example 25 tls1");
}
