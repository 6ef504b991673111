// How pages write numbers, times, spans and sizes, and how they read the times that other processes print.
// Times are UTC, and say so: the log and the commands have them too, and this process is confined away from
// the time zones' files. Pure. Callers: the pages.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace wwwd {

/// "1,234,567".
[[nodiscard]] std::string count_text(std::uint64_t n);
/// "1 message", "12 messages"; `plural`: empty for `one` with an s behind it.
[[nodiscard]] std::string count_of(std::uint64_t n, std::string_view one, std::string_view plural = {});
/// "812 octets", "9.8 KiB", "1.2 GiB".
[[nodiscard]] std::string octets_text(std::uint64_t octets);
/// The largest unit alone, cut: "45 s", "12 min", "3 h", "2 days"; below 0 as 0.
[[nodiscard]] std::string span_text(std::int64_t seconds);
/// "2026-11-26 02:25:00"; without the seconds "2026-11-26 02:25".
[[nodiscard]] std::string time_text(std::time_t when, bool seconds = true);
/// "02:25".
[[nodiscard]] std::string clock_text(std::time_t when);
/// "2026-11-26T02:25:00Z", for the datetime attribute.
[[nodiscard]] std::string machine_time(std::time_t when);
/// "2026-11-26T02:25:00Z", also with a fraction of the second (cut off), as the log and `--json` have it.
/// Nothing if it is not that.
[[nodiscard]] std::optional<std::time_t> parse_time(std::string_view text);

/// Well-formed UTF-8 as it is, cut at a character after at most `octets` with "…" behind it; what is none,
/// with U+FFFD for each octet that is not.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t octets);

/// With a capital letter before it and a full stop behind it, unless it ends in one, in ? or in !.
[[nodiscard]] std::string sentence(std::string_view text);

}  // namespace wwwd
