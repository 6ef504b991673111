#include "wwwd/cookie.h"

#include <catch2/catch.hpp>

using wwwd::Cookie;
using wwwd::cookie_value;
using wwwd::set_cookie_text;

TEST_CASE("cookies by name") {
  struct Case {
    std::string_view field, want;
  };
  const Case cases[] = {
      {"", ""},
      {"token=abc", "abc"},
      {"a=1; token=abc", "abc"},
      {"a=1; token=abc; b=2", "abc"},
      {"a=1;token=abc", "abc"},
      {"token=", ""},
      {"token", ""},
      {"xtoken=abc", ""},
      {"tokenx=abc", ""},
      {"TOKEN=abc", ""},
      {"token =abc", ""},
      {"token=a=b", "a=b"},
      {"token=\"abc\"", ""},
      {"token=a b", ""},
      {"token=a,b", ""},
      {"token=a\xc3\xa9", ""},
      {"token=abc; token=abc", "abc"},
      {"token=abc; token=xyz", ""},  // one of them was put there by a neighbour
      {"token=abc; token=", ""},
      {"; ;=;token=abc;;", "abc"},
  };
  for (const Case& c : cases) {
    INFO(c.field);
    CHECK(cookie_value(c.field, "token") == c.want);
  }
}

TEST_CASE("Set-Cookie") {
  CHECK(set_cookie_text({"token", "abc"}) == "token=abc; Path=/; HttpOnly; SameSite=Strict; Secure");
  Cookie lax{.name = "t",
             .value = "",
             .path = "/a",
             .secure = false,
             .strict = false,
             .max_age = std::chrono::seconds(0)};
  CHECK(set_cookie_text(lax) == "t=; Path=/a; HttpOnly; SameSite=Lax; Max-Age=0");
}
