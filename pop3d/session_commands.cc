// What each command does, and in which states it may be given. The rest of Session is in session.cc.
#include <fmt/format.h>

#include "lib/text.h"
#include "pop3d/session.h"

namespace pop3d {

struct Session::Step {
  Verb verb;
  bool authorization, transaction;
  void (Session::*run)(const Command&, Actions&);
};

const Session::Step* Session::find_step(Verb verb) {
  static constexpr Step kSteps[] = {
      {Verb::kAuth, true, false, &Session::auth}, {Verb::kCapa, true, true, &Session::capa},
      {Verb::kDele, false, true, &Session::dele}, {Verb::kList, false, true, &Session::list},
      {Verb::kNoop, false, true, &Session::noop}, {Verb::kPass, true, false, &Session::pass},
      {Verb::kQuit, true, true, &Session::quit},  {Verb::kRetr, false, true, &Session::retr},
      {Verb::kRset, false, true, &Session::rset}, {Verb::kStat, false, true, &Session::stat},
      {Verb::kStls, true, false, &Session::stls}, {Verb::kTop, false, true, &Session::retr},
      {Verb::kUidl, false, true, &Session::list}, {Verb::kUser, true, false, &Session::user},
      {Verb::kUtf8, true, false, &Session::utf8},
  };
  for (const Step& step : kSteps) {
    if (step.verb == verb) return &step;
  }
  return nullptr;
}

void Session::run(const Command& command, Actions& actions) {
  const Step* step = find_step(command.verb);
  if (step == nullptr) return error("unknown command", actions);
  if (state_ == State::kAuthorization && !step->authorization) return error("log in first", actions);
  if (state_ == State::kTransaction && !step->transaction) return error("you are logged in already", actions);
  if (command.problem != nullptr) return error(command.problem, actions);
  (this->*step->run)(command, actions);
}

// ---- authorization state

bool Session::password_allowed() const {
  if (tls_) return true;
  switch (conditions_.clear_text) {
    case directory::ClearText::kNever:
      return false;
    case directory::ClearText::kLoopback:
      return conditions_.loopback;
    case directory::ClearText::kAlways:
      return true;
  }
  return false;
}

bool Session::can_start_tls() const {
  return conditions_.tls_available && !tls_;
}

void Session::capa(const Command&, Actions& actions) {
  std::string text =
      "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\nUTF8\r\n";
  if (password_allowed()) text += "USER\r\nSASL PLAIN\r\n";
  if (state_ == State::kAuthorization && can_start_tls()) text += "STLS\r\n";
  text += "IMPLEMENTATION Post.Office\r\n.\r\n";
  reply(std::move(text), actions);
}

void Session::user(const Command& command, Actions& actions) {
  if (!password_allowed()) return error("use STLS first", actions);
  login_ = command.text;
  has_login_ = true;
  reply("+OK send PASS\r\n", actions);
}

void Session::pass(const Command& command, Actions& actions) {
  if (!password_allowed()) return error("use STLS first", actions);
  if (!has_login_) return error("send USER first", actions);
  log_in(login_, std::string(command.text), actions);
}

void Session::auth(const Command& command, Actions& actions) {
  if (!password_allowed()) return error("use STLS first", actions);
  std::size_t blank = command.text.find(' ');
  if (!po::equal_ignoring_case(command.text.substr(0, blank), "PLAIN")) {
    return error("this mechanism is not known, see CAPA", actions);
  }
  if (blank == std::string_view::npos) {
    state_ = State::kChallenged;
    return reply("+ \r\n", actions);
  }
  std::string_view initial = command.text.substr(blank + 1);
  log_in_plain(initial == "=" ? "" : initial, actions);  // RFC 5034 section 4: "=" is an empty response
}

void Session::on_sasl_line(std::string_view line, Actions& actions) {
  state_ = State::kAuthorization;
  if (line == "*") return error("cancelled", actions);
  log_in_plain(line, actions);
}

// RFC 4616: authorization identity (empty or the same), NUL, login name, NUL, password.
void Session::log_in_plain(std::string_view base64, Actions& actions) {
  auto decoded = po::base64_decode(base64);
  if (!decoded) return error("not base64", actions);
  std::string_view message = *decoded;
  std::size_t first = message.find('\0');
  std::size_t second = first == std::string_view::npos ? first : message.find('\0', first + 1);
  if (second == std::string_view::npos) return error("not a message of PLAIN", actions);
  std::string_view authorize_as = message.substr(0, first);
  std::string_view login = message.substr(first + 1, second - first - 1);
  std::string_view password = message.substr(second + 1);
  if (po::has_control(login) || po::has_control(password)) {
    return error("control characters are not allowed", actions);
  }
  if (!authorize_as.empty() && authorize_as != login) {
    return error("[AUTH] nobody may log in as somebody else", actions);
  }
  log_in(std::string(login), std::string(password), actions);
}

void Session::stls(const Command&, Actions& actions) {
  if (tls_) return error("TLS is on already", actions);
  if (!can_start_tls()) return error("TLS is not available", actions);
  reply("+OK begin TLS negotiation\r\n", actions);
  state_ = State::kStartingTls;
  actions.emplace_back(StartTls{});
}

// RFC 6856. Messages are sent as they are stored, with this command and without it (pop3d.8 says why).
void Session::utf8(const Command&, Actions& actions) {
  reply("+OK UTF8 enabled\r\n", actions);
}

// ---- transaction state

std::optional<std::size_t> Session::find_message(std::uint64_t number, Actions& actions) {
  if (number < 1 || number > entries_.size()) {
    reply("-ERR no such message\r\n", actions);
    return {};
  }
  std::size_t index = number - 1;
  if (marked_[index]) {
    reply(fmt::format("-ERR message {} is deleted\r\n", number), actions);
    return {};
  }
  return index;
}

void Session::noop(const Command&, Actions& actions) {
  reply("+OK\r\n", actions);
}

void Session::stat(const Command&, Actions& actions) {
  reply(fmt::format("+OK {} {}\r\n", entries_.size() - marks_, octets_ - marked_octets_), actions);
}

void Session::list(const Command& command, Actions& actions) {
  bool ids = command.verb == Verb::kUidl;
  if (!command.number) {
    reply(fmt::format("+OK {} messages, {} octets\r\n", entries_.size() - marks_, octets_ - marked_octets_),
          actions);
    Pending& listing = pending_.emplace_back();
    listing.what = Pending::What::kListing;
    listing.ids = ids;
    listing_ = true;  // no further command is read until it is sent, so it shows this moment's marks
    return advance(actions);
  }
  auto index = find_message(*command.number, actions);
  if (!index) return;
  const Entry& entry = entries_[*index];
  reply(ids ? fmt::format("+OK {} {}\r\n", *command.number, entry.id.text())
            : fmt::format("+OK {} {}\r\n", *command.number, entry.size()),
        actions);
}

void Session::retr(const Command& command, Actions& actions) {
  auto index = find_message(*command.number, actions);
  if (!index) return;
  if (lost_) return reply("-ERR [SYS/TEMP] the mailbox is not available any more, log in again\r\n", actions);
  Pending& message = pending_.emplace_back();
  message.what = Pending::What::kMessage;
  message.index = *index;
  ++asked_;
  asked_octets_ += window_share(entries_[*index].size());
  if (command.verb == Verb::kTop) {
    message.lines = command.lines;
  } else if (take_ahead(message, actions)) {
    return advance(actions);
  }
  message.slot = next_slot_++;
  actions.emplace_back(Fetch{message.slot, entries_[*index].id});
}

void Session::dele(const Command& command, Actions& actions) {
  auto index = find_message(*command.number, actions);
  if (!index) return;
  if (lost_) return reply("-ERR [SYS/TEMP] the mailbox is not available any more, log in again\r\n", actions);
  marked_[*index] = true;
  ++marks_;
  marked_octets_ += entries_[*index].size();
  reply(fmt::format("+OK message {} is deleted at QUIT\r\n", *command.number), actions);
}

void Session::rset(const Command&, Actions& actions) {
  marked_.assign(entries_.size(), false);
  marks_ = 0;
  marked_octets_ = 0;
  reply(fmt::format("+OK {} messages, {} octets\r\n", entries_.size(), octets_), actions);
}

void Session::quit(const Command&, Actions& actions) {
  quitting_ = true;
  advance(actions);
}

}  // namespace pop3d
