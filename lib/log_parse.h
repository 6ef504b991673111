// Reads back what lib/log.h writes: one line of key=value, values bare or quoted with \" \\ \xNN. Pure; a log
// holds what strangers sent, and a file may be cut or not be a log at all, so a line that is not one is
// nothing, and its length and number of fields are bounded. Callers: `post.office trace`, `queue watch`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace po {

struct LogField {
  std::string key, value;
  bool operator==(const LogField&) const = default;
};

class LogRecord {
 public:
  explicit LogRecord(std::vector<LogField> fields) : fields_(std::move(fields)) {}
  /// The first of that key; empty if there is none.
  [[nodiscard]] std::string_view get(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] const std::vector<LogField>& fields() const { return fields_; }

 private:
  std::vector<LogField> fields_;
};

inline constexpr std::size_t kMostLogLine = 64 * 1024;
inline constexpr std::size_t kMostLogFields = 64;

/// Without its line end. Nothing: it is no line of ours, or over a bound.
[[nodiscard]] std::optional<LogRecord> parse_log_line(std::string_view line);

}  // namespace po
