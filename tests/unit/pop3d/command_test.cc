#include "pop3d/command.h"

#include <catch2/catch.hpp>
#include <string>

using pop3d::Command;
using pop3d::parse_command;
using pop3d::parse_number;
using pop3d::Verb;

namespace {
struct Case {
  std::string_view line;
  Verb verb;
  bool good;
  std::string_view text = {};
  std::optional<std::uint64_t> number = {};
  std::uint64_t lines = 0;
};
}  // namespace

TEST_CASE("commands") {
  const Case cases[] = {
      {"", Verb::kUnknown, true},
      {" ", Verb::kUnknown, true},
      {"QUIT", Verb::kQuit, true},
      {"quit", Verb::kQuit, true},
      {"Quit ", Verb::kQuit, true},
      {"QUIT now", Verb::kQuit, false},
      {" QUIT", Verb::kUnknown, true},
      {"QUITE", Verb::kUnknown, true},
      {"QUI", Verb::kUnknown, true},
      {"QUIT\t", Verb::kUnknown, true},
      {"USER jane", Verb::kUser, true, "jane"},
      {"USER jane lee", Verb::kUser, true, "jane lee"},
      {"USER", Verb::kUser, false},
      {"USER ", Verb::kUser, false},
      {"USER ja\x01ne", Verb::kUser, false},
      {"PASS  two  blanks ", Verb::kPass, true, " two  blanks "},
      {"PASS \xc3\xa9", Verb::kPass, true, "\xc3\xa9"},
      {"PASS a\x7f", Verb::kPass, false},
      {"PASS a\tb", Verb::kPass, false},
      {"AUTH PLAIN =", Verb::kAuth, true, "PLAIN ="},
      {"RETR 1", Verb::kRetr, true, {}, 1},
      {"RETR 007", Verb::kRetr, true, {}, 7},
      {"RETR 1 ", Verb::kRetr, true, {}, 1},
      {"RETR 1 2", Verb::kRetr, false},
      {"RETR  1", Verb::kRetr, false},
      {"RETR 0x1", Verb::kRetr, false},
      {"LIST", Verb::kList, true},
      {"LIST ", Verb::kList, true},
      {"LIST 3", Verb::kList, true, {}, 3},
      {"UIDL 18446744073709551615", Verb::kUidl, true, {}, UINT64_MAX},
      {"UIDL 18446744073709551616", Verb::kUidl, false},
      {"TOP 1 0", Verb::kTop, true, {}, 1, 0},
      {"TOP 12 99999999", Verb::kTop, true, {}, 12, 99999999},
      {"TOP 1", Verb::kTop, false},
      {"TOP 1 2 3", Verb::kTop, false},
      {"TOP x 2", Verb::kTop, false},
      {"TOP", Verb::kTop, false},
      {"APOP jane c4c9334bac560ecc979e58001b3e22fb", Verb::kUnknown, true},
      {"GET / HTTP/1.1", Verb::kOtherProtocol, true},
      {"post /", Verb::kOtherProtocol, true},
      {"DELETE /", Verb::kOtherProtocol, true},
      {"DELE 1", Verb::kDele, true, {}, 1},
  };
  for (const Case& c : cases) {
    INFO(c.line);
    Command got = parse_command(c.line);
    CHECK(got.verb == c.verb);
    CHECK((got.problem == nullptr) == c.good);
    if (!c.good) continue;
    CHECK(got.text == c.text);
    CHECK(got.number == c.number);
    CHECK(got.lines == c.lines);
  }
}

TEST_CASE("numbers are digits only") {
  for (std::string_view bad : {"", "-", "-0", "+1", " 1", "1 ", "1.0", "1e3", "99999999999999999999"}) {
    INFO(bad);
    CHECK_FALSE(parse_number(bad));
  }
  CHECK(parse_number("0") == 0);
}
