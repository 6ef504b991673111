#include "lib/access.h"

#include <catch2/catch.hpp>

#include "lib/net_address.h"

using po::messages::NetAddress;

static NetAddress number(const char* text) {
  return po::parse_address(text).value();
}

TEST_CASE("access: what a rule matches") {
  struct Row {
    const char *rule, *client, *name;
    bool match;
  };
  const Row rows[] = {
      {"podunk.edu", "192.0.2.1", "podunk.edu", true},
      {"podunk.edu", "192.0.2.1", "Mail.Podunk.EDU", true},
      {"Podunk.Edu", "192.0.2.1", "a.b.podunk.edu", true},
      {"podunk.edu", "192.0.2.1", "notpodunk.edu", false},
      {"podunk.edu", "192.0.2.1", "podunk.edu.evil.org", false},
      {"podunk.edu", "192.0.2.1", "edu", false},
      {"podunk.edu", "192.0.2.1", "", false},
      {"bücher.example", "192.0.2.1", "www.xn--bcher-kva.example", true},
      {"199.17.234.0", "199.17.234.7", "", true},
      {"199.17.234.0", "199.17.235.7", "", false},
      {"199.17.0.0", "199.17.235.7", "", true},
      {"199.17.0.5", "199.17.0.5", "", true},
      {"199.17.0.5", "199.17.1.5", "", false},
      {"0.0.0.0", "203.0.113.9", "", true},
      {"0.0.0.0", "2001:db8::1", "", false},
      {"192.0.2.1", "192.0.2.1", "", true},
      {"192.0.2.1", "192.0.2.2", "", false},
      {"192.0.2.1", "192.0.2.1", "x.org", true},
      {"10.0.0.0/9", "10.127.255.255", "", true},
      {"10.0.0.0/9", "10.128.0.0", "", false},
      {"10.0.0.0/32", "10.0.0.0", "", true},
      {"10.0.0.0/32", "10.0.0.1", "", false},
      {"0.0.0.0/0", "203.0.113.9", "", true},
      {"::/0", "2001:db8::1", "", true},
      {"::/0", "192.0.2.1", "", false},
      {"2001:db8::/32", "2001:db8:ffff::1", "", true},
      {"2001:db8::/33", "2001:db8:8000::1", "", false},
      {"2001:db8::1", "2001:db8::1", "", true},
      {"2001:db8::", "2001:db8::1", "", false},
      {"::ffff:192.0.2.0/120", "192.0.2.77", "", true},
      {"::ffff:192.0.2.0/120", "192.0.3.77", "", false},
      {"  192.0.2.1  ", "192.0.2.1", "", true},
  };
  for (const Row& row : rows) {
    INFO(row.rule << " " << row.client << " " << row.name);
    auto rule = po::parse_access_rule(row.rule);
    REQUIRE(rule.has_value());
    CHECK(po::matches(*rule, number(row.client), row.name) == row.match);
    auto again = po::parse_access_rule(po::access_rule_text(*rule));
    REQUIRE(again.has_value());
    CHECK(*again == *rule);
  }
}

TEST_CASE("access: nobody local is in a network") {
  auto rule = po::parse_access_rule("0.0.0.0");
  CHECK(!po::matches(*rule, NetAddress{}, ""));
}

TEST_CASE("access: texts that are no rule, and what is said") {
  struct Row {
    const char *text, *part;
  };
  const Row rows[] = {
      {"", "empty"},
      {"   ", "empty"},
      {"192.0.2.256", "no IPv4 number"},
      {"192.0.2", "no IPv4 number"},
      {"192.0.2.1/33", "0 to 32"},
      {"192.0.2.0/", "0 to 32"},
      {"192.0.2.0/024", "0 to 32"},
      {"192.0.2.0/-1", "0 to 32"},
      {"192.0.2.0/24x", "0 to 32"},
      {"192.0.2.0/24/24", "0 to 32"},
      {"192.0.2.1/24", "192.0.2.0/24"},
      {"2001:db8::1/32", "2001:db8::/32"},
      {"2001:db8::/129", "0 to 128"},
      {"::ffff:192.0.2.0/24", "96 to 128"},
      {"podunk.edu/24", "no IP number"},
      {"2001:db8::g", "no IPv6 number"},
      {"192.0.2.1:25", "no IPv6 number"},
      {"[192.0.2.1]", "brackets"},
      {".podunk.edu", "without a dot"},
      {"*.podunk.edu", "without a dot"},
      {"po dunk.edu", "character"},
      {"podunk..edu", "empty part"},
      {"podunk.edu\n", "control"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    auto rule = po::parse_access_rule(row.text);
    REQUIRE(!rule.has_value());
    INFO(rule.error().text);
    if (std::string_view(row.part) == "control") {
      CHECK(rule.error().text.find('\n') == std::string::npos);
    } else {
      CHECK(rule.error().text.find(row.part) != std::string::npos);
    }
  }
}

TEST_CASE("access: when a name is needed") {
  CHECK(po::parse_access_rules({}).empty());
  std::vector<po::AccessRule> rules = po::parse_access_rules({"no rule", "192.0.2.0", ""});
  CHECK(!po::needs_name(rules, number("203.0.113.1")));
  rules.push_back(po::parse_access_rule("podunk.edu").value());
  CHECK(po::needs_name(rules, number("203.0.113.1")));
  CHECK(!po::needs_name(rules, number("192.0.2.9")));
  CHECK(po::any_match(rules, number("203.0.113.1"), "mail.podunk.edu"));
  CHECK(!po::any_match(rules, number("203.0.113.1"), ""));
  CHECK(!po::any_match({}, number("203.0.113.1"), "mail.podunk.edu"));
}
