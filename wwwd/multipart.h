// multipart/form-data (RFC 7578, RFC 2046 5.1), as far as a form with a file in it needs: read piece by
// piece, strictly, in bounded memory. What two readers could understand in two ways is refused: text before
// the first delimiter or behind the last, a part without a name, more headers than a browser sends. Pure, for
// hostile input. Caller: the import page, which is the only one that takes a file.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace wwwd {

/// The boundary that a Content-Type field names; nothing if it is not multipart/form-data with one good
/// boundary (1 to 70 characters of RFC 2046 5.1.1).
[[nodiscard]] std::optional<std::string> multipart_boundary(std::string_view content_type);

class MultipartReader {
 public:
  struct Sink {
    /// A part begins. `file`: it has a file name, also an empty one (no file was chosen).
    std::function<void(std::string_view name, bool file)> on_part;
    /// Of the part that began last; `piece` is valid during the call.
    std::function<void(std::string_view piece)> on_data;
  };
  MultipartReader(std::string_view boundary, Sink sink);

  /// The next octets of the body; false if they are malformed, from then on always.
  [[nodiscard]] bool feed(std::string_view octets);
  /// Whether the last delimiter has come: else the body is cut off.
  [[nodiscard]] bool finished() const { return state_ == State::kEnd; }

  static constexpr std::size_t kMostParts = 16;
  static constexpr std::size_t kMostHeader = 2048;  ///< octets of all fields of one part
  static constexpr std::size_t kMostName = 64;

 private:
  enum class State : unsigned char { kData, kBehindDelimiter, kHeader, kEnd, kBroken };
  bool step();
  bool take_data();
  bool take_behind();
  bool take_header();
  void give(std::string_view piece);
  bool break_off();

  std::string delimiter_;  ///< CR LF, two dashes, the boundary
  Sink sink_;
  State state_ = State::kData;
  std::string buffer_;
  bool in_part_ = false;  ///< false: before the first delimiter
  std::size_t parts_ = 0;
};

}  // namespace wwwd
