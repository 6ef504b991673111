// One submission over the socket of smtpd: what is said, and what the replies come to. Small messages go out
// in one write with all that comes before them, and the replies are read afterwards: smtpd lets local users
// pipeline from the first octet. Nothing is kept between two tries. Callers: main, the tests.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/address.h"
#include "lib/error.h"
#include "lib/fd.h"

namespace sendmail {

using Clock = std::chrono::steady_clock;

/// A reply of one or more lines.
struct Reply {
  int code = 0;
  std::string enhanced;  ///< "5.1.1"; empty if it has none
  std::string text;      ///< of the last line, behind the codes
  [[nodiscard]] bool good() const { return code >= 200 && code < 400; }
  [[nodiscard]] std::string line() const;
};

/// Cuts whole replies off the front of what smtpd said, and tells garbage from what is not there yet.
class ReplyReader {
 public:
  static constexpr std::size_t kMaxLine = 4096;  ///< of a line; more is garbage
  enum class Status : std::uint8_t { kReply, kNeedMore, kGarbage };
  void feed(std::string_view in) { buffer_.append(in); }
  [[nodiscard]] Status next(Reply& reply);

 private:
  std::string buffer_;
};

struct Envelope {
  std::string sender;  ///< empty for <>
  std::vector<po::Mailbox> recipients;
  std::string notify, ret, envid;  ///< as in Options
  bool body_8bit = false;
};

/// The message as it goes out: header and the body's beginning in memory, the rest, if any, in a file.
struct Content {
  std::string start;
  po::Fd file;
  std::uint64_t file_size = 0;
  [[nodiscard]] std::uint64_t size() const { return start.size() + file_size; }
};

struct Refusal {
  std::string line;           ///< "<address>: 550 5.1.1 No such user here"
  int status = 0;             ///< sysexits
  std::size_t recipient = 0;  ///< its place in the envelope
  bool passing = false;       ///< worth another try soon
};

/// What one try came to.
struct Outcome {
  int status = 0;                ///< sysexits
  bool taken = false;            ///< smtpd has it on disk, for all recipients that are not in `refused`
  bool again = false;            ///< taken for nobody, and worth another try soon
  std::string why;               ///< one sentence; empty if all is well
  std::vector<Refusal> refused;  ///< in the order of the envelope
};

/// Connects to the Unix socket at `path`. Temporary if nobody listens there.
[[nodiscard]] po::Result<po::Fd> connect_to(const std::string& path);

/// `greeting_by`: until then smtpd may take to greet; each later reply has 10 minutes. `verbose`: replies are
/// printed on standard output.
[[nodiscard]] Outcome submit(po::Fd socket, const Envelope& envelope, const Content& content,
                             Clock::time_point greeting_by, bool verbose);

/// A try took the message for some of the recipients and put others off for a moment: what is settled goes
/// into `settled`, and the envelope is from now on for the others alone. False: there is nothing of the kind.
[[nodiscard]] bool keep_put_off(Envelope& envelope, Outcome& outcome, Outcome& settled);
/// What the tries came to together: `settled` by those before, `last` of the last one, which had `envelope`.
[[nodiscard]] Outcome together(Outcome settled, Outcome last, const Envelope& envelope);

/// EX_... of sysexits(3) for a refusal.
[[nodiscard]] int exit_status(const Reply& reply);

}  // namespace sendmail
