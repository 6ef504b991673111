#include "smtpd/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "lib/net_address.h"

namespace smtpd {

using Clock = std::chrono::steady_clock;
using po::messages::Protocol;

Connection::Connection(Host& host, po::Fd socket, Client client)
    : host_(host),
      socket_(socket.get()),
      stream_(host.loop(), std::move(socket), *this),
      session_(host.world(), std::move(client)),
      patience_(Clock::now()),
      began_(Clock::now()) {}

Connection::~Connection() {
  host_.queue().forget(*this);
  host_.accounts().forget(*this);
}

// ---- beginning and end

/// A client must wait for the greeting (RFC 5321 4.3.1). Only a program that talks whatever it hears does
/// not.
bool Connection::spoke_too_early() const {
  char octet = 0;
  return client().protocol != Protocol::kLocalSubmission &&
         ::recv(socket_, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void Connection::start() {
  if (client().implicit_tls) {
    auto context = host_.tls();
    if (!context) return stream_.close();
    tls_pending_ = true;
    stream_.start_tls(std::move(context));
  } else if (spoke_too_early()) {
    return refuse(replies::kTooEarly);
  } else {
    session_.on_connect(actions_);
    perform();
  }
  if (client().name_coming) look_up_name();
}

void Connection::refuse(const Reply& why) {
  session_.on_refused(why, actions_);
  if (!client().implicit_tls) return perform();
  actions_.clear();
  stream_.close();
}

void Connection::stop() {
  if (tls_pending_) return stream_.close();
  session_.on_stop(actions_);
  perform();
}

void Connection::tick(Moment now) {
  if (!patience_.over(now, *host_.world().settings())) return;
  if (tls_pending_) return stream_.close();
  session_.on_timeout(actions_);
  perform();
}

void Connection::on_idle() {}  // no idle limit is set on the stream: tick() knows more

void Connection::on_closed(std::string_view why) {
  bool waited = session_.waiting();
  session_.on_eof(actions_);
  perform();
  log_end(why, waited);
  host_.on_gone(*this);
}

void Connection::log_end(std::string_view why, bool waited) {
  auto line = host_.log().event("session-end");
  line.kv("session", client().session).kv("client", po::address_text(client().address));
  if (!session_.client_name().empty()) line.kv("name", session_.client_name());
  if (client().protocol == Protocol::kLocalSubmission) line.kv("uid", client().uid);
  line.kv("helo", session_.helo()).kv("messages", session_.messages()).kv("errors", session_.errors());
  if (!session_.login().empty()) line.kv("login", session_.login());
  if (stream_.tls()) line.kv("tls", stream_.tls_version());
  if (waited) line.kv("left", "while an answer was pending");
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - began_).count();
  line.kv("seconds", seconds).kv("why", ended_.empty() ? why : std::string_view(ended_));
}

// ---- input

std::size_t Connection::on_input(std::string_view input) {
  std::size_t taken = 0;
  while (taken < input.size() && !session_.waiting()) {
    taken += session_.on_bytes(input.substr(taken), actions_);
    perform();
  }
  // Reading stops only when there is something that cannot be taken: most clients say nothing while they
  // wait, and changing what epoll watches costs two system calls.
  if (taken < input.size() || stream_.queued() > po::Stream::kHighWater) pause();
  note_progress();
  return taken;
}

/// Who closes their half behind the end of data still wants to know what became of the message: unheard, a
/// message that was stored would be sent again.
void Connection::on_end_of_input() {
  if (session_.waiting()) pause();
}

void Connection::note_progress() {
  patience_.note(Clock::now(), session_.phase(), session_.commands(), session_.octets(), session_.messages());
}

void Connection::pause() {
  if (paused_) return;
  paused_ = true;
  stream_.pause_reading();
}

void Connection::resume() {
  if (!paused_ || session_.waiting() || stream_.queued() > po::Stream::kHighWater) return;
  paused_ = false;
  stream_.resume_reading();
}

void Connection::on_drained() {
  resume();
}

void Connection::on_tls() {
  tls_pending_ = false;
  session_.on_tls(stream_.tls_version(), stream_.tls_cipher(), actions_);
  after_answer();
}

// ---- answers

void Connection::after_answer() {
  perform();
  note_progress();
  resume();
}

void Connection::on_verdict(const po::messages::Verdict& verdict) {
  session_.on_verdict(verdict, actions_);
  after_answer();
}

void Connection::on_usage(bool known, std::uint64_t octets) {
  session_.on_usage(known, octets, actions_);
  after_answer();
}

void Connection::on_body_file(const po::messages::BodyFile& answer, po::Fd file) {
  body_ = std::move(file);
  body_generation_ = host_.queue().generation();
  body_failed_ = body_no_space_ = false;
  session_.on_body_file(answer.kind, answer.no_space, actions_);
  after_answer();
}

void Connection::on_submitted(const po::messages::Submitted& answer) {
  session_.on_submitted(answer, actions_);
  after_answer();
}

void Connection::on_started(bool known, std::uint64_t messages) {
  session_.on_started(known, messages, actions_);
  after_answer();
}

/// Asked at connect for trace and log, else when a decision by name is due.
void Connection::look_up_name() {
  if (std::exchange(looked_up_, true)) return;
  po::Resolver* resolver = host_.resolver();
  if (resolver == nullptr || client().address.family == 0) {
    session_.on_client_name("", actions_);
    return;
  }
  question_ = resolver->confirmed_name(client().address, [this](po::DnsStatus, const std::string& name) {
    session_.on_client_name(name, actions_);
    after_answer();
  });
}

// ---- actions

/// An action may be answered at once and so bring new ones: they are done in the same turn.
void Connection::perform() {
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    Action action = std::move(actions_[i]);
    perform_one(action);
  }
  actions_.clear();
}

void Connection::perform_one(Action& action) {
  if (auto* a = std::get_if<WriteReply>(&action)) {
    stream_.write(a->text);
  } else if (auto* submission = std::get_if<SubmitMessage>(&action)) {
    submit(submission->message);
  } else if (auto* report = std::get_if<Report>(&action)) {
    log(*report);
  } else if (auto* octets = std::get_if<WriteBody>(&action)) {
    write_body(octets->octets);
  } else if (auto* usage = std::get_if<AskUsage>(&action)) {
    if (auto cached = host_.queue().cached_usage(usage->account)) {
      session_.on_usage(true, *cached, actions_);
    } else {
      host_.queue().ask_usage(usage->account, *this);
    }
  } else if (auto* open = std::get_if<OpenBody>(&action)) {
    host_.queue().open_body(open->id, *this);
  } else if (auto* drop = std::get_if<DropBody>(&action)) {
    drop_body(drop->id);
  } else if (auto* ask = std::get_if<AskAccounts>(&action)) {
    host_.accounts().authenticate(std::move(ask->question), *this);
  } else if (auto* start = std::get_if<StartQueue>(&action)) {
    host_.queue().start_domain(start->domain, start->subdomains, *this);
  } else if (std::holds_alternative<AskName>(action)) {
    look_up_name();
  } else if (std::holds_alternative<StartTls>(action)) {
    auto context = host_.tls();
    if (!context) return stream_.close();
    tls_pending_ = true;
    stream_.start_tls(std::move(context));
  } else if (std::holds_alternative<Close>(action)) {
    stream_.close_after_flush();
  }
}

void Connection::write_body(std::string_view octets) {
  if (body_generation_ != host_.queue().generation()) body_failed_ = true;  // its queue is gone
  while (!octets.empty() && !body_failed_) {
    ssize_t n = ::write(body_.get(), octets.data(), octets.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      body_no_space_ = n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG);
      body_failed_ = true;
      host_.log().event("body-not-written").kv("session", client().session).kv("errno", n < 0 ? errno : 0);
      return;
    }
    octets.remove_prefix(static_cast<std::size_t>(n));
  }
}

void Connection::submit(po::messages::Submit& message) {
  body_.reset();
  bool lost = message.in_file && (body_failed_ || body_generation_ != host_.queue().generation());
  if (!lost) return host_.queue().submit(message, *this);
  host_.queue().drop_body(message.id);
  po::messages::Submitted answer;
  answer.no_space = body_no_space_;
  session_.on_submitted(answer, actions_);
}

void Connection::drop_body(const po::MessageId& id) {
  if (body_generation_ == host_.queue().generation() || !body_) host_.queue().drop_body(id);
  body_.reset();
}

// ---- log

static std::string_view event_name(Report::Event event) {
  switch (event) {
    case Report::Event::kAccepted:
      return "accepted";
    case Report::Event::kMessageRefused:
      return "message-refused";
    case Report::Event::kSenderRefused:
      return "sender-refused";
    case Report::Event::kRecipientRefused:
      return "rcpt-refused";
    case Report::Event::kAuthenticated:
      return "auth-ok";
    case Report::Event::kAuthFailed:
      return "auth-failed";
    case Report::Event::kQueueStarted:
      return "queue-started";
    case Report::Event::kStartRefused:
      return "queue-start-refused";
    case Report::Event::kEnded:
      return "refused";
  }
  return "unknown";
}

void Connection::log(const Report& r) {
  using Event = Report::Event;
  bool message = r.event == Event::kAccepted || r.event == Event::kMessageRefused;
  if (message) host_.on_message(r.event == Event::kAccepted);
  auto line = host_.log().event(event_name(r.event));
  line.kv("session", client().session).kv("client", po::address_text(client().address));
  if (!session_.client_name().empty()) line.kv("name", session_.client_name());
  line.kv("helo", session_.helo());
  if (client().protocol == Protocol::kLocalSubmission) line.kv("uid", client().uid);
  if (stream_.tls()) line.kv("tls", stream_.tls_version());
  if (!r.id.empty()) line.kv("id", r.id);
  if (!r.message_id.empty()) line.kv("message-id", r.message_id);
  if (message || r.event == Event::kSenderRefused || r.event == Event::kRecipientRefused) {
    line.kv("sender", r.sender);
  }
  if (r.event == Event::kRecipientRefused) line.kv("recipient", r.recipient);
  if (r.event == Event::kQueueStarted || r.event == Event::kStartRefused) line.kv("domain", r.recipient);
  if (message) line.kv("recipients", r.recipients).kv("size", r.size);
  if (!r.login.empty()) line.kv("login", r.login);
  if (r.event != Event::kAccepted && r.event != Event::kAuthenticated) line.kv("reply", r.reply);
  if (r.event == Event::kEnded) ended_ = r.reply;
}

}  // namespace smtpd
