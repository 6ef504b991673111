#include "wwwd/json_reader.h"

#include <catch2/catch.hpp>

#include "lib/text.h"

using wwwd::Json;
using wwwd::parse_json;
using wwwd::parse_json_lines;

TEST_CASE("JSON: what is one value is read, all else refused") {
  struct Case {
    std::string_view text;
    bool ok;
  };
  const Case cases[] = {
      {"null", true},
      {" {\"a\":[1,2.5,-3,true,null,\"x\"]}\n", true},
      {"{}", true},
      {"", false},
      {" ", false},
      {"{", false},
      {"{\"a\":1,}", false},
      {"[1,]", false},
      {"{a:1}", false},
      {"'a'", false},
      {"1 2", false},
      {"{} x", false},
      {"nul", false},
      {"01", false},
      {"1e999", false},
      {"NaN", false},
      {"\"\x01\"", false},
      {"\"\xff\"", false},
      {"\"\\ud800\"", false},
      {"// comment\n1", false},
      {std::string_view("1\0", 2), false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(parse_json(c.text).has_value() == c.ok);
  }
}

TEST_CASE("JSON: values, and what is missing or of another type") {
  auto json = parse_json(
      R"({"n":7,"neg":-3,"big":18446744073709551615,"real":2.75,"huge":1e300,"yes":true,"no":false,)"
      R"("text":"a\n\u00e9","none":null,"list":[{"n":1},{"n":2}],"n":9})");
  REQUIRE(json);
  const Json& j = *json;
  CHECK(j["n"].integer() == 7);
  CHECK(j["n"].is_number());
  CHECK(j["neg"].integer() == -3);
  CHECK(j["neg"].count() == 0);
  CHECK(j["big"].integer() == INT64_MAX);
  CHECK(j["real"].integer() == 2);
  CHECK(j["huge"].integer() > 9'000'000'000'000'000'000);
  CHECK(j["yes"].flag());
  CHECK_FALSE(j["no"].flag());
  CHECK_FALSE(j["n"].flag());
  CHECK(j["text"].text() == "a\n\xc3\xa9");
  CHECK(j["none"].is_null());
  REQUIRE(j["list"].items().size() == 2);
  CHECK(j["list"].items()[1]["n"].integer() == 2);
  CHECK(j["absent"].is_null());
  CHECK(j["absent"]["deeper"].text().empty());
  CHECK(j["text"]["deeper"].items().empty());
  CHECK(j["text"].integer() == 0);
  CHECK(j.members().size() == 11);
}

TEST_CASE("JSON: bounds") {
  auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(parse_json(nested(wwwd::kMostJsonDepth)));
  CHECK_FALSE(parse_json(nested(wwwd::kMostJsonDepth + 1)));
  CHECK_FALSE(parse_json(nested(1'000'000)));
  auto list = [](std::size_t values) {
    std::string out = "[0";
    for (std::size_t i = 2; i < values; ++i) out += ",0";
    return out + "]";
  };
  CHECK(parse_json(list(wwwd::kMostJsonValues)));
  CHECK_FALSE(parse_json(list(wwwd::kMostJsonValues + 1)));
  CHECK_FALSE(parse_json("\"" + std::string(wwwd::kMostJson, 'a') + "\""));
}

TEST_CASE("JSON: whatever is written as a string comes back") {
  std::string all;
  for (char c = 1; c != 0 && static_cast<unsigned char>(c) < 128; ++c) all += c;
  all += "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
  auto back = parse_json(po::json_string(all));
  REQUIRE(back);
  CHECK(back->text() == all);
}

TEST_CASE("JSON: lines") {
  auto lines = parse_json_lines("{\"a\":1}\n\n{\"a\":2}\n{\"a\":");
  REQUIRE(lines);
  REQUIRE(lines->size() == 2);
  CHECK((*lines)[1]["a"].integer() == 2);
  CHECK(parse_json_lines("")->empty());
  CHECK_FALSE(parse_json_lines("{\"a\":1}\nx\n"));
}
