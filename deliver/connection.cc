#include "deliver/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "lib/net_address.h"
#include "lib/socket_options.h"

namespace deliver {

using Clock = std::chrono::steady_clock;

Connection::Connection(const po::Loop& loop, ConnectionOwner& owner, Place place, Terms terms,
                       std::shared_ptr<const po::TlsContext> tls)
    : loop_(loop),
      owner_(owner),
      place_(std::move(place)),
      client_(std::move(terms)),
      tls_(std::move(tls)),
      since_(Clock::now()),
      progress_(since_) {}

Connection::~Connection() = default;

// ---- connecting

/// 0 or an errno.
static int bind_to(int fd, const std::string& source) {
  auto address = po::parse_address(source);
  sockaddr_storage ss{};
  socklen_t length = address ? po::to_sockaddr(*address, ss) : 0;
  if (length == 0) return EINVAL;
  return ::bind(fd, reinterpret_cast<sockaddr*>(&ss), length) == 0 ? 0 : errno;
}

void Connection::start() {
  sockaddr_storage ss{};
  socklen_t length = po::to_sockaddr(place_.endpoint.address, ss);
  socket_ = po::Fd(::socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_) return cannot_connect(errno);
  int one = 1;
  (void)::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // only a delay is at stake
  if (!place_.source.empty()) {
    if (int error = bind_to(socket_.get(), place_.source); error != 0) return cannot_connect(error);
  }
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&ss), length) != 0 && errno != EINPROGRESS)
    return cannot_connect(errno);
  connected_.on_writable(loop_, socket_.get(), [this] { on_connected(); });
}

void Connection::start(po::Fd connected) {
  stream_ = std::make_unique<po::Stream>(loop_, std::move(connected), *this);
}

void Connection::on_connected() {
  int error = po::socket_option(socket_.get(), SO_ERROR).value_or(EIO);
  if (error != 0) return cannot_connect(error);
  connected_.cancel();
  start(std::move(socket_));
  progress_ = Clock::now();
}

void Connection::cannot_connect(int error) {
  connected_.cancel();
  socket_.reset();
  unreachable_ = true;
  timed_out_ = error == ETIMEDOUT;
  std::string why = "cannot connect to " + endpoint_text(place_.endpoint) + ": " + std::strerror(error);
  failed_.soon(loop_, [this, why] {
    Outcome o;
    o.reply = why;
    o.status = "4.4.1";
    client_.abort(o, actions_);
    perform();
    owner_.on_gone(*this);
  });
}

// ---- events

std::size_t Connection::on_input(std::string_view input) {
  progress_ = Clock::now();
  client_.on_bytes(input, actions_);
  perform();
  return input.size();
}

void Connection::on_drained() {
  note_progress();
  if (!client_.wants_body()) return;
  actions_.emplace_back(WantBody{});
  perform();
}

void Connection::on_tls() {
  progress_ = Clock::now();
  client_.on_tls(actions_);
  perform();
}

void Connection::on_closed(std::string_view why) {
  client_.on_closed(why, actions_);
  perform();
  owner_.on_gone(*this);
}

void Connection::tick(Moment now) {
  if (!stream_) {
    if (socket_ && now - since_ >= kConnectLimit) cannot_connect(ETIMEDOUT);
    return;
  }
  note_progress();
  auto limit = client_.time_limit();
  if (limit.count() == 0 || now - progress_ < limit) return;
  client_.on_timeout(actions_);
  perform();
}

/// What the host takes of a content is progress, although it says nothing.
void Connection::note_progress() {
  std::size_t queued = stream_->queued();
  if (queued != queued_ && (client_.wants_body() || queued > 0)) progress_ = Clock::now();
  queued_ = queued;
}

// ---- wishes

void Connection::carry(Mail mail, Content& content) {
  content_ = &content;
  offset_ = 0;
  ++messages_;
  progress_ = Clock::now();
  client_.begin(std::move(mail), actions_);
  perform();
}

void Connection::quit() {
  client_.quit(actions_);
  perform();
}

void Connection::abort(const Outcome& why) {
  if (!stream_ && !failed_.pending()) cannot_connect(ECANCELED);
  client_.abort(why, actions_);
  perform();
}

std::string Connection::tls_text() const {
  if (!stream_ || !stream_->tls()) return {};
  return stream_->tls_version() + " " + stream_->tls_cipher();
}

// ---- actions

/// An action may bring new ones: they are done in the same turn, and leave in one write.
void Connection::perform() {
  if (performing_) return;
  performing_ = true;
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    Action action = std::move(actions_[i]);
    perform_one(action);
  }
  actions_.clear();
  performing_ = false;
}

void Connection::perform_one(Action& action) {
  if (auto* w = std::get_if<Write>(&action)) {
    if (stream_) stream_->write(w->octets);
  } else if (std::holds_alternative<WantBody>(action)) {
    pump();
  } else if (auto* finished = std::get_if<Finished>(&action)) {
    if (user_ != nullptr) user_->on_finished(*this, *finished);
  } else if (auto* failed = std::get_if<Failed>(&action)) {
    if (ConnectionUser* user = std::exchange(user_, nullptr)) user->on_failed(*this, *failed);
  } else if (std::holds_alternative<Ready>(action)) {
    if (user_ != nullptr) user_->on_ready(*this);
  } else if (std::holds_alternative<StartTls>(action)) {
    stream_->connect_tls(tls_, place_.endpoint.name);
  } else if (std::holds_alternative<Close>(action)) {
    if (stream_) stream_->close_after_flush();
  }
}

/// A piece at a time, until the host has enough to take; on_drained() goes on.
void Connection::pump() {
  if (!client_.wants_body() || stream_->queued() > po::Stream::kHighWater) return;
  std::string_view piece = content_->piece(offset_);
  offset_ += piece.size();
  if (!piece.empty()) client_.body(piece, actions_);
  if (piece.empty() || offset_ >= content_->size()) {
    client_.body_end(actions_);
  } else {
    actions_.emplace_back(WantBody{});
  }
}

}  // namespace deliver
