#include "wwwd/routes.h"

#include <catch2/catch.hpp>

using Parts = std::vector<std::string>;

TEST_CASE("paths find their route") {
  wwwd::Routes routes;
  for (std::string_view pattern : {"/", "/accounts", "/accounts/new", "/accounts/:", "/accounts/:/history",
                                   "/settings/*", "/settings/*/list/*", "/settings/index"})
    routes.add({.pattern = pattern, .get = [](const auto&) {}});
  struct Case {
    std::string_view path, pattern;
    Parts parts;
  };
  const Case cases[] = {
      {"/", "/", {}},
      {"/accounts", "/accounts", {}},
      {"/accounts/", "", {}},
      {"/accounts/new", "/accounts/new", {}},
      {"/accounts/17", "/accounts/:", {"17"}},
      {"/accounts/17/history", "/accounts/:/history", {"17"}},
      {"/accounts/0", "", {}},
      {"/accounts/-1", "", {}},
      {"/accounts/+1", "", {}},
      {"/accounts/1x", "", {}},
      {"/accounts/9223372036854775807", "/accounts/:", {"9223372036854775807"}},
      {"/accounts/9223372036854775808", "", {}},
      {"/accounts/17/other", "", {}},
      {"/settings/greeting", "/settings/*", {"greeting"}},
      {"/settings/index", "/settings/index", {}},
      {"/settings/a/list/B-C", "/settings/*/list/*", {"a", "B-C"}},
      {"/settings/", "", {}},
      {"/nothing", "", {}},
      {"", "", {}},
  };
  for (const Case& c : cases) {
    INFO(c.path);
    auto found = routes.find(c.path);
    REQUIRE(found.has_value() == !c.pattern.empty());
    if (!found) continue;
    CHECK(found->route->pattern == c.pattern);
    CHECK(found->parts == c.parts);
  }
}
