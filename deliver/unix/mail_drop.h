// The mail drops of this host's users, /var/mail/LOGIN: one message is appended to one of them, whole or not
// at all. Locked as Debian's policy (11.6) asks of every program: fcntl first, LOGIN.lock second, and neither
// is waited for; whoever finds a drop locked comes again. The message is on disk before append() says that it
// is; what could not be written to its end is taken back.
//
// What a crash leaves: a drop with a part of a message, or a message that nobody was told of, at its end, and
// our LOGIN.lock, which says where that began, in which boot of the host. The next append() takes it back, if
// nothing else has come behind it. A lock of another boot says nothing any more: after a loss of power a part
// of a message may stay, with the whole one behind it.
//
// No link is ever followed, and nothing is written that is not a plain file with one name, not root's, that
// its group may write, in a directory that is root's and not writable for everybody. Caller: server.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib/error.h"
#include "lib/fd.h"

namespace unix_deliver {

/// How an attempt ended.
struct Attempt {
  enum class End : std::uint8_t {
    kWritten,  ///< and synced; or it was there already
    kAbsent,   ///< there is no such drop: maildrop can make it
    kLocked,   ///< another program has it: come again
    kFailed    ///< `error` says why; the drop is as it was, unless `note` says otherwise
  };
  End end = End::kFailed;
  po::Error error;
  std::string status;  ///< RFC 3463, of a failure: "4.3.1"
  std::string note;    ///< for the log: "a stale lock was taken away"
};

class MailDrops {
 public:
  /// Opens the directory and reads which boot of the host this is; to be called before the process is
  /// confined. A directory that is not as it must be makes every attempt a temporary failure that says so.
  explicit MailDrops(std::string directory);

  /// What comes behind the beginning, piece by piece, in mbox format; an empty piece ends it. A failure ends
  /// the attempt.
  using Source = std::function<po::Result<std::string_view>()>;
  struct Message {
    std::string begins;  ///< from_line() and what tells this message from all others
    Source rest;
    bool again = false;  ///< it may be there already: looked for before it is written
  };
  /// `login`: is_unix_login() (lib/text.h).
  [[nodiscard]] Attempt append(const std::string& login, const Message& message);

 private:
  class Drop;
  std::string path_, boot_;
  po::Fd directory_;
  std::string why_not_;
};

}  // namespace unix_deliver
