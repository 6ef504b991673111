#include "pop3d/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace pop3d {

using po::Kind;
using po::LineReader;
using po::messages::Answer;

static constexpr const char* kLost =
    "-ERR [SYS/TEMP] the mailbox is not available any more, log in again\r\n";
static constexpr const char* kNoMailbox = "-ERR [SYS/TEMP] the mailbox is not available, try again later\r\n";
static constexpr const char* kNoAccounts =
    "-ERR [SYS/TEMP] logging in is not possible now, try again later\r\n";

// ---- input

bool Session::wants_input() const {
  switch (state_) {
    case State::kAuthorization:
    case State::kChallenged:
    case State::kTransaction:
      break;
    default:
      return false;
  }
  return !quitting_ && !listing_ && close_when_answered_ == nullptr && pending_.size() < kMaxPending &&
         asked_ < kWindow && asked_octets_ < kWindowOctets;
}

std::size_t Session::on_input(std::string_view input, Actions& actions) {
  std::size_t used = 0;
  while (wants_input() && used < input.size()) {
    LineReader::Result got = reader_.next(input.substr(used));
    used += got.consumed;
    switch (got.status) {
      case LineReader::Status::kNeedMore:
        return used;
      case LineReader::Status::kLine:
        on_line(got.line, actions);
        break;
      case LineReader::Status::kTooLong:
        error("the line is too long", actions);
        break;
      case LineReader::Status::kBareCr:
      case LineReader::Status::kBareLf:
        error("a line ends with CR and LF together", actions);
        break;
      case LineReader::Status::kNul:
        error("an octet 0 is not allowed", actions);
        break;
    }
  }
  return used;
}

void Session::on_line(std::string_view line, Actions& actions) {
  if (state_ == State::kChallenged) return on_sasl_line(line, actions);
  Command command = parse_command(line);
  // AUTH with an initial response is let be longer than RFC 5034 promises.
  if (line.size() > kCommandLine - 2 && command.verb != Verb::kAuth) {
    return error("the line is too long", actions);
  }
  if (command.verb == Verb::kOtherProtocol && state_ == State::kAuthorization) {
    return close("not POP3", actions, true);
  }
  run(command, actions);
}

// ---- output, in order

void Session::reply(std::string text, Actions& actions) {
  if (pending_.empty()) {
    actions.emplace_back(Write{std::move(text)});
  } else {
    pending_.emplace_back().text = std::move(text);
  }
}

bool Session::count_error() {
  return ++errors_ >= conditions_.error_limit && conditions_.error_limit != 0;
}

void Session::error(std::string text, Actions& actions) {
  bool enough = count_error();
  if (enough) close_when_answered_ = "too many errors";
  if (state_ == State::kChallenged) state_ = State::kAuthorization;
  reply(enough ? "-ERR too many errors, closing\r\n" : fmt::format("-ERR {}\r\n", text), actions);
  advance(actions);
}

void Session::advance(Actions& actions) {
  if (state_ == State::kClosed) return;
  while (!pending_.empty() && !sending_) {
    Pending& head = pending_.front();
    if (head.what == Pending::What::kListing) {
      sending_ = true;
      actions.emplace_back(SendListing{});
    } else if (head.what == Pending::What::kText) {
      actions.emplace_back(Write{std::move(head.text)});
      pending_.pop_front();
    } else if (head.answered) {
      send_head_message(actions);
    } else {
      return;
    }
  }
  if (!pending_.empty()) return;
  if (close_when_answered_ != nullptr) return close(close_when_answered_, actions);
  if (quitting_ && state_ != State::kUpdating) return finish_quit(actions);
  bool idle =
      state_ == State::kAuthorization || state_ == State::kChallenged || state_ == State::kTransaction;
  if (stopping_ && idle) {
    actions.emplace_back(Write{"-ERR [SYS/TEMP] this server is stopping, nothing was deleted\r\n"});
    close("stopping", actions);
  }
}

void Session::send_head_message(Actions& actions) {
  Pending head = std::move(pending_.front());
  --asked_;
  asked_octets_ -= window_share(entries_[head.index].size());
  if (head.kind == Kind::kDone) {
    sending_ = true;  // it stays at the head until on_sent()
    if (!head.lines) ++retrieved_;
    actions.emplace_back(Write{head.lines ? "+OK the top follows\r\n"
                                          : fmt::format("+OK {} octets\r\n", entries_[head.index].size())});
    actions.emplace_back(SendMessage{head.slot, head.lines});
    return;
  }
  pending_.pop_front();
  if (head.kind == Kind::kPermanent) {
    actions.emplace_back(Write{fmt::format("-ERR message {} is not there any more\r\n", head.index + 1)});
  } else {
    actions.emplace_back(
        Write{lost_ ? kLost : "-ERR [SYS/TEMP] the message cannot be read now, try later\r\n"});
  }
}

void Session::on_sent(Actions& actions) {
  if (!sending_) return;
  sending_ = false;
  if (pending_.front().what == Pending::What::kListing) listing_ = false;
  pending_.pop_front();
  advance(actions);
  if (pending_.empty()) read_ahead(actions);
}

// ---- read-ahead

// True: `message` was read ahead, or will be in a moment.
bool Session::take_ahead(Pending& message, Actions& actions) {
  if (message.index == next_in_order_) {
    ++in_order_;
  } else {
    forget_ahead(actions);
  }
  next_in_order_ = message.index + 1;
  if (ahead_.empty()) return false;
  message.slot = ahead_.front().slot;
  message.answered = ahead_.front().answered;
  if (message.answered) message.kind = Kind::kDone;
  ahead_.erase(ahead_.begin());
  return true;
}

// Several at a time, so that queue is not woken for each.
void Session::read_ahead(Actions& actions) {
  std::size_t most = std::min(kAhead, in_order_);
  if (state_ != State::kTransaction || lost_ || quitting_ || ahead_.size() > most / 2) return;
  std::uint64_t octets = 0;
  for (std::size_t n = 0; n < most && next_in_order_ + n < entries_.size(); ++n) {
    const Entry& entry = entries_[next_in_order_ + n];
    octets += entry.size();
    if (octets > kAheadOctets || marked_[next_in_order_ + n]) return;
    if (n < ahead_.size()) continue;
    ahead_.push_back({next_slot_++, false});
    actions.emplace_back(Fetch{ahead_.back().slot, entry.id});
  }
}

// If it could not be read, the client's RETR is asked for anew.
bool Session::on_ahead(std::uint32_t slot, Kind kind, Actions& actions) {
  for (Ahead& a : ahead_) {
    if (a.slot != slot || a.answered) continue;
    a.answered = true;
    if (kind != Kind::kDone) forget_ahead(actions);
    return kind == Kind::kDone;
  }
  return false;
}

// What is still on its way is dropped when it comes.
void Session::forget_ahead(Actions& actions) {
  for (const Ahead& a : ahead_) {
    if (a.answered) actions.emplace_back(Forget{a.slot});
  }
  ahead_.clear();
  in_order_ = 0;
}

void Session::on_pause(Actions& actions) {
  if (!ahead_.empty()) forget_ahead(actions);
}

bool Session::next_listing(std::string& out, std::size_t limit) {
  if (!sending_ || !listing_) return false;
  Pending& head = pending_.front();
  for (; head.index < entries_.size() && out.size() < limit; ++head.index) {
    if (marked_[head.index]) continue;
    char line[48];
    char* end = std::to_chars(line, line + 20, head.index + 1).ptr;
    *end++ = ' ';
    if (!head.ids) end = std::to_chars(end, line + sizeof line, entries_[head.index].size()).ptr;
    out.append(line, end);
    if (head.ids) out += entries_[head.index].id.text();
    out += "\r\n";
  }
  if (head.index < entries_.size()) return true;
  out += ".\r\n";
  return false;
}

void Session::close(const char* why, Actions& actions, bool at_once) {
  state_ = State::kClosed;
  actions.emplace_back(Close{why, at_once});
}

// ---- start and end

void Session::on_start(Actions& actions) {
  if (!conditions_.implicit_tls) return greet(actions);
  state_ = State::kStartingTls;
  actions.emplace_back(StartTls{});
}

void Session::greet(Actions& actions) {
  greeted_ = true;
  state_ = State::kAuthorization;
  actions.emplace_back(Write{fmt::format("+OK {} Post.Office POP3 server ready\r\n", conditions_.hostname)});
  advance(actions);
}

// RFC 2595 section 4: what was learnt in clear is forgotten.
void Session::on_tls(Actions& actions) {
  if (state_ != State::kStartingTls) return;
  tls_ = true;
  login_.clear();
  has_login_ = false;
  reader_.reset();
  if (!greeted_) return greet(actions);
  state_ = State::kAuthorization;
  advance(actions);
}

void Session::on_timeout(Actions& actions) {
  if (state_ != State::kClosed) close("idle", actions);
}

void Session::on_stop(Actions& actions) {
  stopping_ = true;
  if (state_ == State::kStartingTls) return close("stopping", actions, true);
  advance(actions);
}

bool Session::awaits_answer() const {
  switch (state_) {
    case State::kVerifying:
    case State::kLookingUp:
    case State::kOpening:
    case State::kUpdating:
      return true;
    default:
      return !pending_.empty() && !sending_;
  }
}

void Session::on_no_answer(Actions& actions) {
  switch (state_) {
    case State::kVerifying:
    case State::kLookingUp:
      return log_in_failed("accounts does not answer", kNoAccounts, actions);
    case State::kOpening:
      return log_in_failed("queue does not answer", kNoMailbox, actions);
    case State::kUpdating:
      return on_expunged(Kind::kTemporary, actions);
    default:
      break;
  }
  forget_ahead(actions);
  for (Pending& p : pending_) {
    if (p.what == Pending::What::kMessage) p.answered = true;  // with what `kind` holds: temporary
  }
  advance(actions);
}

// ---- logging in

void Session::log_in(std::string login, std::string password, Actions& actions) {
  has_login_ = false;
  if (login.empty() || login.size() > kMaxLogin || password.empty() || password.size() > kMaxPassword) {
    login_ = login.substr(0, kMaxLogin);
    return log_in_failed("malformed", "-ERR [AUTH] login name or password wrong\r\n", actions);
  }
  login_ = std::move(login);
  password_ = std::move(password);
  opened_twice_ = false;
  ask_accounts(actions);
}

void Session::ask_accounts(Actions& actions) {
  name_looked_up_ = false;
  state_ = State::kVerifying;
  actions.emplace_back(Authenticate{login_, password_, {}, false});
}

// A ticket is good for one queue process: if it restarted since, a new ticket is needed, and that is not the
// client's business. Once only.
void Session::mailbox_not_opened(const char* why, Actions& actions) {
  if (std::exchange(opened_twice_, true)) return log_in_failed(why, kNoMailbox, actions);
  entries_ = {};
  octets_ = 0;
  ask_accounts(actions);
}

void Session::on_name(std::string_view name, Actions& actions) {
  if (state_ != State::kLookingUp) return;
  name_looked_up_ = true;
  state_ = State::kVerifying;
  actions.emplace_back(Authenticate{login_, password_, std::string(name), true});
}

void Session::on_verdict(const po::messages::Verdict& verdict, Actions& actions) {
  if (state_ != State::kVerifying) return;
  switch (verdict.answer) {
    case Answer::kGranted:
      account_ = verdict.account;
      state_ = State::kOpening;
      actions.emplace_back(OpenMailbox{verdict.ticket});
      return;
    case Answer::kNeedName:
      if (name_looked_up_) break;
      state_ = State::kLookingUp;
      actions.emplace_back(LookUpName{});
      return;
    case Answer::kDenied:
      return log_in_failed("denied", "-ERR [AUTH] login name or password wrong\r\n", actions);
    case Answer::kLocked:
      return log_in_failed("locked", "-ERR [SYS/PERM] this account is locked\r\n", actions);
    case Answer::kNotFrom:
      return log_in_failed("access restriction",
                           "-ERR [SYS/PERM] this account may not log in from your address\r\n", actions);
    case Answer::kNoMailbox:
      return log_in_failed("no mailbox", "-ERR [SYS/PERM] this account has no mailbox here\r\n", actions);
    case Answer::kTooMany:
      return log_in_failed(
          "slowed down",
          fmt::format("-ERR [LOGIN-DELAY] too many failed log-ins, try again in {} seconds\r\n",
                      verdict.retry_after),
          actions);
    case Answer::kUnavailable:
      break;
  }
  log_in_failed("accounts is not available", kNoAccounts, actions);
}

void Session::log_in_failed(const char* why, const std::string& text, Actions& actions) {
  actions.emplace_back(LogInFailed{login_, why});
  login_.clear();
  password_.clear();
  account_ = 0;
  entries_ = {};
  octets_ = 0;
  state_ = State::kAuthorization;
  actions.emplace_back(Write{text});
  if (count_error()) close_when_answered_ = "too many errors";
  advance(actions);
}

void Session::on_mailbox(const po::messages::Mailbox& mailbox, Actions& actions) {
  if (state_ != State::kOpening) return;
  if (mailbox.kind != Kind::kDone) return mailbox_not_opened("mailbox not available", actions);
  std::size_t room = kMaxMessages - entries_.size();
  std::size_t count = std::min(room, mailbox.entries.size());
  entries_.reserve(entries_.size() + count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& e = mailbox.entries[i];
    entries_.push_back({e.id, static_cast<std::uint32_t>(e.size >> 32), static_cast<std::uint32_t>(e.size)});
    octets_ += e.size;
  }
  if (mailbox.more) return;
  marked_.assign(entries_.size(), false);
  opened_ = true;
  password_.clear();
  state_ = State::kTransaction;
  actions.emplace_back(LoggedIn{login_, account_, entries_.size()});
  reply(fmt::format("+OK {} messages, {} octets\r\n", entries_.size(), octets_), actions);
  advance(actions);
}

// ---- answers of queue

bool Session::on_message(std::uint32_t slot, Kind kind, Actions& actions) {
  if (state_ == State::kClosed) return false;
  for (Pending& p : pending_) {
    if (p.what != Pending::What::kMessage || p.slot != slot) continue;
    if (p.answered) return false;
    p.answered = true;
    p.kind = kind;
    advance(actions);
    return true;
  }
  return on_ahead(slot, kind, actions);
}

void Session::on_mailbox_lost(Actions& actions) {
  if (state_ == State::kOpening) return mailbox_not_opened("queue has gone", actions);
  if (!opened_ || state_ == State::kClosed) return;
  lost_ = true;
  forget_ahead(actions);
  if (state_ == State::kUpdating) return on_expunged(Kind::kTemporary, actions);
  for (Pending& p : pending_) {
    if (p.what == Pending::What::kMessage) p.answered = true;
  }
  advance(actions);
}

void Session::on_expunged(Kind kind, Actions& actions) {
  if (state_ != State::kUpdating) return;
  if (kind == Kind::kDone) {
    expunged_ = marks_;
    actions.emplace_back(Write{fmt::format("+OK {} messages deleted\r\n", marks_)});
  } else {
    actions.emplace_back(Write{"-ERR [SYS/TEMP] some deleted messages not removed\r\n"});
  }
  if (!lost_) actions.emplace_back(CloseMailbox{});
  close(kind == Kind::kDone ? "quit" : "quit, not deleted", actions);
}

// QUIT, when all answers before it have been sent (RFC 1939 section 6).
void Session::finish_quit(Actions& actions) {
  quitting_ = false;
  if (marks_ == 0) {
    if (opened_ && !lost_) actions.emplace_back(CloseMailbox{});
    actions.emplace_back(Write{"+OK goodbye\r\n"});
    return close("quit", actions);
  }
  if (lost_) {
    actions.emplace_back(Write{"-ERR [SYS/TEMP] the mailbox was lost, nothing deleted\r\n"});
    return close("quit, not deleted", actions);
  }
  Expunge expunge;
  expunge.ids.reserve(marks_);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (marked_[i]) expunge.ids.push_back(entries_[i].id);
  }
  state_ = State::kUpdating;
  actions.emplace_back(std::move(expunge));
}

}  // namespace pop3d
