// Names and values that come from a browser: the query of an address and the fields of a form
// (application/x-www-form-urlencoded), in the order in which they came; and paths, decoded once and refused
// when two readers could see two paths in them. Pure, for hostile input, everything bounded. Callers:
// RequestReader and Connection, and the pages, which also make addresses with it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wwwd {

/// Ordered, names may repeat. A page of some hundred fields is its usual size, so a look-up is a walk.
class Parameters {
 public:
  using Pair = std::pair<std::string, std::string>;

  void add(std::string name, std::string value) { pairs_.emplace_back(std::move(name), std::move(value)); }
  /// The first of that name; null if there is none. Valid until the next add().
  [[nodiscard]] const std::string* find(std::string_view name) const;
  /// The first of that name; empty if there is none.
  [[nodiscard]] std::string_view value(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;

  [[nodiscard]] auto begin() const { return pairs_.begin(); }
  [[nodiscard]] auto end() const { return pairs_.end(); }
  [[nodiscard]] std::size_t size() const { return pairs_.size(); }
  [[nodiscard]] bool empty() const { return pairs_.empty(); }

 private:
  std::vector<Pair> pairs_;
};

/// Pairs in one query or form.
inline constexpr std::size_t kMaxParameters = 10'000;
/// Octets of a name, decoded.
inline constexpr std::size_t kMaxParameterName = 256;

/// `a=b&c=d+e%21`. Nothing if it is not that: a `%` without two hexadecimal digits, an empty name, more than
/// kMaxParameters pairs, a name over kMaxParameterName, what decodes to no UTF-8, or to a control character
/// other than tab, CR and LF. An empty text has no pairs. The values' size is bounded by the text's.
[[nodiscard]] std::optional<Parameters> parse_parameters(std::string_view text);

/// The path of an origin-form target (RFC 9112 3.2.1), decoded. Nothing if it is not one path to everybody:
/// it begins with `/`; every octet is one that RFC 3986 has in a path; no segment but the last is empty; none
/// is `.` or `..`, encoded or not; it decodes to UTF-8 without a control character, `/` or backslash.
[[nodiscard]] std::optional<std::string> parse_path(std::string_view text);

/// For one name or value of a query: RFC 3986 unreserved octets stay, all others become %XX.
[[nodiscard]] std::string encode_component(std::string_view text);

}  // namespace wwwd
