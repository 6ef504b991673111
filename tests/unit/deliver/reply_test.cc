#include "deliver/reply.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace {

using deliver::Reply;
using deliver::ReplyReader;

/// All replies in the input, given in pieces of `step` octets: "250 2.1.0 a|b; ", or "garbage: why".
std::string read(std::string_view input, std::size_t step) {
  ReplyReader reader;
  std::string out;
  while (!input.empty()) {
    std::string_view piece = input.substr(0, step);
    input.remove_prefix(piece.size());
    while (!piece.empty()) {
      Reply reply;
      auto status = reader.next(piece, reply);
      if (status == ReplyReader::Status::kNeedMore) break;
      if (status == ReplyReader::Status::kGarbage) return out + "garbage: " + reader.error();
      out += std::to_string(reply.code) + " " + reply.status;
      for (const auto& line : reply.lines) out += "|" + line;
      out += "; ";
    }
  }
  return out + (reader.inside() ? "more" : "");
}

}  // namespace

TEST_CASE("reply: what is one, whole and in pieces") {
  struct Row {
    std::string input, expected;
  };
  const Row rows[] = {
      {"250 ok\r\n", "250 |ok; "},
      {"250\r\n", "250 |; "},
      {"250 \r\n", "250 |; "},
      {"250-a\r\n250-b\r\n250 c\r\n", "250 |a|b|c; "},
      {"550 5.1.1 no such user\r\n", "550 5.1.1|no such user; "},
      {"550-5.1.1 no\r\n550 5.1.1 such user\r\n", "550 5.1.1|no|such user; "},
      {"250 2.1.5\r\n", "250 2.1.5|; "},
      {"250 5.1.1 of another class\r\n", "250 |5.1.1 of another class; "},
      {"250 2.1.5x\r\n", "250 |2.1.5x; "},
      {"250 2.1234.5 x\r\n", "250 |2.1234.5 x; "},
      {"250 2.1. x\r\n", "250 |2.1. x; "},
      {"421 4.3.2 a\r\n250 b\r\n", "421 4.3.2|a; 250 |b; "},
      {"250 a", "more"},
      {"250-a\r\n", "more"},
      {"250-a\r\n251 b\r\n", "garbage: the lines of one reply have different codes"},
      {"25 a\r\n", "garbage: this is no SMTP reply"},
      {"250_a\r\n", "garbage: this is no SMTP reply"},
      {"2500 a\r\n", "garbage: this is no SMTP reply"},
      {"150 a\r\n", "garbage: this is no SMTP reply"},
      {"650 a\r\n", "garbage: this is no SMTP reply"},
      {"\r\n", "garbage: this is no SMTP reply"},
      {"hello\r\n", "garbage: this is no SMTP reply"},
      {"550 a\n250 b\r\n", "garbage: a line of the reply does not end with CR LF"},
      {"550 a\rb\r\n", "garbage: a line of the reply does not end with CR LF"},
      {std::string("250 a\0b\r\n", 9), "garbage: the reply holds an octet zero"},
      {"250 " + std::string(4092, 'x') + "\r\n", "250 |" + std::string(4092, 'x') + "; "},
      {"250 " + std::string(4093, 'x') + "\r\n", "garbage: a line of the reply is too long"},
      {"250 " + std::string(9000, 'x'), "garbage: a line of the reply is too long"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.input.substr(0, 60));
    for (std::size_t step : {std::size_t{100'000}, std::size_t{1}, std::size_t{2}, std::size_t{7}})
      CHECK(read(row.input, step) == row.expected);
  }
}

TEST_CASE("reply: lines and text are bounded") {
  std::string many;
  for (int i = 0; i < 999; ++i) many += "250-" + std::string(100, 'x') + "\r\n";
  ReplyReader reader;
  Reply reply;
  std::string whole = many + "250 end\r\n";
  std::string_view in = whole;
  REQUIRE(reader.next(in, reply) == ReplyReader::Status::kReply);
  std::size_t kept = 0;
  for (const auto& line : reply.lines) kept += line.size();
  CHECK(kept <= ReplyReader::kKept);
  CHECK(read(many + "250-x\r\n250 end\r\n", 4096) == "garbage: the reply has too many lines");
}

TEST_CASE("reply: one line for people") {
  CHECK(one_line(Reply{550, "5.1.1", {"no such", "user"}}) == "550 5.1.1 no such user");
  CHECK(one_line(Reply{250, "", {""}}) == "250");
  CHECK(deliver::one_line("a\x1b[2J\tb") == "a?[2J?b");
  CHECK(deliver::one_line("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
  CHECK(deliver::one_line("gr\xfc\xdf") == "gr??");
  CHECK(deliver::one_line("a\xc2\x85z") == "a??z");  // U+0085
  std::string longer = deliver::one_line(std::string(499, 'x') + "\xc3\xbc");
  CHECK(longer == std::string(497, 'x') + "...");
  std::string umlauts;
  for (int i = 0; i < 400; ++i) umlauts += "\xc3\xbc";
  longer = deliver::one_line(umlauts);
  CHECK(longer.size() <= 500);
  CHECK(longer.ends_with("\xc3\xbc..."));
}
