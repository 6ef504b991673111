// One POP3 command line into a Command, by a table of names and argument shapes (RFC 1939, 2449, 2595, 5034,
// 6856). Pure; the line is hostile and the result points into it. Caller: Session.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace pop3d {

enum class Verb : std::uint8_t {
  kUnknown,
  kOtherProtocol,  ///< the first word is one of HTTP: a browser was made to speak to us
  kAuth,
  kCapa,
  kDele,
  kList,
  kNoop,
  kPass,
  kQuit,
  kRetr,
  kRset,
  kStat,
  kStls,
  kTop,
  kUidl,
  kUser,
  kUtf8,
};

struct Command {
  Verb verb = Verb::kUnknown;
  const char* problem = nullptr;  ///< why the arguments do not fit the verb, for the -ERR; null: they do
  std::string_view text;          ///< USER, PASS, AUTH: all after the one space
  std::optional<std::uint64_t> number;  ///< message number: always there where the verb needs it
  std::uint64_t lines = 0;              ///< TOP
};

/// `line` without its CRLF.
[[nodiscard]] Command parse_command(std::string_view line);

/// Digits only, no sign, no blank, no overflow.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace pop3d
