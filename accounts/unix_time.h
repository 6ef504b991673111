// Moments as the databases keep them, in seconds since 1970, and as the commands show them. Callers:
// accounts, its command files.
#pragma once

#include <cstdint>
#include <string>

namespace accounts {

/// Now.
[[nodiscard]] std::int64_t unix_seconds();
/// "2026-11-26 12:00:00 UTC"
[[nodiscard]] std::string utc_text(std::int64_t seconds);
/// "2026-11-26 12:00 UTC"; "never" for 0.
[[nodiscard]] std::string minute_text(std::int64_t seconds);

}  // namespace accounts
