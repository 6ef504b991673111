#include "lib/directory/queue_start.h"

#include <catch2/catch.hpp>

#include "lib/net_address.h"

using namespace directory;

TEST_CASE("queue start permissions: read, and written as they should be") {
  struct Row {
    const char *text, *written, *why;
  };
  const Row rows[] = {
      {"Podunk.edu 192.0.2.0/24", "podunk.edu 192.0.2.0/24", ""},
      {" podunk.edu \t 199.17.234.0 ", "podunk.edu 199.17.234.0", ""},
      {"podunk.edu Mail.Podunk.EDU", "podunk.edu mail.podunk.edu", ""},
      {"", "", "a permission is written DOMAIN RESTRICTION, as podunk.edu 192.0.2.0/24"},
      {"podunk.edu", "", "a permission is written"},
      {"podunk.edu 192.0.2.1 192.0.2.2", "", "a permission is written"},
      {"po dunk.edu 192.0.2.1", "", "a permission is written"},
      {"-podunk.edu 192.0.2.1", "", "\"-podunk.edu\": a part of the domain begins with a hyphen"},
      {"podunk.edu 192.0.2", "", "no IPv4 number"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    auto tidy = tidy_queue_start(row.text);
    CHECK(tidy.value_or("") == row.written);
    if (!tidy) CHECK_THAT(tidy.error().text, Catch::Contains(row.why));
  }
}

TEST_CASE("queue start permissions: who may start what") {
  const std::vector<std::string> lines{"podunk.edu 192.0.2.0/24", "xanadu.podunk.edu 198.51.100.7", "no line",
                                       "far.example mail.far.example"};
  struct Row {
    const char *domain, *client, *name;
    bool may;
  };
  const Row rows[] = {
      {"podunk.edu", "192.0.2.9", "", true},
      {"xanadu.podunk.edu", "192.0.2.9", "", true},
      {"xanadu.podunk.edu", "198.51.100.7", "", true},
      {"podunk.edu", "198.51.100.7", "", false},
      {"notpodunk.edu", "192.0.2.9", "", false},
      {"edu", "192.0.2.9", "", false},
      {"far.example", "203.0.113.1", "", false},
      {"far.example", "203.0.113.1", "mail.far.example", true},
  };
  for (const Row& row : rows) {
    INFO(row.domain << " " << row.client);
    auto rules = who_may_start(lines, row.domain);
    CHECK(po::any_match(rules, po::parse_address(row.client).value(), row.name) == row.may);
  }
}
