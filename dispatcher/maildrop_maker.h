// Starts maildrop, the setuid helper, when unix-deliver wants the mail drop of a user made: with that name,
// an empty environment, no descriptor, one at a time. The dispatcher can start it because it alone has no
// no-new-privs. Caller: the supervisor.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <string>

#include "lib/log.h"
#include "lib/messages.h"

namespace dispatcher {

class MaildropMaker {
 public:
  using Answer = std::function<void(const po::messages::MaildropMade&)>;

  MaildropMaker(std::string program, po::Log& log) : program_(std::move(program)), log_(log) {}

  /// `answer` is called once, now or later. What is asked while kMostWaiting wait is refused for the moment.
  void make(std::string login, Answer answer);
  /// For SIGCHLD.
  void reap();

 private:
  static constexpr std::size_t kMostWaiting = 100;
  struct Wish {
    std::string login;
    Answer answer;
  };
  void begin_next();
  void end(const po::messages::MaildropMade& made);

  std::string program_;
  po::Log& log_;
  std::deque<Wish> wishes_;  ///< the first is being made, if `pid_` is not 0
  pid_t pid_ = 0;
};

/// What its exit status means for the mail drop of that user.
[[nodiscard]] po::messages::MaildropMade maildrop_verdict(int wait_status, const std::string& login);

}  // namespace dispatcher
