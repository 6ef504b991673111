// The end of a multi-line answer (RFC 1939 section 3): dot-stuffing, a final CRLF where the message lacks
// one, the closing ".", and the cut of TOP. Streaming: it can be fed pieces of any size and holds a few
// octets of state, never a piece of the message. Trusts nothing about the content: a dot after a bare LF is
// stuffed too, so that no client, however it ends its lines, sees the end of an answer where there is none.
// Caller: pop3d.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace po {

class DotEncoder {
 public:
  /// The whole message (RETR).
  DotEncoder() = default;
  /// The header, the empty line and at most `body_lines` lines of the body (TOP).
  explicit DotEncoder(std::uint64_t body_lines) : cut_(true), lines_left_(body_lines) {}

  /// Appends what `content` becomes to `out`. Does nothing more once full().
  void add(std::string_view content, std::string& out);
  /// The message is over: appends the CRLF that it lacks and the closing line.
  void finish(std::string& out);
  /// TOP has all that it wants; further content need not be read.
  [[nodiscard]] bool full() const { return full_; }

 private:
  enum class Line : std::uint8_t { kNothing, kCr, kText };  ///< what the current line holds so far
  std::size_t wanted(std::string_view content);
  void end_line();

  bool cut_ = false;
  bool in_header_ = true;
  bool full_ = false;
  Line line_ = Line::kNothing;
  std::uint64_t lines_left_ = 0;
  char last_ = '\n';        ///< the octet before; the start counts as after a line end
  bool after_crlf_ = true;  ///< as far as the final CRLF is concerned
};

}  // namespace po
