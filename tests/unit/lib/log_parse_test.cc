#include "lib/log_parse.h"

#include <catch2/catch.hpp>

#include "lib/log.h"
#include "lib/story.h"

using po::LogField;
using po::parse_log_line;

TEST_CASE("log lines are read as they were written") {
  struct Case {
    std::string_view line;
    std::vector<LogField> fields;  // empty: refused
  };
  const Case cases[] = {
      {"time=1 event=stored", {{"time", "1"}, {"event", "stored"}}},
      {"time=1 from=\"\"", {{"time", "1"}, {"from", ""}}},
      {R"(time=1 reply="550 \"no\" \\ \x0a\xc3\xa9" to=b@x)",
       {{"time", "1"}, {"reply", "550 \"no\" \\ \n\xc3\xa9"}, {"to", "b@x"}}},
      {"time=1 message-id=<a=b@c>", {{"time", "1"}, {"message-id", "<a=b@c>"}}},
      {"", {}},
      {"event=stored time=1", {}},
      {"time=1  event=stored", {}},
      {"time=1 ", {}},
      {"time=1 event", {}},
      {"time=1 event=", {}},
      {"time=1 =x", {}},
      {"time=1 a=\"b", {}},
      {"time=1 a=\"b\"c", {}},
      {R"(time=1 a="\y")", {}},
      {R"(time=1 a="\x4")", {}},
      {R"(time=1 a="\xAB")", {}},
      {"time=1 a=b\"c", {}},
      {"time=1 a=\x01", {}},
      {"time=1 a=\"\x01\"", {}},
      {"time=1 a=\xff", {}},
      {"time=1 a b=c", {}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.line);
    auto record = parse_log_line(c.line);
    REQUIRE(record.has_value() == !c.fields.empty());
    if (record) CHECK(record->fields() == c.fields);
  }
  std::string many = "time=1";
  for (std::size_t i = 1; i < po::kMostLogFields; ++i) many += " a=b";
  CHECK(parse_log_line(many));
  CHECK_FALSE(parse_log_line(many + " a=b"));
  CHECK_FALSE(parse_log_line("time=" + std::string(po::kMostLogLine, '1')));
}

TEST_CASE("whatever a value holds comes back") {
  std::string value;
  for (int c = 0; c < 256; ++c) {
    value += static_cast<char>(c);
    std::string line = "time=1 a=";
    po::append_log_value(line, value);
    auto record = parse_log_line(line);
    REQUIRE(record);
    CHECK(record->get("a") == value);
  }
}

TEST_CASE("a log is heard as it is written") {
  po::Log log;
  std::vector<std::string> heard;
  log.event("one");
  log.listen([&](std::string_view line) { heard.emplace_back(line); });
  log.event("two").kv("id", "x");
  log.listen({});
  log.event("three");
  REQUIRE(heard.size() == 1);
  CHECK(parse_log_line(heard[0])->get("event") == "two");
}

TEST_CASE("a line as people read it") {
  auto record = parse_log_line(
      R"(time=2026-11-26T02:25:00.123Z proc=queue event=deferred id=0abc to=b@x reply="450 \x1b[31m" empty="")");
  REQUIRE(record);
  CHECK(po::story_line(*record) ==
        "2026-11-26T02:25:00.123Z  0abc                  not delivered yet  to=b@x  reply=\"450 ?[31m\"\n");
  CHECK(po::story_json(*record) ==
        "{\"time\":\"2026-11-26T02:25:00.123Z\",\"proc\":\"queue\",\"event\":\"deferred\",\"id\":\"0abc\","
        "\"to\":\"b@x\",\"reply\":\"450 \\u001b[31m\",\"empty\":\"\"}\n");
}
