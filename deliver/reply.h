// Replies of an SMTP server (RFC 5321 4.2), cut out of what it sends. The server is hostile: its lines, their
// number and what is kept of them are bounded, and what is no reply is an error, never a guess, because with
// pipelining one reply too many or too few would give a recipient another's outcome. Pure. Caller:
// smtp_client.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/line_buffer.h"

namespace deliver {

struct Reply {
  int code = 0;                    ///< 200 to 599
  std::string status;              ///< RFC 3463, "5.1.1", if the text begins with one of the code's class
  std::vector<std::string> lines;  ///< the texts without code and status, as they came

  [[nodiscard]] bool positive() const { return code / 100 == 2; }
  [[nodiscard]] bool transient() const { return code / 100 == 4; }
  [[nodiscard]] bool permanent() const { return code / 100 == 5; }
};

/// "550 5.1.1 no such user": one line of UTF-8 without control characters, at most 500 octets.
[[nodiscard]] std::string one_line(const Reply& reply);
/// Foreign text made so.
[[nodiscard]] std::string one_line(std::string_view text);

class ReplyReader {
 public:
  static constexpr std::size_t kMaxLine = 4096;  ///< octets without CRLF
  static constexpr std::size_t kMaxLines = 1000;
  static constexpr std::size_t kKept = 16 * 1024;  ///< octets of text of one reply; what is over is dropped

  enum class Status : std::uint8_t { kNeedMore, kReply, kGarbage };

  /// Takes from the front of `input`, up to the end of one reply; `input` then begins behind it. After
  /// kGarbage nothing more can be read: `error()` says what is wrong.
  [[nodiscard]] Status next(std::string_view& input, Reply& reply);
  [[nodiscard]] const char* error() const { return error_; }
  /// Whether a reply has begun and not ended.
  [[nodiscard]] bool inside() const { return lines_ > 0 || reader_.pending() > 0; }
  /// Forgets what has begun (STARTTLS).
  void reset();

 private:
  Status fail(const char* why);
  Status take_line(std::string_view line, Reply& reply);

  po::LineReader reader_{kMaxLine};
  Reply reply_;
  std::size_t lines_ = 0, kept_ = 0;
  const char* error_ = "";
};

}  // namespace deliver
