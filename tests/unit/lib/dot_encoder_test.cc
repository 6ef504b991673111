#include "lib/dot_encoder.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

namespace {

using po::DotEncoder;

std::string encode(const std::vector<std::string_view>& pieces, std::optional<std::uint64_t> lines = {}) {
  DotEncoder encoder = lines ? DotEncoder(*lines) : DotEncoder();
  std::string out;
  for (std::string_view piece : pieces) encoder.add(piece, out);
  encoder.finish(out);
  return out;
}

/// Every way to cut into three pieces, and octet by octet, gives what the whole gives.
void check_all_cuts(std::string_view content, std::optional<std::uint64_t> lines,
                    const std::string& expected) {
  CHECK(encode({content}, lines) == expected);
  for (std::size_t a = 0; a <= content.size(); ++a) {
    for (std::size_t b = a; b <= content.size(); ++b) {
      REQUIRE(encode({content.substr(0, a), content.substr(a, b - a), content.substr(b)}, lines) == expected);
    }
  }
  std::vector<std::string_view> octets;
  for (std::size_t i = 0; i < content.size(); ++i) octets.push_back(content.substr(i, 1));
  REQUIRE(encode(octets, lines) == expected);
}

struct Case {
  std::string_view content;
  std::optional<std::uint64_t> lines;
  std::string expected;
};

}  // namespace

TEST_CASE("a whole message") {
  const Case cases[] = {
      {"", {}, ".\r\n"},
      {"a\r\n", {}, "a\r\n.\r\n"},
      {"a", {}, "a\r\n.\r\n"},
      {"a\r", {}, "a\r\r\n.\r\n"},
      {"a\n", {}, "a\n\r\n.\r\n"},
      {"\r\n", {}, "\r\n.\r\n"},
      {".", {}, "..\r\n.\r\n"},
      {".\r\n", {}, "..\r\n.\r\n"},
      {"..\r\n.", {}, "...\r\n..\r\n.\r\n"},
      {"a.b\r\n.c\r\n..\r\nd.\r\n", {}, "a.b\r\n..c\r\n...\r\nd.\r\n.\r\n"},
      {"a\r\n.\r\nb", {}, "a\r\n..\r\nb\r\n.\r\n"},
      {"a\n.\nb\r\n", {}, "a\n..\nb\r\n.\r\n"},  // bare LF: stuffed as well
      {"a\r.\rb\r\n", {}, "a\r.\rb\r\n.\r\n"},   // a bare CR ends no line for anybody
      {std::string_view("\0.\0\r\n", 5), {}, std::string("\0.\0\r\n.\r\n", 8)},
  };
  for (const Case& c : cases) check_all_cuts(c.content, c.lines, c.expected);
}

TEST_CASE("TOP") {
  const std::string_view mail = "S: x\r\n.h\r\n\r\n.one\r\n\r\nthree";
  const Case cases[] = {
      {mail, 0, "S: x\r\n..h\r\n\r\n.\r\n"},
      {mail, 1, "S: x\r\n..h\r\n\r\n..one\r\n.\r\n"},
      {mail, 2, "S: x\r\n..h\r\n\r\n..one\r\n\r\n.\r\n"},
      {mail, 3, "S: x\r\n..h\r\n\r\n..one\r\n\r\nthree\r\n.\r\n"},
      {mail, UINT64_MAX, "S: x\r\n..h\r\n\r\n..one\r\n\r\nthree\r\n.\r\n"},
      {"", 0, ".\r\n"},
      {"no header end", 0, "no header end\r\n.\r\n"},
      {"a\r\nb\r\n", 0, "a\r\nb\r\n.\r\n"},
      {"\r\nbody\r\n", 0, "\r\n.\r\n"},
      {"\r\nbody\r\nmore\r\n", 1, "\r\nbody\r\n.\r\n"},
      {"a\r\n\r\r\nb\r\n\r\nc\r\n", 0, "a\r\n\r\r\nb\r\n\r\n.\r\n"},  // CR CR LF is no empty line
      {"a\n\nb\nc\n", 1, "a\n\nb\n\r\n.\r\n"},
  };
  for (const Case& c : cases) check_all_cuts(c.content, c.lines, c.expected);
}

TEST_CASE("TOP tells when it needs no more") {
  DotEncoder encoder(1);
  std::string out;
  encoder.add("a\r\n\r\nb\r", out);
  CHECK_FALSE(encoder.full());
  encoder.add("\nc\r\n", out);
  CHECK(encoder.full());
  encoder.add("d\r\n", out);
  CHECK(out == "a\r\n\r\nb\r\n");
}
