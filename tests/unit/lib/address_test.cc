#include "lib/address.h"

#include <catch2/catch.hpp>

using po::AddressRules;

namespace {
std::string many(std::size_t n, char c = 'a') {
  return std::string(n, c);
}
/// 63 + 63 + 63 + 61 with dots is 253.
std::string long_domain() {
  return many(63) + "." + many(63) + "." + many(63) + "." + many(61);
}
}  // namespace

TEST_CASE("address: legal ones and their canonical form") {
  struct Row {
    std::string text, canonical, key;
  };
  const AddressRules utf8{.utf8 = true, .need_domain = true};
  const Row rows[] = {
      {"janie@podunk.edu", "janie@podunk.edu", "janie@podunk.edu"},
      {"Janie@Podunk.EDU", "Janie@podunk.edu", "janie@podunk.edu"},
      {"a.b.c@x.org", "a.b.c@x.org", "a.b.c@x.org"},
      {"\"janie\"@podunk.edu", "janie@podunk.edu", "janie@podunk.edu"},
      {"\"ja\\nie\"@podunk.edu", "janie@podunk.edu", "janie@podunk.edu"},
      {"\"a b\"@x.org", "\"a b\"@x.org", "\"a b\"@x.org"},
      {"\"a@b\"@x.org", "\"a@b\"@x.org", "\"a@b\"@x.org"},
      {"\"a\\\"b\\\\c\"@x.org", "\"a\\\"b\\\\c\"@x.org", "\"a\\\"b\\\\c\"@x.org"},
      {"\"a..b\"@x.org", "\"a..b\"@x.org", "\"a..b\"@x.org"},
      {"\".\"@x.org", "\".\"@x.org", "\".\"@x.org"},
      {"!#$%&'*+-/=?^_`{|}~@x.org", "!#$%&'*+-/=?^_`{|}~@x.org", "!#$%&'*+-/=?^_`{|}~@x.org"},
      {"user%other.org@x.org", "user%other.org@x.org", "user%other.org@x.org"},
      {"a@host_1.x.org", "a@host_1.x.org", "a@host_1.x.org"},
      {"a@localhost", "a@localhost", "a@localhost"},
      {"a@3com.com", "a@3com.com", "a@3com.com"},
      {"a@[192.0.2.1]", "a@[192.0.2.1]", "a@[192.0.2.1]"},
      {"a@[ipv6:2001:DB8:0:0::1]", "a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"},
      {many(64) + "@x.org", many(64) + "@x.org", many(64) + "@x.org"},
      {"a@bücher.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
      {"a@BÜCHER.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
      {"a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
      {"Jürgen@x.org", "Jürgen@x.org", "jürgen@x.org"},
      {"Ju\xcc\x88rgen@x.org", "Jürgen@x.org", "jürgen@x.org"},
      {"\"Jür gen\"@x.org", "\"Jür gen\"@x.org", "\"jür gen\"@x.org"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    auto m = po::parse_mailbox(row.text, utf8);
    REQUIRE(m.has_value());
    CHECK(m->canonical() == row.canonical);
    CHECK(m->key() == row.key);
    // The canonical form is a fixed point.
    auto again = po::parse_mailbox(m->canonical(), utf8);
    REQUIRE(again.has_value());
    CHECK(*again == *m);
  }
}

TEST_CASE("address: refused with a sentence") {
  struct Row {
    std::string text, part;
  };
  const Row rows[] = {
      {"", "empty"},
      {"janie", "no @"},
      {"@podunk.edu", "local part is empty"},
      {"\"\"@podunk.edu", "local part is empty"},
      {"janie@", "domain is empty"},
      {".a@x.org", "dot"},
      {"a.@x.org", "dot"},
      {"a..b@x.org", "dot"},
      {"a b@x.org", "quoted"},
      {"a(b)@x.org", "quoted"},
      {"a@b@x.org", "follows"},
      {"a@x.org ", "follows"},
      {" a@x.org", "quoted"},
      {"a@x.org\r\n", "follows"},
      {std::string("a@x.org\0", 8), "follows"},
      {std::string("\"a\0b\"@x.org", 11), "control"},
      {"\"a\nb\"@x.org", "control"},
      {"\"a\\\rb\"@x.org", "control"},
      {"\"a\x7f\"@x.org", "control"},
      {"\"abc@x.org", "closing quote"},
      {"\"abc\\", "closing quote"},
      {"\"a\"b@x.org", "quoted"},
      {"a@-x.org", "hyphen"},
      {"a@x-.org", "hyphen"},
      {"a@x..org", "empty part"},
      {"a@.x.org", "empty part"},
      {"a@x.org.", "ends with a dot"},
      {"a@x!y.org", "character"},
      {"a@x\x01y.org", "follows"},
      {"a@192.0.2.1", "brackets"},
      {"a@123", "brackets"},
      {"a@[192.0.2.1", "closing bracket"},
      {"a@[192.0.2.256]", "literal"},
      {"a@[192.0.2]", "literal"},
      {"a@[2001:db8::1]", "literal"},
      {"a@[IPv6:2001:db8::1::2]", "IPv6"},
      {"a@[]", "literal"},
      {"a@[x400:foo]", "literal"},
      {std::string("a@[192.0.2.1\0]", 14), "literal"},
      {many(65) + "@x.org", "64"},
      {"a@" + many(64) + ".org", "63"},
      {"a@" + many(63) + "." + long_domain(), "255"},
      {"a@" + many(63) + "." + many(63) + "." + many(63) + "." + many(62), "253"},
      {many(64) + "@" + long_domain(), "254"},
      {"Jürgen@x.org", "SMTPUTF8"},
      {"ürgen@x.org", "SMTPUTF8"},
      {"\"ü\"@x.org", "SMTPUTF8"},
      {"a@bücher.example", "SMTPUTF8"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    auto m = po::parse_mailbox(row.text);
    REQUIRE(!m.has_value());
    CHECK(m.error().kind == po::Kind::kPermanent);
    INFO(m.error().text);
    CHECK(m.error().text.find(row.part) != std::string::npos);
  }
}

TEST_CASE("address: refused also with UTF-8") {
  const AddressRules utf8{.utf8 = true, .need_domain = true};
  for (const char* text : {"\xff@x.org", "a\xc3@x.org", "\xc0\x80@x.org", "a\xed\xa0\x80@x.org",
                           "a\xc2\x85@x.org", "\"\xc2\x80\"@x.org", "a@\xff.org", "a@x\xc2\x85y.org",
                           "a@\xe2\x80\x8b.org", "a@x\xe2\x88\x95y.org"}) {
    INFO(text);
    CHECK(!po::parse_mailbox(text, utf8).has_value());
  }
}

TEST_CASE("address: without a domain where the rules allow it") {
  const AddressRules rules{.utf8 = false, .need_domain = false};
  auto m = po::parse_mailbox("PostMaster", rules);
  REQUIRE(m.has_value());
  CHECK(m->canonical() == "PostMaster");
  CHECK(m->key() == "postmaster");
  CHECK(m->domain.empty());
  CHECK(!po::parse_mailbox("janie@", rules).has_value());
  CHECK(!po::parse_mailbox("janie>", rules).has_value());
}

TEST_CASE("address: domains") {
  CHECK(po::parse_domain("Podunk.EDU").value() == "podunk.edu");
  CHECK(po::parse_domain("bücher.example").value() == "xn--bcher-kva.example");
  CHECK(po::parse_domain("bücher。example").value() == "xn--bcher-kva.example");
  CHECK(po::parse_domain("[192.0.2.1]").value() == "[192.0.2.1]");
  for (const char* bad : {"", ".", "a b", "x.org.", "x/y", "*.x.org", "192.0.2.1", "[::1]"}) {
    INFO(bad);
    CHECK(!po::parse_domain(bad).has_value());
  }
  CHECK(po::parse_domain(long_domain()).has_value());
  CHECK(po::is_host_name("a_b.x.org"));
  CHECK(!po::is_host_name("x.org."));
  CHECK(!po::is_host_name("a\\.b"));
}

TEST_CASE("address: paths of MAIL and RCPT") {
  struct Row {
    std::string text, canonical, rest;
  };
  const Row rows[] = {
      {"<janie@podunk.edu>", "janie@podunk.edu", ""},
      {"<janie@podunk.edu> SIZE=10 BODY=8BITMIME", "janie@podunk.edu", "SIZE=10 BODY=8BITMIME"},
      {"<janie@podunk.edu>   SIZE=10", "janie@podunk.edu", "SIZE=10"},
      {"<@a.org,@b.org:janie@podunk.edu>", "janie@podunk.edu", ""},
      {"<@[192.0.2.1]:janie@podunk.edu>", "janie@podunk.edu", ""},
      {"<\"a>b\"@x.org> X", "\"a>b\"@x.org", "X"},
      {"<\"@a:b\"@x.org>", "\"@a:b\"@x.org", ""},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    auto p = po::parse_path(row.text);
    REQUIRE(p.has_value());
    CHECK(!p->null);
    CHECK(p->mailbox.canonical() == row.canonical);
    CHECK(p->rest == row.rest);
  }
  auto null = po::parse_path("<> SIZE=1");
  REQUIRE(null.has_value());
  CHECK(null->null);
  CHECK(null->rest == "SIZE=1");
  CHECK(po::parse_path("<Postmaster>", {.utf8 = false, .need_domain = false}).value().mailbox.key() ==
        "postmaster");
}

TEST_CASE("address: paths that are none") {
  for (const std::string& bad : {std::string("janie@podunk.edu"),
                                 std::string(""),
                                 std::string("<"),
                                 std::string("<janie@podunk.edu"),
                                 std::string("<janie@podunk.edu>SIZE=1"),
                                 std::string("<janie@podunk.edu>\tSIZE=1"),
                                 std::string(" <a@x.org>"),
                                 std::string("< a@x.org>"),
                                 std::string("<a@x.org >"),
                                 std::string("<<a@x.org>>"),
                                 std::string("<Postmaster>"),
                                 std::string("<@a.org>"),
                                 std::string("<@a.org:>"),
                                 std::string("<@a.org,:b@x.org>"),
                                 std::string("<@a.org,b@x.org>"),
                                 std::string("<@a.org b@x.org>"),
                                 std::string("<@-:b@x.org>"),
                                 std::string("<@a.org:@b.org:c@x.org>"),
                                 std::string("<\"a@x.org>"),
                                 std::string("<a@x.org\0>", 10),
                                 "<@" + long_domain() + ":a@x.org>"}) {
    INFO(bad);
    auto p = po::parse_path(bad);
    REQUIRE(!p.has_value());
    CHECK(!p.error().text.empty());
    CHECK(p.error().text.find_first_of("\r\n") == std::string::npos);
  }
}

TEST_CASE("address: bang paths on their way to the first host") {
  struct Row {
    std::string text, rewritten;
  };
  const Row rows[] = {
      {"host1!host2!user", "user%host2@host1"},
      {"host1!user", "user@host1"},
      {"a!b!c!d!user", "user%d%c%b@a"},
      {"uunet!user%bitnet", "user%bitnet@uunet"},
      {"a.example!Jane.Doe", "Jane.Doe@a.example"},
      {"user", ""},
      {"", ""},
      {"!", ""},
      {"!user", ""},
      {"host!", ""},
      {"a!!user", ""},
      {"a!b@x.org", ""},
      {"\"a!b\"", ""},
      {many(200) + "!" + many(55), many(55) + "@" + many(200)},
      {many(200) + "!" + many(56), ""},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    CHECK(po::rewrite_bang_path(row.text).value_or("") == row.rewritten);
  }
}
