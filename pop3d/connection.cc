#include "pop3d/connection.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "lib/net_address.h"

namespace pop3d {

using namespace po::messages;

static constexpr std::size_t kPiece = 64 * 1024;

Connection::Connection(const Surroundings& surroundings, Client client, Conditions conditions,
                       std::chrono::seconds idle, std::shared_ptr<const po::TlsContext> tls, po::Fd socket,
                       OnGone on_gone)
    : around_(surroundings),
      client_(std::move(client)),
      idle_(idle),
      tls_(std::move(tls)),
      on_gone_(std::move(on_gone)),
      session_(std::move(conditions)),
      stream_(around_.loop, std::move(socket), *this) {
  around_.pipes.add(client_.number, *this);
}

Connection::~Connection() {
  around_.pipes.remove(client_.number);
}

void Connection::start() {
  stream_.set_idle(idle_);
  session_.on_start(actions_);
  perform();
}

void Connection::stop() {
  session_.on_stop(actions_);
  perform();
}

// ---- events of the stream

std::size_t Connection::on_input(std::string_view input) {
  std::size_t used = 0;
  while (used < input.size() && !full()) {
    std::size_t now = session_.on_input(input.substr(used), actions_);
    used += now;
    perform();
    if (now == 0) break;
  }
  update_reading();
  return used;
}

void Connection::on_drained() {
  pump();
  perform();
}

// The answers to what was read before the end of the input are still due.
void Connection::on_end_of_input() {
  input_ended_ = true;
  update_reading();
}

void Connection::on_tls() {
  session_.on_tls(actions_);
  perform();
}

void Connection::on_idle() {
  session_.on_timeout(actions_);
  perform();
}

void Connection::on_closed(std::string_view why) {
  if (handle_ != 0) around_.pipes.close_mailbox(handle_);
  log_end(why_ != nullptr ? std::string_view(why_) : why);
  OnGone on_gone = std::move(on_gone_);
  on_gone(client_.number);
}

void Connection::check_time(Clock::time_point now) {
  auto since = now - last_action_;
  if (session_.awaits_answer()) {
    if (since < kAnswerLimit) return;
    around_.pipes.forget(client_.number);
    name_question_.cancel();
    session_.on_no_answer(actions_);
  } else if (!session_.logged_in()) {
    if (since < kLogInIdle && now - started_ < kLogInLimit) return;
    session_.on_timeout(actions_);
  } else {
    // While a large answer is under way the Stream watches that the client takes it.
    if (stream_.queued() > 0 || session_.sending()) last_action_ = now;
    since = now - last_action_;
    if (since >= kAheadKept) session_.on_pause(actions_);
    if (since >= idle_) session_.on_timeout(actions_);
  }
  perform();
}

// ---- events of the pipes

void Connection::on_verdict(const Verdict& verdict) {
  session_.on_verdict(verdict, actions_);
  perform();
}

void Connection::on_mailbox(const Mailbox& mailbox) {
  if (mailbox.kind == po::Kind::kDone) handle_ = mailbox.handle;
  session_.on_mailbox(mailbox, actions_);
  perform();
  if (!mailbox.more && !session_.logged_in() && handle_ != 0) {
    around_.pipes.close_mailbox(std::exchange(handle_, 0));
  }
}

void Connection::on_message(std::uint32_t slot, Message message, po::Fd file) {
  Fetched fetched;
  if (message.kind == po::Kind::kDone) {
    bool whole = message.body.size() == message.body_size;
    if (file) {
      off_t end = ::lseek(file.get(), 0, SEEK_END);
      whole = message.body.empty() && end >= 0 && static_cast<std::uint64_t>(end) >= message.body_size;
    }
    if (!whole) {
      around_.log.event("body-damaged").kv("session", client_.session).kv("id", message.id.text());
      message.kind = po::Kind::kTemporary;
    }
    fetched = {std::move(message.prefix), std::move(message.body), message.body_size, std::move(file)};
  }
  if (message.kind == po::Kind::kDone) fetched_[slot] = std::move(fetched);
  if (!session_.on_message(slot, message.kind, actions_)) fetched_.erase(slot);
  perform();
}

void Connection::on_expunged(const Expunged& expunged) {
  if (expunged.kind != po::Kind::kDone) {
    around_.log.event("not-expunged").kv("session", client_.session).kv("error", expunged.text);
  }
  session_.on_expunged(expunged.kind, actions_);
  perform();
}

void Connection::on_mailbox_lost() {
  handle_ = 0;
  session_.on_mailbox_lost(actions_);
  perform();
}

// ---- actions

// Actions that end at once (a small message is sent) bring the next ones: they are appended while this runs.
void Connection::perform() {
  if (performing_) return;
  performing_ = true;
  if (!actions_.empty()) last_action_ = Clock::now();
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    Action action = std::move(actions_[i]);
    std::visit([this](auto& a) { act(a); }, action);
  }
  actions_.clear();
  performing_ = false;
  update_reading();
}

void Connection::act(Write& action) {
  stream_.write(action.text);
}

void Connection::act(StartTls&) {
  if (stream_.tls() || !tls_) return stream_.close();
  stream_.start_tls(tls_);
}

void Connection::act(Authenticate& action) {
  po::messages::Authenticate question;
  question.login = std::move(action.login);
  question.password = std::move(action.password);
  question.client = client_.address;
  question.client_name = std::move(action.client_name);
  question.name_looked_up = action.name_looked_up;
  question.session = client_.session;
  question.mailbox = true;
  around_.pipes.authenticate(client_.number, std::move(question));
}

void Connection::act(LookUpName&) {
  name_question_ =
      around_.resolver.confirmed_name(client_.address, [this](po::DnsStatus status, const std::string& name) {
        if (status == po::DnsStatus::kTemporary) {
          session_.on_no_answer(actions_);
        } else {
          session_.on_name(name, actions_);
        }
        perform();
      });
}

void Connection::act(OpenMailbox& action) {
  around_.pipes.open_mailbox(client_.number,
                             po::messages::OpenMailbox{std::move(action.ticket), client_.session});
}

void Connection::act(Fetch& action) {
  around_.pipes.retrieve(client_.number, action.slot, handle_, action.id);
}

void Connection::act(SendMessage& action) {
  auto found = fetched_.find(action.slot);
  if (found == fetched_.end()) po::panic("pop3d: a message to be sent was not fetched");
  transfer_.emplace(Transfer{});  // clang 14 takes the nested type for not default constructible
  transfer_->message = std::move(found->second);
  if (action.lines) {
    transfer_->encoder = po::DotEncoder(*action.lines);
  } else {
    ++around_.totals.retrieved;
  }
  fetched_.erase(found);
  std::string out;
  transfer_->encoder.add(transfer_->message.prefix, out);
  transfer_->encoder.add(transfer_->message.body, out);
  send(out);
  if (!transfer_->message.file) return finish_message();
  pump();
}

void Connection::act(Forget& action) {
  fetched_.erase(action.slot);
}

void Connection::act(SendListing&) {
  sending_listing_ = true;
  pump();
}

void Connection::act(Expunge& action) {
  around_.pipes.expunge(client_.number, po::messages::Expunge{handle_, std::move(action.ids)});
}

void Connection::act(CloseMailbox&) {
  if (handle_ != 0) around_.pipes.close_mailbox(std::exchange(handle_, 0));
}

void Connection::act(LoggedIn& action) {
  around_.log.event("login")
      .kv("session", client_.session)
      .kv("account", action.account)
      .kv("login", action.login)
      .kv("client", po::address_text(client_.address))
      .kv("tls", stream_.tls() ? stream_.tls_version() : "no")
      .kv("messages", action.messages);
}

void Connection::act(LogInFailed& action) {
  ++around_.totals.failures;
  around_.log.event("login-failed")
      .kv("session", client_.session)
      .kv("login", action.login)
      .kv("client", po::address_text(client_.address))
      .kv("tls", stream_.tls() ? stream_.tls_version() : "no")
      .kv("why", action.why);
}

void Connection::act(Close& action) {
  why_ = action.why;
  if (action.at_once) {
    stream_.close();
  } else {
    stream_.close_after_flush();
  }
}

// ---- long answers

void Connection::send(std::string_view octets) {
  octets_ += transfer_ ? octets.size() : 0;
  stream_.write(octets);
}

void Connection::pump() {
  if (transfer_) pump_message();
  if (sending_listing_) pump_listing();
}

void Connection::pump_listing() {
  std::string piece;
  while (!full()) {
    piece.clear();
    bool more = session_.next_listing(piece, kPiece);
    send(piece);
    if (more) continue;
    sending_listing_ = false;
    return session_.on_sent(actions_);
  }
}

// The one place where this process waits for a disk; queue has just written or read what is asked for here.
void Connection::pump_message() {
  Transfer& t = *transfer_;
  if (!t.message.file) return;
  auto buffer = std::make_unique_for_overwrite<char[]>(kPiece);
  std::string out;
  while (!full()) {
    std::uint64_t left = t.message.size - t.offset;
    if (left == 0 || t.encoder.full()) return finish_message();
    ssize_t n = ::pread(t.message.file.get(), buffer.get(), std::min<std::uint64_t>(left, kPiece),
                        static_cast<off_t>(t.offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return abort_message(n == 0 ? "the body's file is too short" : "the body cannot be read");
    t.offset += static_cast<std::uint64_t>(n);
    out.clear();
    t.encoder.add({buffer.get(), static_cast<std::size_t>(n)}, out);
    send(out);
  }
}

void Connection::finish_message() {
  std::string out;
  transfer_->encoder.finish(out);
  stream_.write(out);
  transfer_.reset();
  session_.on_sent(actions_);
}

// In the middle of an answer there is no way to say so: the connection ends without its closing line.
void Connection::abort_message(std::string_view why) {
  around_.log.event("body-damaged").kv("session", client_.session).kv("why", why);
  transfer_.reset();
  why_ = "a body is damaged";
  stream_.close();
}

void Connection::update_reading() {
  bool pause = full() || !(session_.wants_input() || session_.starting_tls());
  if (input_ended_ && (session_.awaits_answer() || session_.sending())) pause = true;
  if (pause == paused_) return;
  paused_ = pause;
  if (pause) {
    stream_.pause_reading();
  } else {
    stream_.resume_reading();
  }
}

void Connection::log_end(std::string_view why) {
  if (session_.logged_in()) {
    around_.log.event("logout")
        .kv("session", client_.session)
        .kv("account", session_.account())
        .kv("retrieved", session_.retrieved())
        .kv("octets", octets_)
        .kv("deleted", session_.deleted())
        .kv("why", why);
  } else {
    around_.log.event("session-end")
        .kv("session", client_.session)
        .kv("client", po::address_text(client_.address))
        .kv("why", why);
  }
}

}  // namespace pop3d
