#include "deliver/smtp_client.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "lib/text.h"

namespace deliver {

using po::Kind;
using po::messages::TlsLevel;
using namespace std::chrono_literals;

static constexpr int kServiceCloses = 421;

static Outcome ours(Kind kind, std::string status, std::string text) {
  Outcome o;
  o.kind = kind;
  o.reply = std::move(text);
  o.status = std::move(status);
  return o;
}

/// The host's words; `kind` may be milder than its code.
static Outcome theirs(const Reply& reply, Kind kind) {
  Outcome o;
  o.kind = kind;
  o.remote = true;
  o.reply = one_line(reply);
  o.status = reply.status.empty() ? "x.0.0" : reply.status;
  o.status[0] = kind == Kind::kDone ? '2' : kind == Kind::kTemporary ? '4' : '5';
  return o;
}

static void say(std::string octets, Actions& actions) {
  actions.emplace_back(Write{std::move(octets)});
}

static Kind kind_of(const Reply& reply) {
  return reply.positive() ? Kind::kDone : reply.permanent() ? Kind::kPermanent : Kind::kTemporary;
}

// ---- EHLO

static std::uint64_t number_of(std::string_view text) {
  std::uint64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc() && end == text.data() + text.size() ? n : 0;
}

static std::string_view take_word(std::string_view& text) {
  text = po::trim(text);
  std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

static void parse_keyword(std::string_view line, Extensions& ext) {
  std::string key = po::ascii_lower(take_word(line));
  struct {
    const char* name;
    bool Extensions::*flag;
  } constexpr kFlags[] = {{"pipelining", &Extensions::pipelining}, {"size", &Extensions::size},
                          {"8bitmime", &Extensions::eight_bit},    {"smtputf8", &Extensions::smtputf8},
                          {"chunking", &Extensions::chunking},     {"dsn", &Extensions::dsn},
                          {"starttls", &Extensions::starttls}};
  for (const auto& f : kFlags) {
    if (key == f.name) ext.*f.flag = true;
  }
  if (key == "size") ext.max_size = number_of(take_word(line));
  // "AUTH=PLAIN" is how some servers still speak to clients of the last century.
  if (key.starts_with("auth=")) line = std::string_view(key).substr(5);
  if (key != "auth" && !key.starts_with("auth=") && key != "limits") return;
  for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
    if (key == "limits") {
      if (po::starts_with_ignoring_case(word, "rcptmax=")) ext.max_recipients = number_of(word.substr(8));
    } else if (po::equal_ignoring_case(word, "plain")) {
      ext.auth_plain = true;
    } else if (po::equal_ignoring_case(word, "login")) {
      ext.auth_login = true;
    }
  }
}

Extensions parse_extensions(const std::vector<std::string>& lines) {
  Extensions ext;
  for (std::size_t i = 1; i < lines.size(); ++i) parse_keyword(lines[i], ext);
  return ext;
}

// ---- events

void SmtpClient::on_bytes(std::string_view bytes, Actions& actions) {
  // While TLS begins nothing is read in clear; what was sent behind the reply is thrown away by the stream.
  while (!bytes.empty() && state_ != State::kOver && state_ != State::kQuit && state_ != State::kHandshake) {
    Reply reply;
    auto status = reader_.next(bytes, reply);
    if (status == ReplyReader::Status::kNeedMore) return;
    if (status == ReplyReader::Status::kGarbage) {
      return fail(stage(), ours(Kind::kTemporary, "4.5.0", reader_.error()), actions);
    }
    on_reply(reply, actions);
  }
}

void SmtpClient::on_closed(std::string_view why, Actions& actions) {
  if (state_ == State::kOver || state_ == State::kQuit) return;
  bool in_handshake = state_ == State::kHandshake;
  std::string text = "the connection broke";
  if (stage() == Stage::kEnd) text += " after the message was sent, before its answer";
  if (in_handshake) text = "TLS could not be begun";
  text += ": " + one_line(why);
  fail(stage(), ours(Kind::kTemporary, in_handshake ? "4.7.5" : "4.4.2", std::move(text)), actions,
       in_handshake && terms_.tls == TlsLevel::kOpportunistic);
}

void SmtpClient::on_timeout(Actions& actions) {
  if (state_ == State::kOver || state_ == State::kQuit) return;
  if (state_ == State::kHandshake) return on_closed("the handshake took too long", actions);
  // A host that answers a pipeline at its end has the whole message: the next address would get a second
  // copy.
  Stage at = body_ == Body::kEnded && !mail_refused_ ? Stage::kEnd : stage();
  const char* what = "no answer in time";
  if (state_ == State::kGreeting) what = "no greeting in time";
  if (at == Stage::kEnd) what = "no answer in time to the end of the message";
  if (wants_body()) what = "the host takes no more of the message";
  fail(at, ours(Kind::kTemporary, "4.4.2", what), actions);
}

std::chrono::seconds SmtpClient::time_limit() const {
  switch (state_) {
    case State::kIdle:
    case State::kQuit:
    case State::kOver:
      return 0s;
    case State::kHandshake:
      return 60s;
    case State::kMail:
      if (body_ == Body::kOpen) return 3min;
      if (body_ == Body::kEnded) return 10min;  // its end may be what the first reply waits for
      if (!expected_.empty() && expected_.front() == Step::kData) return 2min;
      if (!expected_.empty() && expected_.front() == Step::kEnd) return 10min;
      return 5min;
    default:
      return 5min;
  }
}

void SmtpClient::on_reply(const Reply& reply, Actions& actions) {
  if (state_ == State::kIdle) return fail_by(reply, actions);  // it has had enough
  if (state_ != State::kMail) return on_session_reply(reply, actions);
  bool early = body_ == Body::kOpen && (expected_.empty() || expected_.front() == Step::kEnd);
  if (early || expected_.empty()) {
    // An early answer of a store is about one recipient, and of several nobody knows which.
    bool about_all = !terms_.lmtp || count(kTaken) == 1;
    if (about_all && !reply.positive() && reply.code != kServiceCloses)
      settle_rest(theirs(reply, kind_of(reply)));
    return fail_by(reply, actions);
  }
  Step step = expected_.front();
  expected_.pop_front();
  if (reply.code == kServiceCloses && step != Step::kEnd) return fail_by(reply, actions);
  on_step_reply(step, reply, actions);
}

// ---- until the first transaction

void SmtpClient::on_session_reply(const Reply& reply, Actions& actions) {
  switch (state_) {
    case State::kGreeting:
      return on_greeting(reply, actions);
    case State::kEhlo:
    case State::kHelo:
      return on_ehlo(reply, actions);
    case State::kStartTls:
      return on_starttls(reply, actions);
    default:
      return on_auth(reply, actions);
  }
}

void SmtpClient::greet(State with, Actions& actions) {
  state_ = with;
  const char* hello = with == State::kHelo ? "HELO " : terms_.lmtp ? "LHLO " : "EHLO ";
  say(hello + terms_.helo + "\r\n", actions);
}

void SmtpClient::on_greeting(const Reply& reply, Actions& actions) {
  if (!reply.positive()) return fail_by(reply, actions);
  greet(State::kEhlo, actions);
}

void SmtpClient::on_ehlo(const Reply& reply, Actions& actions) {
  if (reply.permanent() && state_ == State::kEhlo && !tls_ && !terms_.lmtp)
    return greet(State::kHelo, actions);
  if (!reply.positive()) return fail_by(reply, actions);
  ext_ = state_ == State::kEhlo ? parse_extensions(reply.lines) : Extensions{};
  // With a store the message is at its end, whoever could tell of that: we do.
  if (terms_.lmtp) ext_.dsn = false;
  after_ehlo(actions);
}

void SmtpClient::after_ehlo(Actions& actions) {
  bool must = terms_.tls == TlsLevel::kRequired || terms_.tls == TlsLevel::kVerified;
  if (!tls_ && terms_.tls != TlsLevel::kNone && ext_.starttls) {
    state_ = State::kStartTls;
    return say("STARTTLS\r\n", actions);
  }
  if (!tls_ && must) {
    return fail(Stage::kSession,
                ours(Kind::kTemporary, "4.7.4", "the host does not offer TLS, and its route requires it"),
                actions);
  }
  if (!terms_.user.empty()) return log_in(actions);
  be_ready(actions);
}

void SmtpClient::on_starttls(const Reply& reply, Actions& actions) {
  if (reply.positive()) {
    state_ = State::kHandshake;
    reader_.reset();
    actions.emplace_back(StartTls{});
    return;
  }
  if (reply.code == kServiceCloses) return fail_by(reply, actions);
  ext_.starttls = false;
  after_ehlo(actions);
}

void SmtpClient::on_tls(Actions& actions) {
  tls_ = true;
  ext_ = {};  // RFC 3207 4.2: what was said in clear is forgotten
  greet(State::kEhlo, actions);
}

void SmtpClient::log_in(Actions& actions) {
  auto no = [&](const char* why) { fail(Stage::kSession, ours(Kind::kTemporary, "4.7.0", why), actions); };
  if (!tls_ && !terms_.same_host) {
    return no("the route has a password, which is not sent without TLS, and there is no TLS here");
  }
  if (ext_.auth_plain) {
    state_ = State::kAuthPlain;
    std::string secret = std::string(1, '\0') + terms_.user + std::string(1, '\0') + terms_.password;
    return say("AUTH PLAIN " + po::base64_encode(secret) + "\r\n", actions);
  }
  if (!ext_.auth_login)
    return no("the route has a password, and the host offers neither AUTH PLAIN nor LOGIN");
  state_ = State::kAuthLoginUser;
  say("AUTH LOGIN\r\n", actions);
}

void SmtpClient::on_auth(const Reply& reply, Actions& actions) {
  bool goes_on = reply.code == 334;
  if (goes_on && state_ == State::kAuthLoginUser) {
    state_ = State::kAuthLoginPassword;
    return say(po::base64_encode(terms_.user) + "\r\n", actions);
  }
  if (goes_on && state_ == State::kAuthLoginPassword) {
    state_ = State::kAuthLast;
    return say(po::base64_encode(terms_.password) + "\r\n", actions);
  }
  bool last = state_ == State::kAuthPlain || state_ == State::kAuthLast;
  if (reply.positive() && last) return be_ready(actions);
  // A password can be mended: the mail waits, whatever the host calls it.
  Outcome why = theirs(reply, Kind::kTemporary);
  why.reply = one_line("log-in refused: " + why.reply);
  say("QUIT\r\n", actions);
  fail(Stage::kSession, std::move(why), actions);
}

void SmtpClient::be_ready(Actions& actions) {
  terms_.password.clear();
  state_ = State::kIdle;
  actions.emplace_back(Ready{});
}

// ---- a transaction

void SmtpClient::begin(Mail mail, Actions& actions) {
  state_ = State::kMail;
  mail_ = std::move(mail);
  outcomes_.clear();
  expected_.clear();
  next_ = must_reset_ ? Step::kRset : Step::kMail;
  next_rcpt_ = answered_rcpt_ = 0;
  mail_refused_ = mail_taken_ = dsn_ = false;
  body_ = Body::kNone;
  body_sent_ = 0;
  dots_ = {};
  converter_.reset();
  verdicts_.assign(mail_.recipients.size(), kUnknown);
  refuse_before_sending();
  if (mail_.recipients.empty()) return finish(actions);
  send_steps(actions);
}

/// What is known to be of no use is not even begun.
void SmtpClient::refuse_before_sending() {
  const po::messages::Job& job = *mail_.job;
  // A store here is asked all the same: Dovecot takes such an address without saying that it knows them.
  bool may_be_utf8 = ext_.smtputf8 || terms_.lmtp;
  auto no = [](const char* status, std::string text) {
    return ours(Kind::kPermanent, status, std::move(text));
  };
  if (ext_.max_size != 0 && job.size > ext_.max_size) {
    settle_rest(no("5.3.4", "the message has " + std::to_string(job.size) + " octets, and the host takes " +
                                std::to_string(ext_.max_size) + " at most"));
  } else if (po::has_control(job.sender)) {
    settle_rest(no("5.1.7", "the sender's address cannot be written in SMTP"));
  } else if (!may_be_utf8 && (!po::is_ascii(job.sender) || (job.smtputf8 && mail_.utf8_header))) {
    settle_rest(
        no("5.6.7",
           "the message has an internationalised sender or header, and the host does not know SMTPUTF8"));
  }
  std::vector<std::size_t> rest;
  for (std::size_t i = 0; i < mail_.recipients.size(); ++i) {
    if (verdicts_[i] != kUnknown) continue;
    const std::string& address = job.recipients[mail_.recipients[i]].address;
    if (po::has_control(address)) {
      settle(i, no("5.1.3", "this address cannot be written in SMTP"));
    } else if (!may_be_utf8 && !po::is_ascii(address)) {
      settle(i, no("5.6.7", "this is an internationalised address, and the host does not know SMTPUTF8"));
    } else if (ext_.max_recipients != 0 && rest.size() >= ext_.max_recipients) {
      over_.push_back(mail_.recipients[i]);
    } else {
      rest.push_back(mail_.recipients[i]);
    }
  }
  mail_.recipients = std::move(rest);
  verdicts_.assign(mail_.recipients.size(), kUnknown);
}

bool SmtpClient::by_bdat() const {
  return ext_.chunking && !converts();
}

bool SmtpClient::may_send(Step step) const {
  bool all_answered = expected_.empty();
  switch (step) {
    case Step::kRset:
      return true;
    case Step::kMail:
      return ext_.pipelining || all_answered;
    case Step::kRcpt:
      return ext_.pipelining || (all_answered && !mail_refused_);
    case Step::kData:
      if (all_answered) return count(kTaken) > 0;
      // How many answers its end has is known when all recipients have theirs.
      return !terms_.lmtp && ext_.pipelining && (!by_bdat() || mail_.job->size <= kAhead);
    case Step::kEnd:
      break;
  }
  return false;
}

void SmtpClient::send_steps(Actions& actions) {
  std::string out;
  bool body = false;
  while (next_ != Step::kEnd && may_send(next_)) {
    switch (next_) {
      case Step::kRset:
        out += "RSET\r\n";
        next_ = Step::kMail;
        expected_.push_back(Step::kRset);
        break;
      case Step::kMail:
        out += mail_command();
        next_ = Step::kRcpt;
        expected_.push_back(Step::kMail);
        break;
      case Step::kRcpt:
        out += rcpt_command(mail_.job->recipients[mail_.recipients[next_rcpt_]]);
        if (++next_rcpt_ == mail_.recipients.size()) next_ = Step::kData;
        expected_.push_back(Step::kRcpt);
        break;
      case Step::kData:
        body = by_bdat();
        out += body ? "BDAT " + std::to_string(mail_.job->size) + " LAST\r\n" : "DATA\r\n";
        next_ = Step::kEnd;
        body ? expect_end() : expected_.push_back(Step::kData);
        break;
      case Step::kEnd:
        break;
    }
  }
  if (!out.empty()) say(std::move(out), actions);
  if (body) open_body(actions);
  // Nobody is left to send it to.
  if (expected_.empty() && next_ != Step::kEnd && count(kTaken) == 0) finish(actions);
}

std::string SmtpClient::mail_command() const {
  const po::messages::Job& job = *mail_.job;
  std::string out = "MAIL FROM:<" + job.sender + ">";
  if (ext_.size) out += " SIZE=" + std::to_string(job.size);
  if (ext_.eight_bit && (mail_.eight_bit || job.body_8bit)) out += " BODY=8BITMIME";
  bool utf8 = job.smtputf8 || !po::is_ascii(job.sender);
  for (std::size_t i : mail_.recipients) utf8 = utf8 || !po::is_ascii(job.recipients[i].address);
  if (ext_.smtputf8 && utf8) out += " SMTPUTF8";
  if (ext_.dsn && job.ret == 1) out += " RET=FULL";
  if (ext_.dsn && job.ret == 2) out += " RET=HDRS";
  if (ext_.dsn && !job.envid.empty()) out += " ENVID=" + job.envid;
  return out + "\r\n";
}

static std::string notify_text(std::uint8_t notify) {
  using namespace po::messages;
  if ((notify & kNotifyNever) != 0) return "NEVER";
  std::string out;
  constexpr std::pair<Notify, const char*> kNames[] = {
      {kNotifySuccess, "SUCCESS"}, {kNotifyFailure, "FAILURE"}, {kNotifyDelay, "DELAY"}};
  for (auto [bit, name] : kNames) {
    if ((notify & bit) == 0) continue;
    if (!out.empty()) out += ',';
    out += name;
  }
  return out;
}

std::string SmtpClient::rcpt_command(const po::messages::JobRecipient& r) const {
  std::string out = "RCPT TO:<" + r.address + ">";
  if (ext_.dsn && r.notify != 0) out += " NOTIFY=" + notify_text(r.notify);
  if (ext_.dsn && !r.orcpt.empty()) out += " ORCPT=" + r.orcpt;
  return out + "\r\n";
}

void SmtpClient::on_step_reply(Step step, const Reply& reply, Actions& actions) {
  switch (step) {
    case Step::kRset:
      if (!reply.positive()) return fail_by(reply, actions);
      must_reset_ = false;
      break;
    case Step::kMail:
      if (reply.code / 100 == 3) return fail_by(reply, actions);
      mail_taken_ = reply.positive();
      mail_refused_ = !mail_taken_;
      if (mail_refused_) settle_rest(theirs(reply, kind_of(reply)));
      break;
    case Step::kRcpt:
      if (reply.code / 100 == 3) return fail_by(reply, actions);
      on_rcpt_reply(reply);
      break;
    case Step::kData:
      return on_data_reply(reply, actions);
    case Step::kEnd:
      return on_end_reply(reply, actions);
  }
  send_steps(actions);
}

/// RFC 5321 4.5.3.1.10 wants 552 to be taken for 452 where it is about the number of recipients; today it
/// rather says that a mailbox is full.
static bool says_too_many(const Reply& reply) {
  if (reply.code != 452 && reply.code != 552) return false;
  return reply.status.empty() || reply.status.substr(1) == ".5.3";
}

void SmtpClient::on_rcpt_reply(const Reply& reply) {
  std::size_t i = answered_rcpt_++;
  if (mail_refused_) return;
  if (reply.positive()) {
    verdicts_[i] = kTaken;
  } else if (says_too_many(reply) && count(kTaken) > 0) {
    verdicts_[i] = kTooMany;
  } else {
    settle(i, theirs(reply, kind_of(reply)));
  }
}

void SmtpClient::on_data_reply(const Reply& reply, Actions& actions) {
  if (reply.code / 100 == 2) return fail_by(reply, actions);
  bool go = reply.code / 100 == 3;
  if (go && count(kTaken) > 0) return open_body(actions);
  if (go) {
    // RFC 2920 3.1: who sent DATA behind recipients that were all refused owes an end.
    expected_.push_back(Step::kEnd);
    return say(".\r\n", actions);
  }
  settle_rest(theirs(reply, kind_of(reply)));
  finish(actions);
}

/// One answer; of a store one for each recipient that it took, in their order (RFC 2033 4.2).
void SmtpClient::expect_end() {
  expected_.insert(expected_.end(), terms_.lmtp ? count(kTaken) : 1, Step::kEnd);
}

void SmtpClient::on_end_reply(const Reply& reply, Actions& actions) {
  if (reply.code / 100 == 3) return fail_by(reply, actions);
  // After DATA the transaction is over, whatever was said; after a BDAT that failed nobody knows (RFC 3030
  // 2).
  must_reset_ = must_reset_ || (by_bdat() && !reply.positive());
  mail_taken_ = false;
  // Who closes says it once, for all that are left.
  if (!expected_.empty() && reply.code != kServiceCloses)
    return settle_next_taken(theirs(reply, kind_of(reply)));
  settle_rest(theirs(reply, kind_of(reply)));
  dsn_ = reply.positive() && ext_.dsn;
  finish(actions);
  if (reply.code != kServiceCloses) return;
  state_ = State::kOver;
  actions.emplace_back(Close{});
}

// ---- its content

void SmtpClient::open_body(Actions& actions) {
  body_ = Body::kOpen;
  if (converts()) converter_.emplace(mail_.parts);
  actions.emplace_back(WantBody{});
}

void SmtpClient::body(std::string_view piece, Actions& actions) {
  if (body_ != Body::kOpen) return;
  body_sent_ += piece.size();
  Write out;
  if (by_bdat()) {
    out.octets = piece;
  } else if (converter_) {
    std::string seven;
    converter_->add(piece, seven);
    dots_.add(seven, out.octets);
  } else {
    out.octets.reserve(piece.size() + 64);
    dots_.add(piece, out.octets);
  }
  actions.emplace_back(std::move(out));
}

void SmtpClient::body_end(Actions& actions) {
  if (body_ != Body::kOpen) return;
  if (body_sent_ != mail_.job->size) {
    return fail(Stage::kEnvelope, ours(Kind::kTemporary, "4.3.0", "the message could not be read to its end"),
                actions);
  }
  body_ = Body::kEnded;
  if (by_bdat()) return;
  Write out;
  if (converter_) {
    std::string seven;
    converter_->finish(seven);
    dots_.add(seven, out.octets);
  }
  dots_.finish(out.octets);
  actions.emplace_back(std::move(out));
  expect_end();
}

// ---- its end

std::size_t SmtpClient::count(int verdict) const {
  return static_cast<std::size_t>(std::count(verdicts_.begin(), verdicts_.end(), verdict));
}

void SmtpClient::settle(std::size_t i, const Outcome& outcome) {
  verdicts_[i] = kSettled;
  outcomes_.push_back(outcome);
  outcomes_.back().n = mail_.job->recipients[mail_.recipients[i]].n;
}

void SmtpClient::settle_next_taken(const Outcome& outcome) {
  auto next = std::find(verdicts_.begin(), verdicts_.end(), kTaken);
  settle(static_cast<std::size_t>(next - verdicts_.begin()), outcome);
}

/// All that wait for an answer to MAIL, DATA or the end.
void SmtpClient::settle_rest(const Outcome& outcome) {
  for (std::size_t i = 0; i < verdicts_.size(); ++i) {
    if (verdicts_[i] == kUnknown || verdicts_[i] == kTaken) settle(i, outcome);
  }
}

void SmtpClient::finish(Actions& actions) {
  must_reset_ = must_reset_ || mail_taken_;
  state_ = State::kIdle;
  body_ = Body::kNone;
  Finished f{std::move(outcomes_), std::move(over_), dsn_};
  outcomes_.clear();
  over_.clear();
  for (std::size_t i = 0; i < verdicts_.size(); ++i) {
    if (verdicts_[i] != kSettled) f.left.push_back(mail_.recipients[i]);
  }
  mail_ = {};
  verdicts_.clear();
  actions.emplace_back(std::move(f));
}

Stage SmtpClient::stage() const {
  if (state_ != State::kMail) return Stage::kSession;
  if (body_ == Body::kEnded && count(kTaken) > 0) return Stage::kEnd;
  return mail_taken_ ? Stage::kEnvelope : Stage::kSession;
}

void SmtpClient::fail_by(const Reply& reply, Actions& actions) {
  // What neither refuses nor makes sense here is an error of the host's, not a verdict on the mail.
  bool sense = reply.transient() || reply.permanent();
  bool greeting = state_ == State::kGreeting || state_ == State::kEhlo || state_ == State::kHelo;
  // A store that turns us away is set up in a way that can be mended.
  bool final = reply.permanent() && greeting && !terms_.lmtp;
  Outcome why = theirs(reply, final ? Kind::kPermanent : Kind::kTemporary);
  if (!sense) why.reply = one_line("an answer out of turn: " + why.reply);
  if (stage() != Stage::kEnd) say("QUIT\r\n", actions);
  fail(stage(), std::move(why), actions);
}

void SmtpClient::fail(Stage stage, Outcome why, Actions& actions, bool clear_may_do) {
  if (state_ == State::kOver) return;
  if (stage == Stage::kEnd) {
    why.kind = Kind::kTemporary;
    if (!why.status.empty()) why.status[0] = '4';
    settle_rest(why);
  }
  Failed f{stage, std::move(why), clear_may_do, std::move(outcomes_), std::move(over_)};
  for (std::size_t i = 0; i < verdicts_.size(); ++i) {
    if (verdicts_[i] != kSettled) f.left.push_back(mail_.recipients[i]);
  }
  state_ = State::kOver;
  body_ = Body::kNone;
  verdicts_.clear();
  mail_ = {};
  actions.emplace_back(std::move(f));
  actions.emplace_back(Close{});
}

void SmtpClient::abort(const Outcome& why, Actions& actions) {
  fail(stage(), why, actions);
}

void SmtpClient::quit(Actions& actions) {
  if (state_ == State::kOver) return;
  state_ = State::kQuit;
  say("QUIT\r\n", actions);
  actions.emplace_back(Close{});
}

}  // namespace deliver
