// How the queue's commands write times, ages and sizes for people. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace queue {

/// "2026-11-26T02:25:00Z"
[[nodiscard]] std::string utc_text(std::uint64_t ms);
/// "Thu Nov 26 02:25:00", as mailq has it.
[[nodiscard]] std::string mailq_time(std::uint64_t ms);
/// "45s", "12m", "3h", "2d": one unit, cut.
[[nodiscard]] std::string age_text(std::uint64_t ms);
/// "in 20m", "now", for a time that is to come.
[[nodiscard]] std::string until_text(std::uint64_t at_ms, std::uint64_t now_ms);
/// "9999 octets", "9.8 KiB".
[[nodiscard]] std::string size_text(std::uint64_t octets);
/// "<jane@podunk.edu>", fit for a terminal.
[[nodiscard]] std::string bracketed(std::string_view address);

}  // namespace queue
