// Cuts an octet stream into lines that end with CRLF, for command lines. A bare CR, a bare LF, a NUL or a
// line over the limit makes that line bad: it is told once, when the line ends at the next CRLF or bare LF,
// and the stream goes on behind it, so that client and server stay in step (one answer per line; a bare LF
// must never split or join commands: the SMTP smuggling family, CVE-2023-51764). How the stream is cut into
// pieces changes nothing. Memory is bounded by the limit; a line that lies whole in the input is not copied.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace po {

class LineReader {
 public:
  enum class Status {
    kNeedMore,  ///< all input was taken, the line goes on
    kLine,      ///< a good line
    kTooLong,   ///< more than `limit` octets before the CRLF
    kBareCr,    ///< a CR that no LF follows, somewhere in the line
    kBareLf,    ///< the line ended with LF alone
    kNul,       ///< an octet 0 somewhere in the line
  };
  struct Result {
    Status status = Status::kNeedMore;
    std::size_t consumed = 0;  ///< octets of the input that belong to this line or are remembered
    std::string_view line;     ///< with kLine: without its CRLF; valid until the next call and while the
                               ///< input is
  };

  /// `limit`: octets of a line without its CRLF.
  explicit LineReader(std::size_t limit) : limit_(limit) {}

  /// Takes from the front of `input` up to one line end. Call again with the rest until kNeedMore. When a
  /// line has several faults, the first one is told.
  [[nodiscard]] Result next(std::string_view input);

  /// Octets of the line that is not complete yet, counted on when it is too long: lets the caller end a
  /// session that never sends a line end.
  [[nodiscard]] std::size_t pending() const { return seen_; }
  /// Forgets an incomplete line (STARTTLS).
  void reset();

 private:
  void scan(std::string_view piece);
  void keep(std::string_view piece);
  void fault(Status status);

  std::size_t limit_;
  std::string buffer_;            ///< the line so far, at most limit_ + 1 octets (a last CR included)
  std::size_t seen_ = 0;          ///< octets of the line so far
  bool last_cr_ = false;          ///< the last octet seen was a CR
  Status fault_ = Status::kLine;  ///< first fault of the line, kLine if none
  bool returned_ = false;         ///< the buffer holds a line that was given out
};

}  // namespace po
