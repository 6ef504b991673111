// Reads the JSON that queue, story and the dispatcher print for `--json`. It comes from our own processes,
// but holds what strangers wrote, and a process that was taken over may send anything: so text, depth and the
// number of values are bounded, and what is missing or of another type reads as empty. Pure. The grammar is
// RapidJSON's, behind this header alone: of Debian's two libraries it compiles in a quarter of the time of
// nlohmann's, reads without recursion and checks UTF-8. Callers: the pages that show what other processes
// know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/error.h"

namespace wwwd {

/// One value, which owns all below it.
class Json {
 public:
  enum class Type : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

  [[nodiscard]] Type type() const { return type_; }
  [[nodiscard]] bool is_null() const { return type_ == Type::kNull; }
  [[nodiscard]] bool is_number() const { return type_ == Type::kNumber; }

  /// Of an object: the first member of that name; a null value if there is none, or if this is no object.
  [[nodiscard]] const Json& operator[](std::string_view name) const;
  /// Of an array: its values; empty if this is none.
  [[nodiscard]] const std::vector<Json>& items() const { return items_; }
  /// Of an object: its members in their order.
  [[nodiscard]] const std::vector<std::pair<std::string, Json>>& members() const { return members_; }

  /// Of a string; empty if this is none.
  [[nodiscard]] const std::string& text() const { return text_; }
  /// Of a number, cut to a whole one within what 64 bits hold; 0 if this is none.
  [[nodiscard]] std::int64_t integer() const { return integer_; }
  /// The same, 0 for what is negative.
  [[nodiscard]] std::uint64_t count() const {
    return integer_ < 0 ? 0 : static_cast<std::uint64_t>(integer_);
  }
  [[nodiscard]] bool flag() const { return type_ == Type::kBool && integer_ != 0; }

 private:
  friend class JsonBuilder;
  Type type_ = Type::kNull;
  std::int64_t integer_ = 0;
  std::string text_;
  std::vector<Json> items_;
  std::vector<std::pair<std::string, Json>> members_;
};

/// Of one text.
inline constexpr std::size_t kMostJson = 16U << 20;
inline constexpr std::size_t kMostJsonValues = 200'000;
inline constexpr std::size_t kMostJsonDepth = 16;

/// One value and nothing behind it but white space (RFC 8259). Permanent failure: it is none, or over a
/// bound.
[[nodiscard]] po::Result<Json> parse_json(std::string_view text);

/// One value in each line; empty lines are passed over, and so is a last one that is cut off (no line end):
/// whoever asked for many and took the first bytes has whole rows. Permanent failure for any other line.
[[nodiscard]] po::Result<std::vector<Json>> parse_json_lines(std::string_view text);

}  // namespace wwwd
