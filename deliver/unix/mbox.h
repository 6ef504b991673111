// A message in the mbox format, as procmail, mutt and Dovecot on Debian write and read it: a line "From
// SENDER DATE", the message with the line ends of this host, a blank line. Lines of the message that begin
// with "From " get a ">" before them; nothing takes it off again, as with all programs that write this
// format. Fields in which programs that read such files keep what they know (Status, X-UID, Content-Length
// and others) are a stranger's when they come with a message: "X-Old-" is put before them. Pure. Caller:
// server.cc.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace unix_deliver {

/// "From jane@podunk.edu  Thu Nov 26 20:21:00 2026\n". `sender` empty: MAILER-DAEMON. What would end the line
/// or the sender too soon (blanks, control characters) becomes "-". `local`: the time of arrival on this
/// host.
[[nodiscard]] std::string from_line(std::string_view sender, const std::tm& local);

/// "Return-Path: <jane@podunk.edu>\nDelivered-To: bob@podunk.edu\n", of addresses without control characters.
[[nodiscard]] std::string trace_lines(std::string_view sender, std::string_view address);

/// Takes a message in pieces.
class MboxEncoder {
 public:
  /// Appends to `out` what the piece has become; the last octets may wait for the next piece.
  void add(std::string_view piece, std::string& out);
  /// Appends what has waited, the end of the last line if it has none, and the blank line.
  void finish(std::string& out);

 private:
  void put(char c, std::string& out);
  [[nodiscard]] bool may_become_more() const;
  std::string start_;  ///< of the line, as long as it may become one that is changed
  bool in_header_ = true;
  bool at_start_ = true;
  bool cr_ = false;
};

}  // namespace unix_deliver
