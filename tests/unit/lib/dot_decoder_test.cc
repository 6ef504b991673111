#include "lib/dot_decoder.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

using po::ContentFaults;
using po::CrlfCheck;
using po::DotDecoder;
using namespace std::string_literals;

namespace {

struct Decoded {
  std::string content;
  std::size_t consumed = 0;
  bool ended = false;
  ContentFaults faults;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(const std::vector<std::string>& pieces) {
  DotDecoder decoder;
  Decoded d;
  for (const std::string& piece : pieces) {
    std::size_t n = decoder.feed(piece, d.content);
    d.consumed += n;
    if (n < piece.size()) REQUIRE(decoder.ended());
    if (decoder.ended()) break;
  }
  d.ended = decoder.ended();
  d.faults = decoder.faults();
  return d;
}

}  // namespace

TEST_CASE("dot decoder: the end of data and stuffed dots") {
  struct Row {
    std::string in, content, rest;
    bool ended;
    bool bare_cr, bare_lf, nul;
  };
  const std::vector<Row> rows = {
      {".\r\n", "", "", true, false, false, false},
      {"\r\n.\r\n", "\r\n", "", true, false, false, false},
      {"a\r\nb\r\n.\r\nQUIT\r\n", "a\r\nb\r\n", "QUIT\r\n", true, false, false, false},
      {"..\r\n.\r\n", ".\r\n", "", true, false, false, false},
      {"...\r\n.x\r\n.\r\n", "..\r\nx\r\n", "", true, false, false, false},
      {"a.\r\n.b\r\n.\r\n", "a.\r\nb\r\n", "", true, false, false, false},
      {"no end", "no end", "", false, false, false, false},
      {"a\r\n.", "a\r\n", "", false, false, false, false},
      {"a\r\n.\r", "a\r\n", "", false, false, false, false},
      // what must not end the data: the ways of CVE-2023-51764 and its relatives
      {"a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", "", true, false, true, false},
      {"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", "", true, false, true, false},
      {"a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", "", true, false, true, false},
      {"a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", "", true, true, false, false},
      {"a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", "", true, true, false, false},
      {"a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", "", true, true, false, false},
      {"a\r\r\n.\r\n", "a\r\r\n", "", true, true, false, false},
      {"\n.\r\n.\r\n", "\n.\r\n", "", true, false, true, false},
      {"a\0b\r\n.\r\n"s, "a\0b\r\n"s, "", true, false, false, true},
      {".\0\r\n.\r\n"s, "\0\r\n"s, "", true, false, false, true},
  };
  for (const Row& row : rows) {
    INFO(row.in);
    Decoded d = decode({row.in});
    CHECK(d.content == row.content);
    CHECK(row.in.substr(d.consumed) == row.rest);
    CHECK(d.ended == row.ended);
    CHECK(d.faults == ContentFaults{row.bare_cr, row.bare_lf, row.nul});
  }
}

TEST_CASE("dot decoder: how the input is cut does not matter") {
  std::mt19937 random(7);
  const std::string letters("a.\r\n\0", 5);
  for (int round = 0; round < 3000; ++round) {
    std::string in;
    for (unsigned n = random() % 24; n > 0; --n) {
      if (random() % 3 == 0) {
        in += "\r\n";
      } else {
        in += letters[random() % letters.size()];
      }
    }
    in += "\r\n.\r\n";
    Decoded whole = decode({in});
    std::vector<std::string> octets, pieces;
    for (char c : in) octets.emplace_back(1, c);
    for (std::size_t at = 0; at < in.size();) {
      std::size_t n = 1 + random() % 7;
      pieces.push_back(in.substr(at, n));
      at += pieces.back().size();
    }
    REQUIRE(decode(octets) == whole);
    REQUIRE(decode(pieces) == whole);
  }
}

TEST_CASE("line end check for chunks") {
  struct Row {
    std::vector<std::string> in;
    bool bare_cr, bare_lf, nul, at_line_start;
  };
  const std::vector<Row> rows = {
      {{}, false, false, false, true},
      {{"a\r\n"}, false, false, false, true},
      {{"a\r", "\nb"}, false, false, false, false},
      {{"a\r"}, true, false, false, false},
      {{"a\r", "b\r\n"}, true, false, false, true},
      {{"a\r", "\r\n"}, true, false, false, true},
      {{"a", "\n"}, false, true, false, false},
      {{".\r\n", ".\r\n"}, false, false, false, true},
      {{"a\0"s}, false, false, true, false},
  };
  for (const Row& row : rows) {
    CrlfCheck check;
    for (const std::string& piece : row.in) check.feed(piece);
    check.finish();
    CHECK(check.faults() == ContentFaults{row.bare_cr, row.bare_lf, row.nul});
    CHECK(check.at_line_start() == row.at_line_start);
  }
}
