#include "wwwd/guard.h"

#include <catch2/catch.hpp>
#include <string>

#include "lib/net_address.h"

using namespace wwwd;
using directory::ClearText;

namespace {

po::messages::NetAddress address(std::string_view text) {
  auto found = po::parse_address(text);
  REQUIRE(found);
  return *found;
}

Policy policy(std::vector<std::string> limit, std::vector<std::string> proxies = {}) {
  directory::Settings settings;
  settings.web_limit = std::move(limit);
  settings.trusted_proxies = std::move(proxies);
  return Policy::of(settings);
}

Head with(std::vector<std::pair<std::string, std::string>> fields, Method method = Method::kGet) {
  Head head;
  head.method = method;
  head.fields = std::move(fields);
  return head;
}

/// "192.0.2.1 https", "(refused)"
std::string source(std::string_view peer, bool tls, const Head& head) {
  auto found = source_of(policy({}, {"10.0.0.0/8", "2001:db8:1::/48"}), address(peer), tls, head);
  if (!found) return "(refused)";
  return po::address_text(found->client) + (found->https ? " https" : " http");
}

}  // namespace

TEST_CASE("whom a request comes from") {
  struct Case {
    std::string_view peer;
    bool tls;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string_view want;
  };
  const Case cases[] = {
      {"192.0.2.1", false, {}, "192.0.2.1 http"},
      {"192.0.2.1", true, {}, "192.0.2.1 https"},
      // no listed proxy: what it says is not believed
      {"192.0.2.1",
       false,
       {{"x-forwarded-for", "127.0.0.1"}, {"x-forwarded-proto", "https"}},
       "192.0.2.1 http"},
      {"127.0.0.1", false, {{"x-forwarded-for", "192.0.2.9"}}, "127.0.0.1 http"},
      // a listed one
      {"10.0.0.1", false, {}, "10.0.0.1 http"},
      {"10.0.0.1", true, {}, "10.0.0.1 https"},
      {"10.0.0.1", false, {{"x-forwarded-for", "192.0.2.9"}}, "192.0.2.9 http"},
      {"10.0.0.1",
       false,
       {{"x-forwarded-for", "192.0.2.9"}, {"x-forwarded-proto", "https"}},
       "192.0.2.9 https"},
      {"10.0.0.1", true, {{"x-forwarded-for", "192.0.2.9"}, {"x-forwarded-proto", "http"}}, "192.0.2.9 http"},
      // the client wrote the left part itself
      {"10.0.0.1", false, {{"x-forwarded-for", "127.0.0.1, 192.0.2.9"}}, "192.0.2.9 http"},
      {"10.0.0.1", false, {{"x-forwarded-for", "junk, 192.0.2.9"}}, "192.0.2.9 http"},
      // two proxies in a row, in one field and in two
      {"10.0.0.1", false, {{"x-forwarded-for", "192.0.2.9, 10.0.0.2"}}, "192.0.2.9 http"},
      {"10.0.0.1",
       false,
       {{"x-forwarded-for", "192.0.2.9"}, {"x-forwarded-for", "10.0.0.2"}},
       "192.0.2.9 http"},
      {"10.0.0.1", false, {{"x-forwarded-for", "10.0.0.3,10.0.0.2"}}, "10.0.0.3 http"},
      {"2001:db8:1::1", false, {{"x-forwarded-for", "2001:db8:2::1"}}, "2001:db8:2::1 http"},
      {"10.0.0.1", false, {{"x-forwarded-for", "[2001:db8:2::1]:4711"}}, "2001:db8:2::1 http"},
      {"10.0.0.1", false, {{"x-forwarded-for", "192.0.2.9:4711"}}, "192.0.2.9 http"},
      {"10.0.0.1", false, {{"x-forwarded-for", "unknown"}}, "(refused)"},
      {"10.0.0.1", false, {{"x-forwarded-for", "192.0.2.9,"}}, "(refused)"},
      {"10.0.0.1", false, {{"x-forwarded-for", "192.0.2.9, 10.0.0.2, "}}, "(refused)"},
      {"10.0.0.1", false, {{"x-forwarded-for", "[2001:db8::1"}}, "(refused)"},
      {"10.0.0.1", false, {{"x-forwarded-proto", "ftp"}}, "(refused)"},
      {"10.0.0.1", false, {{"x-forwarded-proto", "https, http"}}, "(refused)"},
  };
  for (const Case& c : cases) {
    INFO(c.peer << " " << (c.fields.empty() ? "" : c.fields[0].second));
    CHECK(source(c.peer, c.tls, with(c.fields)) == c.want);
  }
}

TEST_CASE("our own origin") {
  CHECK(own_origin(true, "mail.podunk.edu") == "https://mail.podunk.edu");
  CHECK(own_origin(true, "mail.podunk.edu:443") == "https://mail.podunk.edu");
  CHECK(own_origin(true, "mail.podunk.edu:80") == "https://mail.podunk.edu:80");
  CHECK(own_origin(false, "mail.podunk.edu:80") == "http://mail.podunk.edu");
  CHECK(own_origin(false, "127.0.0.1:8081") == "http://127.0.0.1:8081");
  CHECK(own_origin(true, "[2001:db8::1]:443") == "https://[2001:db8::1]");
  CHECK(own_origin(true, "[2001:db8::443]") == "https://[2001:db8::443]");
  CHECK(without_port("[2001:db8::1]:81") == "[2001:db8::1]");
  CHECK(without_port("a:81") == "a");
}

TEST_CASE("forms of other sites") {
  struct Case {
    std::vector<std::pair<std::string, std::string>> fields;
    bool forged;
  };
  const Case cases[] = {
      {{}, false},
      {{{"origin", "https://mail.podunk.edu"}}, false},
      {{{"origin", "https://MAIL.podunk.edu"}}, false},
      {{{"origin", "http://mail.podunk.edu"}}, true},
      {{{"origin", "https://mail.podunk.edu:81"}}, true},
      {{{"origin", "https://evil.example"}}, true},
      {{{"origin", "https://mail.podunk.edu.evil.example"}}, true},
      {{{"origin", "null"}}, true},
      {{{"origin", ""}}, true},
      {{{"sec-fetch-site", "same-origin"}}, false},
      {{{"sec-fetch-site", "none"}}, false},
      {{{"sec-fetch-site", "same-site"}}, true},
      {{{"sec-fetch-site", "cross-site"}}, true},
      {{{"sec-fetch-site", ""}}, true},
      {{{"origin", "https://mail.podunk.edu"}, {"sec-fetch-site", "cross-site"}}, true},
  };
  for (const Case& c : cases) {
    INFO((c.fields.empty() ? "" : c.fields[0].second));
    CHECK(is_forged(with(c.fields, Method::kPost), "https://mail.podunk.edu") == c.forged);
    CHECK_FALSE(is_forged(with(c.fields, Method::kGet), "https://mail.podunk.edu"));
  }
}

TEST_CASE("without TLS") {
  Policy p;
  for (auto [clear_text, here, elsewhere] : {std::tuple(ClearText::kNever, false, false),
                                             {ClearText::kLoopback, true, false},
                                             {ClearText::kAlways, true, true}}) {
    p.clear_text = clear_text;
    CHECK(may_use_clear_text(p, address("127.0.0.1")) == here);
    CHECK(may_use_clear_text(p, address("::1")) == here);
    CHECK(may_use_clear_text(p, address("192.0.2.1")) == elsewhere);
  }
}

TEST_CASE("who may use the forms") {
  const std::string none, janie = "pc.podunk.edu", evil = "pc.evil.example";
  CHECK(may_use_forms(policy({}), address("192.0.2.1"), nullptr) == Access::kAllowed);
  Policy numbers = policy({"192.0.2.0", "2001:db8::/32"});
  CHECK(may_use_forms(numbers, address("192.0.2.77"), nullptr) == Access::kAllowed);
  CHECK(may_use_forms(numbers, address("2001:db8::7"), nullptr) == Access::kAllowed);
  CHECK(may_use_forms(numbers, address("192.0.3.1"), nullptr) == Access::kRefused);
  Policy names = policy({"192.0.2.0", "podunk.edu"});
  CHECK(may_use_forms(names, address("192.0.2.1"), nullptr) == Access::kAllowed);
  CHECK(may_use_forms(names, address("192.0.3.1"), nullptr) == Access::kNameNeeded);
  CHECK(may_use_forms(names, address("192.0.3.1"), &janie) == Access::kAllowed);
  CHECK(may_use_forms(names, address("192.0.3.1"), &evil) == Access::kRefused);
  CHECK(may_use_forms(names, address("192.0.3.1"), &none) == Access::kRefused);
  // Lines that cannot be read let nobody in, and do not lift the restriction.
  CHECK(may_use_forms(policy({"not a rule"}), address("192.0.2.1"), nullptr) == Access::kRefused);
}
