#include "wwwd/queue_query.h"

#include <catch2/catch.hpp>

using namespace wwwd;

namespace {

QueueQuery query_of(std::string_view text) {
  auto parameters = parse_parameters(text);
  REQUIRE(parameters);
  return read_queue_query(*parameters);
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("queue filter: fields become words and an address again") {
  struct Case {
    std::string_view text;
    Words words;
    std::string_view address, sentence;
  };
  const Case cases[] = {
      {"", {}, "/queue", ""},
      {"sender=+jane%40podunk.edu+",
       {"--sender=jane@podunk.edu"},
       "/queue?sender=jane%40podunk.edu",
       "sender jane@podunk.edu"},
      {"sender=%3C%3E&state=held&older=4h",
       {"--sender=<>", "--state=held", "--older=4h"},
       "/queue?sender=%3C%3E&state=held&older=4h",
       "sender <>, held, older than 4h"},
      {"hop=%5B192.0.2.1%5D%3A25&domain=*.edu&recipient=a*",
       {"--recipient=a*", "--domain=*.edu", "--hop=[192.0.2.1]:25"},
       "/queue?recipient=a%2A&domain=%2A.edu&hop=%5B192.0.2.1%5D%3A25",
       "recipient a*, recipient's domain *.edu, next host [192.0.2.1]:25"},
      // What looks like an option is a value all the same.
      {"sender=--all", {"--sender=--all"}, "/queue?sender=--all", "sender --all"},
      {"other=x&all=1", {}, "/queue", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    QueueQuery query = query_of(c.text);
    CHECK(query.problems.empty());
    CHECK(filter_words(query) == c.words);
    CHECK(queue_address(query) == c.address);
    CHECK(filter_text(query) == c.sentence);
    CHECK(query.filters() == !c.words.empty());
  }
}

TEST_CASE("queue filter: what is wrong is said beside its field, and no word") {
  struct Case {
    std::string_view text, field;
  };
  const Case cases[] = {{"state=lost", "state"},   {"older=4", "older"},           {"older=h", "older"},
                        {"older=4y", "older"},     {"older=1234567890h", "older"}, {"older=-4h", "older"},
                        {"sender=a%0Ab", "sender"}};
  for (const Case& c : cases) {
    CAPTURE(c.text);
    QueueQuery query = query_of(c.text);
    REQUIRE(query.problems.size() == 1);
    CHECK_FALSE(query.problem_of(c.field).empty());
    CHECK(filter_words(query).empty());
    CHECK(query.filters());  // nothing may take it for a query of everything
  }
  CHECK(query_of("sender=" + std::string(641, 'a')).problems.size() == 1);
}

TEST_CASE("queue filter: the place of a page") {
  const std::string id = "06ctdyz0p00000100000";
  CHECK(query_of("after=" + id).after == id);
  CHECK(query_of("after=" + id + "%2F12").after == id + "/12");
  CHECK(queue_address(query_of("after=" + id + "%2F12")) == "/queue?after=" + id + "%2F12");
  for (const char* bad :
       {"", "--all", "06ctdyz0p00000100000/", "06ctdyz0p00000100000/x", "06ctdyz0p00000100000/12345678901"}) {
    CAPTURE(bad);
    CHECK(query_of("after=" + encode_component(bad)).after.empty());
  }
}
