// Outcomes that cross a boundary. What the world can do to us is a value (Result); what only a bug can do is
// panic(). "Unknown" is temporary: mail may be late, never lost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace po {

/// The one sorting of outcomes that crosses every boundary: reply code, frame, exit code.
enum class Kind : std::uint8_t { kDone = 0, kTemporary = 1, kPermanent = 2 };

struct Error {
  Kind kind = Kind::kTemporary;
  int sys_errno = 0;  ///< errno at the place of failure, 0 if none
  std::string text;   ///< one sentence by the caller who knows the file or peer; no final full stop
};

template <class T>
using Result = tl::expected<T, Error>;

/// Builds a temporary failure; with `err` the sentence gets ": strerror(err)" appended.
[[nodiscard]] tl::unexpected<Error> temporary(std::string text, int err = 0);
/// Builds a permanent failure, in the same way.
[[nodiscard]] tl::unexpected<Error> permanent(std::string text, int err = 0);

/// What only a bug can do: writes one line to descriptor 2 and aborts. The dispatcher restarts the process.
[[noreturn]] void panic(std::string_view what);

}  // namespace po
