#include "dispatcher/maildrop_maker.h"

#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace dispatcher {

using po::Kind;
using po::messages::MaildropMade;

// maildrop-setuid/maildrop.cc
static constexpr int kMade = 0, kNoUser = 67, kNotNow = 75, kRefused = 77;
static constexpr int kNotStarted = 126;

MaildropMade maildrop_verdict(int status, const std::string& login) {
  if (!WIFEXITED(status))
    return {Kind::kTemporary, fmt::format("maildrop was ended by signal {}", WTERMSIG(status))};
  switch (WEXITSTATUS(status)) {
    case kMade:
      return {Kind::kDone, {}};
    case kNoUser:
      return {Kind::kTemporary, fmt::format("this host has no user {} who may have a mail drop", login)};
    case kNotNow:
      return {Kind::kTemporary, fmt::format("the mail drop of {} cannot be made now", login)};
    case kRefused:
      return {
          Kind::kTemporary,
          fmt::format("maildrop refuses to make the mail drop of {}; `post.office check` says what is wrong "
                      "with it or with {}",
                      login, po::messages::kMaildropDirectory)};
    case kNotStarted:
      return {Kind::kTemporary, "maildrop cannot be started; `post.office check` says why"};
    default:
      return {Kind::kTemporary, fmt::format("maildrop ended with status {}", WEXITSTATUS(status))};
  }
}

[[noreturn]] static void become_maildrop(const char* program, const char* login) {
  char name[] = "maildrop";
  std::string word(login);
  char* argv[] = {name, word.data(), nullptr};
  char* none[] = {nullptr};
  for (int s = 1; s < NSIG; ++s) {
    if (s != SIGKILL && s != SIGSTOP) signal(s, SIG_DFL);
  }
  sigset_t empty;
  sigemptyset(&empty);
  sigprocmask(SIG_SETMASK, &empty, nullptr);
  if (close_range(0, ~0U, CLOSE_RANGE_CLOEXEC) == 0) execve(program, argv, none);
  _exit(kNotStarted);
}

void MaildropMaker::make(std::string login, Answer answer) {
  if (wishes_.size() >= kMostWaiting)
    return answer({Kind::kTemporary, "too many mail drops are being made at once"});
  wishes_.push_back({std::move(login), std::move(answer)});
  begin_next();
}

void MaildropMaker::begin_next() {
  while (pid_ == 0 && !wishes_.empty()) {
    pid_t pid = fork();
    if (pid == 0) become_maildrop(program_.c_str(), wishes_.front().login.c_str());
    if (pid > 0) {
      pid_ = pid;
    } else {
      end({Kind::kTemporary, fmt::format("maildrop cannot be started: {}", std::strerror(errno))});
    }
  }
}

void MaildropMaker::reap() {
  int status = 0;
  if (pid_ == 0 || waitpid(pid_, &status, WNOHANG) != pid_) return;
  pid_ = 0;
  end(maildrop_verdict(status, wishes_.front().login));
  begin_next();
}

void MaildropMaker::end(const MaildropMade& made) {
  Wish wish = std::move(wishes_.front());
  wishes_.pop_front();
  log_.event("mail-drop-made")
      .kv("login", wish.login)
      .kv("done", made.kind == Kind::kDone)
      .kv("why", made.text);
  wish.answer(made);
}

}  // namespace dispatcher
