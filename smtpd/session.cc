#include "smtpd/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/text.h"

namespace smtpd {

using po::messages::Protocol;

// RFC 5321 4.5.3.1.4 with room for the parameters of all our extensions; AUTH has its own (RFC 4954 section
// 4).
static constexpr std::size_t kMaxCommandLine = 2048 - 2;
static constexpr std::size_t kMaxAuthLine = 12288 - 2;

/// What each command needs; the handlers see only what passed.
struct Session::CommandRow {
  Verb verb;
  void (Session::*handle)(std::string_view argument, Actions& actions);
  bool before_tls;  ///< taken on 587 before STARTTLS
  bool idle;        ///< brings no mail forward
  bool bare;        ///< takes no argument
};

Session::Session(World& world, Client client)
    : world_(world), client_(std::move(client)), settings_(world.settings()), lines_(kMaxAuthLine) {}

Phase Session::phase() const {
  if (waiting() || state_ == State::kClosed) return Phase::kOurs;
  bool content = state_ == State::kData || state_ == State::kChunk || state_ == State::kDiscardChunk;
  return content ? Phase::kMessage : Phase::kCommand;
}

bool Session::may_start_tls() const {
  return !tls() && !client_.implicit_tls && !local() && world_.tls_available();
}

bool Session::must_start_tls() const {
  return client_.protocol == Protocol::kSubmission && !tls();
}

// ---- output

/// The replies of one turn leave together, so they are gathered in one action.
std::string& Session::reply_text(Actions& actions) {
  if (actions.empty() || !std::holds_alternative<WriteReply>(actions.back())) {
    actions.emplace_back(WriteReply{});
  }
  return std::get<WriteReply>(actions.back()).text;
}

void Session::say(const Reply& r, Actions& actions, std::string_view about) {
  append_reply(reply_text(actions), r, about);
}

void Session::fail(const Refusal& r, Actions& actions, std::string_view about) {
  append_reply(reply_text(actions), r, about);
  if (r.permanent()) conduct_.error();
}

void Session::end(const Reply& r, Actions& actions) {
  say(r, actions);
  actions.emplace_back(report(Report::Event::kEnded, r));
  close(actions);
}

void Session::close(Actions& actions) {
  drop_body(actions);
  state_ = State::kClosed;
  wait_ = Wait::kNothing;
  actions.emplace_back(Close{});
}

/// After every command and every answer: limits that end a session, and a stop that waited for this moment.
void Session::settle(Actions& actions) {
  if (waiting() || closed()) return;
  if (auto why = conduct_.verdict(*settings_)) return end(*why, actions);
  bool within_chunks = transaction_ && transaction_->chunked;
  if (stopping_ && phase() == Phase::kCommand && !within_chunks) end(replies::kStopping, actions);
}

void Session::reset_transaction(Actions& actions) {
  drop_body(actions);
  transaction_.reset();
}

// ---- events of the connection

void Session::on_connect(Actions& actions) {
  if (!client_.implicit_tls) greet(actions);
}

void Session::on_refused(const Reply& why, Actions& actions) {
  end(why, actions);
}

void Session::greet(Actions& actions) {
  append_reply(reply_text(actions), 220, "", client_.host + " ESMTP Post.Office");
}

void Session::on_client_name(std::string name, Actions& actions) {
  if (name_known_) return;
  client_name_ = std::move(name);
  name_known_ = true;
  Wait was = wait_;
  switch (std::exchange(wait_, Wait::kNothing)) {
    case Wait::kNameForSender:
      mail(std::exchange(waiting_mail_, {}), actions);
      break;
    case Wait::kNameForLogin:
      ask_accounts(actions);
      break;
    case Wait::kNameForRecipient:
      judge_recipient(actions);
      break;
    case Wait::kNameForStart:
      judge_start(actions);
      break;
    default:
      wait_ = was;
      return;
  }
  settle(actions);
}

void Session::on_timeout(Actions& actions) {
  if (!closed()) end(replies::kTimeout, actions);
}

void Session::on_stop(Actions& actions) {
  stopping_ = true;
  settle(actions);
}

void Session::on_eof(Actions& actions) {
  drop_body(actions);
  state_ = State::kClosed;
  wait_ = Wait::kNothing;
}

// ---- input

std::size_t Session::on_bytes(std::string_view in, Actions& actions) {
  std::size_t taken = 0;
  while (taken < in.size() && !waiting()) {
    std::string_view rest = in.substr(taken);
    switch (state_) {
      case State::kClosed:
      case State::kTls:  // said before the handshake: perhaps by somebody in between (CVE-2011-0411)
        return in.size();
      case State::kData:
        taken += data_input(rest, actions);
        break;
      case State::kChunk:
        taken += chunk_input(rest, actions);
        break;
      case State::kDiscardChunk:
        taken += discard_input(rest, actions);
        break;
      case State::kCommand:
      case State::kAuthPlain:
      case State::kAuthLoginUser:
      case State::kAuthLoginPassword:
        taken += command_input(rest, actions);
        break;
    }
  }
  return taken;
}

/// The reader ends a line at a bare LF too, so that it can be refused at once. What stands between that LF
/// and the next CRLF is the rest of the same line for everybody who goes by the book: it is never a command.
std::size_t Session::command_input(std::string_view in, Actions& actions) {
  auto read = lines_.next(in);
  bool after_cr = read.consumed >= 2 ? in[read.consumed - 2] == '\r' : after_cr_;
  after_cr_ = read.consumed > 0 && in[read.consumed - 1] == '\r';
  if (read.status == po::LineReader::Status::kNeedMore) return read.consumed;
  if (std::exchange(rest_of_line_, !after_cr)) {
    if (!after_cr) conduct_.error();
  } else {
    ++commands_;
    if (read.status == po::LineReader::Status::kLine) {
      on_line(read.line, actions);
    } else {
      refuse_line(read.status, actions);
    }
  }
  settle(actions);
  return read.consumed;
}

void Session::refuse_line(po::LineReader::Status status, Actions& actions) {
  bool authenticating = state_ != State::kCommand;
  state_ = State::kCommand;  // an authentication under way is over
  switch (status) {
    case po::LineReader::Status::kTooLong:
      return fail(authenticating ? replies::kAuthLineTooLong : replies::kLineTooLong, actions);
    case po::LineReader::Status::kNul:
      return fail(replies::kControl, actions);
    default:
      return fail(replies::kBareLineEnd, actions);
  }
}

void Session::on_line(std::string_view line, Actions& actions) {
  if (state_ != State::kCommand) return auth_line(line, actions);
  if (po::has_control(line)) return fail(replies::kControl, actions);
  Command command = parse_command(line);
  if (line.size() > kMaxCommandLine && command.verb != Verb::kAuth) {
    return fail(replies::kLineTooLong, actions);
  }
  run(command, actions);
}

void Session::run(const Command& command, Actions& actions) {
  using S = Session;
  static constexpr auto kRows = std::to_array<CommandRow>({
      // verb             handler         before_tls idle  bare
      {Verb::kEhlo, &S::ehlo, true, true, false},
      {Verb::kHelo, &S::helo, false, true, false},
      {Verb::kMail, &S::mail, false, false, false},
      {Verb::kRcpt, &S::rcpt, false, false, false},
      {Verb::kData, &S::data, false, false, true},
      {Verb::kBdat, &S::bdat, true, false, false},  // refuses by itself, and skips its chunk
      {Verb::kRset, &S::rset, true, true, true},
      {Verb::kNoop, &S::noop, true, true, false},
      {Verb::kQuit, &S::quit, true, false, true},
      {Verb::kVrfy, &S::vrfy, false, true, false},
      {Verb::kHelp, &S::help, false, true, false},
      {Verb::kStartTls, &S::starttls, true, true, true},
      {Verb::kAuth, &S::auth, false, true, false},
      {Verb::kEtrn, &S::etrn, false, true, false},
      {Verb::kQsnd, &S::qsnd, false, true, false},
      {Verb::kNotBuilt, &S::not_built, false, false, false},
      {Verb::kHttp, &S::http, true, false, false},
      {Verb::kUnknown, &S::unknown, false, false, false},
  });
  for (const CommandRow& row : kRows) {
    if (row.verb != command.verb) continue;
    if (row.idle) conduct_.idle_command();
    if (must_start_tls() && !row.before_tls) return fail(replies::kNeedTls, actions);
    if (row.bare && !command.argument.empty()) return fail(replies::kNoArguments, actions);
    return (this->*row.handle)(command.argument, actions);
  }
}

// ---- commands that carry no mail

void Session::ehlo(std::string_view argument, Actions& actions) {
  auto name = parse_helo(argument);
  if (!name) return fail(name.error(), actions);
  helo_ = std::move(*name);
  esmtp_ = true;
  reset_transaction(actions);
  settings_ = world_.settings();
  std::vector<std::string> lines = {client_.host, "PIPELINING"};
  std::uint64_t size = settings_->max_message_size;
  lines.push_back(size == 0 ? "SIZE" : "SIZE " + std::to_string(size));
  for (const char* word : {"8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN"}) {
    lines.emplace_back(word);
  }
  if (!submission()) lines.emplace_back("ETRN");
  if (may_start_tls()) lines.emplace_back("STARTTLS");
  if (tls() && !local()) lines.emplace_back("AUTH PLAIN LOGIN");
  std::string limits = "LIMITS RCPTMAX=" + std::to_string(settings_->max_recipients);
  if (settings_->max_messages != 0) limits += " MAILMAX=" + std::to_string(settings_->max_messages);
  lines.push_back(std::move(limits));
  lines.emplace_back("HELP");
  append_lines(reply_text(actions), 250, lines);
}

void Session::helo(std::string_view argument, Actions& actions) {
  auto name = parse_helo(argument);
  if (!name) return fail(name.error(), actions);
  helo_ = std::move(*name);
  esmtp_ = false;
  reset_transaction(actions);
  append_reply(reply_text(actions), 250, "", client_.host);
}

void Session::rset(std::string_view, Actions& actions) {
  reset_transaction(actions);
  say(replies::kOk, actions);
}

void Session::noop(std::string_view, Actions& actions) {
  say(replies::kOk, actions);
}

void Session::quit(std::string_view, Actions& actions) {
  say(replies::kBye, actions);
  close(actions);
}

void Session::vrfy(std::string_view argument, Actions& actions) {
  if (argument.empty()) return fail(replies::kVrfySyntax, actions);
  say(replies::kCannotVerify, actions);
}

void Session::help(std::string_view, Actions& actions) {
  append_reply(reply_text(actions), 214, "2.0.0",
               "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY STARTTLS AUTH ETRN QSND HELP");
}

void Session::not_built(std::string_view, Actions& actions) {
  fail(replies::kNotBuilt, actions);
}

void Session::unknown(std::string_view, Actions& actions) {
  fail(replies::kUnknownCommand, actions);
}

void Session::http(std::string_view, Actions& actions) {
  end(replies::kNotHttp, actions);
}

}  // namespace smtpd
