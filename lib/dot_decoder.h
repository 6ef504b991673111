// The framing of a message on the wire: end of data and dot-unstuffing of DATA (RFC 5321 4.5.2), and the
// check of line ends that BDAT chunks need too. Input is hostile, cut anywhere. The end is CRLF.CRLF and
// nothing else; a bare CR or LF never ends a line here and is reported, because where one server sees an end
// of data and the next one does not, mail is smuggled (CVE-2023-51764). Callers: smtpd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace po {

/// What makes content unfit to be taken.
struct ContentFaults {
  bool bare_cr = false;
  bool bare_lf = false;
  bool nul = false;
  [[nodiscard]] bool any() const { return bare_cr || bare_lf || nul; }
  bool operator==(const ContentFaults&) const = default;
};

/// Checks line ends without changing anything: BDAT (RFC 3030).
class CrlfCheck {
 public:
  void feed(std::string_view in);
  /// No more will come: a CR that is last is a bare one.
  void finish();
  [[nodiscard]] const ContentFaults& faults() const { return faults_; }
  /// Nothing came, or what came ended in CRLF.
  [[nodiscard]] bool at_line_start() const { return state_ == State::kLineStart; }

 private:
  enum class State : std::uint8_t { kLineStart, kText, kCr };
  State state_ = State::kLineStart;
  ContentFaults faults_;
};

/// Finds the end of DATA and takes the stuffed dots out.
class DotDecoder {
 public:
  /// Appends content to `out`; the CRLF before the final dot is content, the line with the dot is not.
  /// Returns how many octets of `in` were consumed: all of them, or up to the end of data.
  std::size_t feed(std::string_view in, std::string& out);
  [[nodiscard]] bool ended() const { return state_ == State::kEnded; }
  [[nodiscard]] const ContentFaults& faults() const { return faults_; }

 private:
  enum class State : std::uint8_t { kLineStart, kText, kCr, kDot, kDotCr, kEnded };
  std::size_t text(std::string_view in, std::size_t at);

  State state_ = State::kLineStart;  // the data may begin with the final dot: a message of no octets
  ContentFaults faults_;
};

}  // namespace po
