// How a command ends beside 0, done: in messages::CommandOutput, and as the exit status of post.office and of
// a program under inetd. Those above 1 are of sysexits.h.
#pragma once

#include <cstdint>

namespace po {

inline constexpr std::uint8_t kExitRefused = 1;      ///< and would be refused if asked again
inline constexpr std::uint8_t kExitUsage = 64;       ///< EX_USAGE
inline constexpr std::uint8_t kExitTemporary = 75;   ///< EX_TEMPFAIL
inline constexpr std::uint8_t kExitNotAllowed = 77;  ///< EX_NOPERM

}  // namespace po
