#include "lib/line_buffer.h"

#include <catch2/catch.hpp>

#include <random>
#include <vector>

using Status = po::LineReader::Status;

namespace {

constexpr std::size_t kLimit = 8;

/// One letter per outcome and the line: "L:abc", "T", "R", "F", "N"; at the end the octets pending.
std::string show(Status s, std::string_view line) {
  switch (s) {
    case Status::kLine:
      return "L:" + std::string(line);
    case Status::kTooLong:
      return "T";
    case Status::kBareCr:
      return "R";
    case Status::kBareLf:
      return "F";
    case Status::kNul:
      return "N";
    case Status::kNeedMore:
      return "";
  }
  return "?";
}

std::vector<std::string> run(const std::vector<std::string>& pieces) {
  po::LineReader reader(kLimit);
  std::vector<std::string> out;
  for (const std::string& piece : pieces) {
    std::string_view in = piece;
    for (;;) {
      auto r = reader.next(in);
      REQUIRE(r.consumed <= in.size());
      if (r.status == Status::kNeedMore) {
        REQUIRE(r.consumed == in.size());
        break;
      }
      REQUIRE(r.consumed > 0);
      out.push_back(show(r.status, r.line));
      in.remove_prefix(r.consumed);
    }
  }
  out.push_back(std::to_string(reader.pending()));
  return out;
}

std::string nul(std::string text) {
  for (char& c : text) {
    if (c == '@') c = '\0';
  }
  return text;
}

}  // namespace

TEST_CASE("line_buffer: lines and faults, however the input is cut") {
  struct Row {
    std::string input;
    std::vector<std::string> out;
  };
  const Row rows[] = {
      {"", {"0"}},
      {"abc\r\n", {"L:abc", "0"}},
      {"\r\n", {"L:", "0"}},
      {"a\r\nb\r\nc", {"L:a", "L:b", "1"}},
      {"12345678\r\n", {"L:12345678", "0"}},
      {"123456789\r\nok\r\n", {"T", "L:ok", "0"}},
      {"1234567890123456789012\r\nok\r\n", {"T", "L:ok", "0"}},
      {"12345678\r", {"9"}},
      {"12345678\rx\r\nok\r\n", {"R", "L:ok", "0"}},
      {"a\nb\r\n", {"F", "L:b", "0"}},
      {"\n", {"F", "0"}},
      {"a\rb\r\nc\r\n", {"R", "L:c", "0"}},
      {"a\r\r\nc\r\n", {"R", "L:c", "0"}},
      {"\r\r\n", {"R", "0"}},
      {"a\rb\nc\r\n", {"R", "L:c", "0"}},
      {nul("a@b\r\nc\r\n"), {"N", "L:c", "0"}},
      {nul("a@b\nc\r\n"), {"N", "L:c", "0"}},
      {nul("a\r@b\r\nc\r\n"), {"R", "L:c", "0"}},
      {nul("@\rb\r\nc\r\n"), {"N", "L:c", "0"}},
      {nul("123456789@\rb\r\nc\r\n"), {"T", "L:c", "0"}},
      {"MAIL\n.\r\nRCPT\r\n", {"F", "L:.", "L:RCPT", "0"}},
  };
  for (const Row& row : rows) {
    INFO(row.input);
    CHECK(run({row.input}) == row.out);
    std::vector<std::string> singles;
    for (char c : row.input) singles.emplace_back(1, c);
    CHECK(run(singles) == row.out);
    for (std::size_t cut = 0; cut <= row.input.size(); ++cut) {
      CHECK(run({row.input.substr(0, cut), row.input.substr(cut)}) == row.out);
    }
  }
}

TEST_CASE("line_buffer: random streams cut at random") {
  std::mt19937 random(1);
  const char alphabet[] = {'a', 'b', '\r', '\n', '\0', '\r', '\n'};
  for (int round = 0; round < 2000; ++round) {
    std::string stream;
    for (unsigned n = random() % 60; n > 0; --n) {
      if (random() % 4 == 0)
        stream += "\r\n";
      else
        stream += alphabet[random() % sizeof alphabet];
    }
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < stream.size();) {
      std::size_t n = 1 + random() % 7;
      pieces.push_back(stream.substr(at, n));
      at += n;
    }
    REQUIRE(run(pieces) == run({stream}));
  }
}

TEST_CASE("line_buffer: a whole line is not copied") {
  po::LineReader reader(kLimit);
  std::string input = "abc\r\ndef\r\n";
  auto r = reader.next(input);
  CHECK(r.line.data() == input.data());
  r = reader.next(std::string_view(input).substr(r.consumed));
  CHECK(r.line.data() == input.data() + 5);
}

TEST_CASE("line_buffer: reset forgets a begun line, faults included") {
  po::LineReader reader(kLimit);
  (void)reader.next("abc\rx");
  reader.reset();
  CHECK(reader.pending() == 0);
  auto r = reader.next("ok\r\n");
  CHECK(r.status == Status::kLine);
  CHECK(r.line == "ok");
  (void)reader.next("abc\r");
  reader.reset();
  CHECK(reader.next("\n").status == Status::kBareLf);
}

TEST_CASE("line_buffer: an endless line is counted, not kept") {
  po::LineReader reader(kLimit);
  for (int i = 0; i < 1000; ++i) CHECK(reader.next("xxxxxxxxxx").status == Status::kNeedMore);
  CHECK(reader.pending() == 10000);
  CHECK(reader.next("\r\n").status == Status::kTooLong);
  CHECK(reader.pending() == 0);
}
