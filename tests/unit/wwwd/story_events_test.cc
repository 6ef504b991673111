#include "wwwd/story_events.h"

#include <catch2/catch.hpp>

using namespace wwwd;

namespace {

std::vector<MessageStory> told(std::string_view lines) {
  auto json = parse_json_lines(lines);
  REQUIRE(json);
  return tell_stories(*json);
}

StoryEvent event(std::vector<std::pair<std::string, std::string>> fields) {
  StoryEvent e;
  e.fields = std::move(fields);
  e.event = e.get("event");
  return e;
}

// One session brings two messages, after a log-in; the first goes elsewhere and comes back.
constexpr std::string_view kTwo =
    R"({"time":"2026-11-26T02:25:00.000001Z","event":"auth-ok","session":"s1","login":"jane","client":"192.0.2.1"}
{"time":"2026-11-26T02:25:01.0Z","event":"accepted","session":"s1","id":"m1","sender":"jane@a","recipients":"2","size":"500","message-id":"<x@a>"}
{"time":"2026-11-26T02:25:01.1Z","event":"stored","id":"m1","from":"jane@a","to":"bob@b","nrcpt":"2","size":"500","session":"s1"}
{"time":"2026-11-26T02:25:01.2Z","event":"queued","id":"m1","from":"jane@a","to":"bob@b","hop":"b"}
{"time":"2026-11-26T02:25:02.0Z","event":"stored","id":"m2","from":"jane@a","to":"tom@a","nrcpt":"1","size":"9","session":"s1"}
{"time":"2026-11-26T02:25:03.0Z","event":"deferred","id":"m1","from":"jane@a","to":"bob@b","host":"mx.b","reply":"450 later","next":"900"}
{"time":"2026-11-26T03:25:03.0Z","event":"bounced","id":"m1","from":"jane@a","to":"bob@b","host":"mx.b","reply":"550 no"}
{"time":"2026-11-26T03:25:04.0Z","event":"notice","id":"m3","about":"m1","action":"failed","to":"jane@a"}
)";

}  // namespace

TEST_CASE("story: lines are put together by message, the newest first") {
  auto stories = told(kTwo);
  REQUIRE(stories.size() == 2);
  // Both begin with the log-in that brought them.
  const MessageStory& one = stories[0].id == "m1" ? stories[0] : stories[1];
  const MessageStory& two = stories[0].id == "m1" ? stories[1] : stories[0];
  CHECK(one.sender == "jane@a");
  CHECK(one.message_id == "<x@a>");
  CHECK(one.recipients == std::vector<std::string>{"bob@b"});
  CHECK(one.recipient_count == 2);
  CHECK(one.delivered == 1);  // the one that was never queued
  CHECK(one.failed == 1);
  CHECK(one.waiting == 0);
  REQUIRE(one.events.size() == 7);
  CHECK(one.events.front().event == "auth-ok");
  CHECK(one.events.back().event == "notice");
  CHECK(two.id == "m2");
  CHECK(two.delivered == 1);
  CHECK(two.events.size() == 2);
}

TEST_CASE("story: a session that brought nothing is a story of its own") {
  auto stories = told(
      R"({"time":"2026-11-26T02:00:00Z","event":"rcpt-refused","session":"s1","client":"192.0.2.1","sender":"a@b","recipient":"no@here","reply":"550 5.1.1 unknown"}
{"time":"2026-11-26T02:00:01Z","event":"session-end","session":"s1","client":"192.0.2.1"}
{"time":"2026-11-26T02:30:00Z","event":"rcpt-refused","session":"s2","client":"192.0.2.2","sender":"c@d","recipient":"no@here","reply":"550"}
)");
  REQUIRE(stories.size() == 2);
  CHECK(stories[0].session == "s2");
  CHECK(stories[1].session == "s1");
  CHECK(stories[1].refused);
  CHECK(stories[1].sender == "a@b");
  CHECK(stories[1].recipients == std::vector<std::string>{"no@here"});
  CHECK(stories[1].events.size() == 2);
  CHECK(stories[1].delivered + stories[1].failed + stories[1].waiting == 0);
}

TEST_CASE("story: what became of a recipient is its last word") {
  auto fates = [](std::string_view events) {
    std::string lines =
        "{\"time\":\"2026-11-26T02:00:00Z\",\"event\":\"stored\",\"id\":\"m\",\"nrcpt\":\"1\"}\n";
    while (!events.empty()) {
      auto space = events.find(' ');
      lines += "{\"time\":\"2026-11-26T02:00:01Z\",\"id\":\"m\",\"to\":\"a@b\",\"event\":\"" +
               std::string(events.substr(0, space)) + "\"}\n";
      events.remove_prefix(space == std::string_view::npos ? events.size() : space + 1);
    }
    MessageStory s = told(lines).at(0);
    return std::vector<std::uint64_t>{s.delivered, s.waiting, s.held, s.failed};
  };
  using Fates = std::vector<std::uint64_t>;
  CHECK(fates("") == Fates{1, 0, 0, 0});
  CHECK(fates("queued") == Fates{0, 1, 0, 0});
  CHECK(fates("queued deferred delivered") == Fates{1, 0, 0, 0});
  CHECK(fates("queued held") == Fates{0, 0, 1, 0});
  CHECK(fates("held released") == Fates{0, 1, 0, 0});
  CHECK(fates("queued expired") == Fates{0, 0, 0, 1});
  CHECK(fates("queued discarded") == Fates{0, 0, 0, 1});
}

TEST_CASE("story: sentences") {
  struct Case {
    StoryEvent event;
    std::string_view sentence;
    bool for_users, trouble;
  };
  const Case cases[] = {
      {event({{"event", "accepted"}, {"client", "192.0.2.1"}, {"name", "mx.b"}, {"tls", "TLSv1.3"}}),
       "Accepted from mx.b [192.0.2.1], TLSv1.3", true, false},
      {event({{"event", "accepted"}, {"client", "192.0.2.1"}, {"login", "jane"}, {"tls", ""}}),
       "Accepted from 192.0.2.1, logged in as jane, without TLS", true, false},
      {event({{"event", "accepted"}, {"client", "local"}, {"uid", "1000"}}), "Accepted from local user 1000",
       true, false},
      {event({{"event", "stored"}, {"nrcpt", "3"}, {"size", "2048"}}),
       "Stored for 3 recipients, 2,048 octets", true, false},
      {event(
           {{"event", "deferred"}, {"to", "a@b"}, {"host", "mx.b"}, {"reply", "450 later"}, {"next", "900"}}),
       "Not delivered to a@b yet: mx.b said 450 later. Next attempt in 15 min", true, true},
      {event({{"event", "delivered"}, {"to", "a@b"}, {"host", "mx.b"}, {"tls", "no"}, {"reply", "250 ok"}}),
       "Delivered to a@b through mx.b, without TLS: 250 ok", true, false},
      {event({{"event", "bounced"}, {"to", "a@b"}, {"reply", "no such host"}}),
       "Cannot be delivered to a@b: no such host. The sender is told", true, true},
      {event({{"event", "expired"}, {"to", "a@b"}, {"age", "432000"}}),
       "Given up for a@b after 5 days. The sender is told", true, true},
      {event({{"event", "discarded"}, {"to", "a@b"}, {"why", "an administrator's command"}}),
       "Thrown away for a@b: an administrator's command", true, true},
      {event({{"event", "attempt"}, {"to", "a@b,c@d"}}), "Attempt for a@b, c@d", false, false},
      {event({{"event", "auth-ok"}, {"login", "jane"}, {"client", "192.0.2.1"}}),
       "jane logged in from 192.0.2.1", false, false},
      {event({{"event", "something-new"}}), "something-new", false, false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.sentence);
    CHECK(event_sentence(c.event) == c.sentence);
    CHECK(is_for_users(c.event) == c.for_users);
    CHECK(is_trouble(c.event) == c.trouble);
  }
}

TEST_CASE("story: the line itself") {
  CHECK(event_line(event({{"event", "x"}, {"a", "b c"}, {"d", ""}, {"e", "f\n"}})) ==
        "event=x a=\"b c\" d=\"\" e=f?");
}
