#include "wwwd/query.h"

#include <catch2/catch.hpp>
#include <string>

using wwwd::encode_component;
using wwwd::parse_parameters;
using wwwd::parse_path;

namespace {
/// "a=b|c=" for what was found, "(refused)" for nothing.
std::string shown(std::string_view text) {
  auto parameters = parse_parameters(text);
  if (!parameters) return "(refused)";
  std::string out;
  for (const auto& [name, value] : *parameters) out += (out.empty() ? "" : "|") + name + "=" + value;
  return out;
}
}  // namespace

TEST_CASE("queries and forms") {
  struct Case {
    std::string_view text, want;
  };
  const Case cases[] = {
      {"", ""},
      {"a=b", "a=b"},
      {"a=b&c=d", "a=b|c=d"},
      {"a=1&a=2&b=3&a=1", "a=1|a=2|b=3|a=1"},
      {"a", "a="},
      {"a=", "a="},
      {"a&b", "a=|b="},
      {"a=b=c", "a=b=c"},
      {"a=b+c%20d", "a=b c d"},
      {"a%3Db=%26", "a=b=&"},
      {"a=%2B", "a=+"},
      {"a=%c3%a9", "a=\xc3\xa9"},
      {"a=\xc3\xa9", "a=\xc3\xa9"},
      {"text=one%0D%0Atwo%09x", "text=one\r\ntwo\tx"},
      {"a=1;b=2", "a=1;b=2"},
      {"=b", "(refused)"},
      {"&", "(refused)"},
      {"a=b&", "(refused)"},
      {"&a=b", "(refused)"},
      {"a=b&&c=d", "(refused)"},
      {"a=%", "(refused)"},
      {"a=%4", "(refused)"},
      {"a=%4g", "(refused)"},
      {"a=%+1", "(refused)"},
      {"a=%u0041", "(refused)"},
      {"a%=1", "(refused)"},
      {"a=%00", "(refused)"},
      {"a=%08", "(refused)"},
      {"a=%7F", "(refused)"},
      {"a=%1b[31m", "(refused)"},
      {"%00=a", "(refused)"},
      {"a=%ff", "(refused)"},
      {"a=%c0%af", "(refused)"},     // an overlong slash
      {"a=%ed%a0%80", "(refused)"},  // a surrogate
      {"a=%c3", "(refused)"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    CHECK(shown(c.text) == c.want);
  }
}

TEST_CASE("parameters are found by name") {
  auto p = parse_parameters("x=1&y=&x=2");
  REQUIRE(p);
  CHECK(p->value("x") == "1");
  CHECK(p->all("x") == std::vector<std::string_view>{"1", "2"});
  CHECK(p->has("y"));
  CHECK(p->value("y").empty());
  CHECK_FALSE(p->has("z"));
  CHECK(p->find("z") == nullptr);
  CHECK(p->all("z").empty());
}

TEST_CASE("as many parameters as are taken, and one more") {
  std::string text = "n=1";
  for (std::size_t i = 1; i < wwwd::kMaxParameters; ++i) text += "&n=1";
  auto most = parse_parameters(text);
  REQUIRE(most);
  CHECK(most->size() == wwwd::kMaxParameters);
  CHECK_FALSE(parse_parameters(text + "&n=1"));
  std::string name(wwwd::kMaxParameterName, 'n');
  CHECK(parse_parameters(name + "=1"));
  CHECK_FALSE(parse_parameters(name + "n=1"));
}

TEST_CASE("paths") {
  struct Case {
    std::string_view text, want;  ///< want is empty for what is refused
  };
  const Case cases[] = {
      {"/", "/"},
      {"/accounts", "/accounts"},
      {"/accounts/", "/accounts/"},
      {"/a/b.c/d-e_f~g", "/a/b.c/d-e_f~g"},
      {"/janie@podunk.edu", "/janie@podunk.edu"},
      {"/a%20b", "/a b"},
      {"/a+b", "/a+b"},
      {"/%61", "/a"},
      {"/%c3%a9", "/\xc3\xa9"},
      {"/...", "/..."},
      {"/.a", "/.a"},
      {"/%252e%252e", "/%2e%2e"},
      {"", ""},
      {"a", ""},
      {"//", ""},
      {"//host/path", ""},
      {"/a//b", ""},
      {"/.", ""},
      {"/..", ""},
      {"/a/..", ""},
      {"/a/../b", ""},
      {"/a/./b", ""},
      {"/../etc/passwd", ""},
      {"/%2e%2e/etc", ""},
      {"/a/%2E./b", ""},
      {"/a%2fb", ""},
      {"/a%2F..%2Fb", ""},
      {"/a%5cb", ""},
      {"/a\\b", ""},
      {"/a%00", ""},
      {"/a%0d%0aX:%20y", ""},
      {"/a%7f", ""},
      {"/a%c2%80", ""},  // U+0080 is a control character
      {"/a%c0%ae", ""},
      {"/a%ff", ""},
      {"/a\xc3\xa9", ""},
      {"/a%", ""},
      {"/a%2", ""},
      {"/a%zz", ""},
      {"/a b", ""},
      {"/a#b", ""},
      {"/a?b", ""},
      {"/a\"b", ""},
      {"/a<b>", ""},
      {"/a[b]", ""},
      {"*", ""},
      {"http://host/", ""},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    CHECK(parse_path(c.text).value_or("") == c.want);
  }
}

TEST_CASE("what is encoded is read back") {
  std::string all;
  for (int c = 0x20; c < 0x7f; ++c) all.push_back(static_cast<char>(c));
  all += "\r\n\t\xc3\xa9\xf0\x9f\x93\xac";
  auto back = parse_parameters("x=" + encode_component(all));
  REQUIRE(back);
  CHECK(back->value("x") == all);
  CHECK(encode_component("a b&c=d/\xc3\xa9~") == "a%20b%26c%3Dd%2F%C3%A9~");
}
