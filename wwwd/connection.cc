#include "wwwd/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "lib/net_address.h"
#include "lib/text.h"
#include "wwwd/words.h"

namespace wwwd {

static constexpr std::string_view kFormType = "application/x-www-form-urlencoded";
static constexpr std::string_view kTextType = "text/plain";
static constexpr std::size_t kLoggedPath = 256;

/// The pages' end of a request under way. Cut off from the connection when the request has been answered or
/// the client has gone; then everything said to it falls on deaf ears.
class Connection::Answer final : public Exchange {
 public:
  explicit Answer(Connection& connection) : connection_(&connection) {}
  ~Answer() override {
    if (connection_ == nullptr) return;
    Connection& c = *connection_;
    c.around_.log.event("not-answered").kv("session", c.client_.session).kv("path", request_.path);
    if (begun_) {
      abort("the page gave no more");
    } else {
      answer(short_page(500, "Something went wrong", "The server made no answer. Try again later."));
    }
  }

  [[nodiscard]] bool done() const override { return connection_ == nullptr; }
  void on_done(std::function<void()> callback) override {
    if (connection_ == nullptr) return callback();
    on_done_.push_back(std::move(callback));
  }

  void answer(Response response) override {
    if (connection_ == nullptr || begun_) return;
    begun_ = true;
    Connection& c = *connection_;
    c.send(response, Framing::kLength, c.without_body_);
    c.finish();
  }

  void begin(Response response) override {
    if (connection_ == nullptr || begun_) return;
    begun_ = true;
    Connection& c = *connection_;
    c.send(response, c.head_.http_1_0 ? Framing::kClose : Framing::kChunked, c.without_body_);
    if (!response.body.empty()) write(response.body);
  }

  void write(std::string_view piece) override {
    if (connection_ == nullptr || !begun_ || piece.empty()) return;
    Connection& c = *connection_;
    c.waiting_since_ = Clock::now();
    if (c.without_body_) return;
    c.octets_ += piece.size();
    if (c.chunked_) c.write(fmt::format("{:x}\r\n", piece.size()));
    c.write(piece);
    if (c.chunked_) c.write("\r\n");
  }

  [[nodiscard]] std::size_t queued() const override {
    return connection_ == nullptr ? 0 : connection_->stream_.queued();
  }
  void on_drained(std::function<void()> callback) override {
    if (connection_ != nullptr) drained_ = std::move(callback);
  }

  void end() override {
    if (connection_ == nullptr || !begun_) return;
    Connection& c = *connection_;
    if (c.chunked_ && !c.without_body_) c.write("0\r\n\r\n");
    c.finish();
  }

  void abort(std::string_view why) override {
    if (connection_ == nullptr) return;
    Connection& c = *connection_;
    c.around_.log.event("answer-broken-off").kv("session", c.client_.session).kv("why", why);
    c.state_ = State::kClosing;
    c.stream_.close();
    c.finish("broken off");
  }

  void pause_body() override {
    if (connection_ == nullptr || connection_->body_paused_) return;
    connection_->body_paused_ = true;
    connection_->waiting_since_ = Clock::now();
    connection_->update_reading();
  }
  void resume_body() override {
    if (connection_ == nullptr || !connection_->body_paused_) return;
    Connection& c = *connection_;
    c.body_paused_ = false;
    c.body_pace_.restart(Clock::now(), c.body_octets_);
    c.pump();
  }

  void look_up_name(std::function<void()> callback) override {
    if (connection_ == nullptr) return;
    if (request_.name_looked_up) return callback();
    named_ = std::move(callback);
    question_ = connection_->around_.resolver.confirmed_name(
        request_.client, [this](po::DnsStatus status, const std::string& name) { on_name(status, name); });
  }
  void set_account(std::string account) override { account_ = std::move(account); }
  void wait_longer() override {
    if (connection_ != nullptr) connection_->waiting_since_ = Clock::now();
  }

  /// What was to be called may hold the last reference to this.
  void cut_off() {
    connection_ = nullptr;
    question_.cancel();
    auto drained = std::exchange(drained_, nullptr), named = std::exchange(named_, nullptr);
    for (const auto& callback : std::exchange(on_done_, {})) callback();
  }
  void drained() {
    auto callback = drained_;
    if (callback) callback();
  }
  [[nodiscard]] const std::string& account() const { return account_; }

 private:
  void on_name(po::DnsStatus status, const std::string& name) {
    request_.client_name = name;
    request_.name_looked_up = status != po::DnsStatus::kTemporary;
    auto callback = std::exchange(named_, nullptr);
    if (callback) callback();
  }

  Connection* connection_;
  bool begun_ = false;
  std::function<void()> drained_, named_;
  std::vector<std::function<void()>> on_done_;
  po::DnsQuestion question_;
  std::string account_;
};

Connection::Connection(const Surroundings& surroundings, Client client,
                       std::shared_ptr<const po::TlsContext> tls, po::Fd socket, OnGone on_gone)
    : around_(surroundings),
      client_(std::move(client)),
      tls_(std::move(tls)),
      on_gone_(std::move(on_gone)),
      socket_(socket.get()),
      stream_(around_.loop, std::move(socket), *this) {}

Connection::~Connection() {
  sink_.reset();
  forget_exchange();
  release_body();
}

void Connection::start() {
  if (!tls_) return;
  state_ = State::kHandshake;
  paused_ = true;
  stream_.pause_reading();
  first_octet_.on_readable(around_.loop, socket_, [this] { on_first_octet(); });
}

/// Who types the address without its https speaks in clear to the port of TLS, and is told so in clear: a
/// letter begins no handshake (RFC 8446 5.1).
void Connection::on_first_octet() {
  char octet = 0;
  ssize_t n = ::recv(socket_, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  first_octet_.cancel();
  tls_missed_ = n == 1 && po::is_alpha(octet);
  if (tls_missed_) {
    state_ = State::kIdle;
  } else {
    stream_.start_tls(tls_);
  }
  update_reading();
}

void Connection::stop() {
  stopping_ = true;
  close_idle();
}

std::optional<Connection::Clock::time_point> Connection::idle_since() const {
  if (state_ != State::kHandshake && state_ != State::kIdle) return std::nullopt;
  return idle_since_;
}

void Connection::close_idle() {
  if (!idle_since()) return;
  state_ = State::kClosing;
  first_octet_.cancel();
  stream_.close_after_flush();
}

// ---- events of the stream

std::size_t Connection::on_input(std::string_view input) {
  std::size_t used = process(input);
  update_reading();
  return used;
}

void Connection::on_drained() {
  waiting_since_ = Clock::now();
  if (exchange_ != nullptr) exchange_->drained();
  update_reading();
}

void Connection::on_tls() {
  state_ = State::kIdle;
  idle_since_ = Clock::now();
}

void Connection::on_closed(std::string_view why) {
  state_ = State::kClosing;
  first_octet_.cancel();
  sink_.reset();
  if (exchange_ != nullptr) log_request("the client has gone");
  forget_exchange();
  if (!any_request_) {
    around_.log.event("session-end")
        .kv("session", client_.session)
        .kv("client", po::address_text(client_.address))
        .kv("why", why);
  }
  OnGone on_gone = std::move(on_gone_);
  on_gone(client_.number);
}

// ---- reading

std::size_t Connection::process(std::string_view input) {
  std::size_t used = 0;
  processing_ = true;
  while (wants_input()) {
    auto step = reader_.next(input.substr(used));
    used += step.consumed;
    if (step.event == RequestReader::Event::kNeedMore) break;
    on_step(step);
  }
  processing_ = false;
  if (state_ == State::kIdle && reader_.in_head() && !head_since_) head_since_ = Clock::now();
  return used;
}

/// What follows from what was read already; the stream gives the rest by itself.
void Connection::pump() {
  if (processing_) return;
  process({});
  update_reading();
}

bool Connection::wants_input() const {
  if (state_ == State::kBody) return !body_paused_;
  return state_ == State::kIdle && stream_.queued() <= po::Stream::kHighWater;
}

void Connection::update_reading() {
  bool pause = !wants_input() && state_ != State::kHandshake;
  if (pause == paused_) return;
  paused_ = pause;
  if (pause) {
    stream_.pause_reading();
  } else {
    stream_.resume_reading();
  }
}

void Connection::on_step(const RequestReader::Step& step) {
  switch (step.event) {
    case RequestReader::Event::kNeedMore:
      return;
    case RequestReader::Event::kHead:
      return on_head();
    case RequestReader::Event::kBody:
      return on_body(step.body);
    case RequestReader::Event::kEnd:
      return on_request_end();
    case RequestReader::Event::kRefused:
      request_since_ = Clock::now();
      return refuse(reader_.refusal());
  }
}

void Connection::on_head() {
  head_since_.reset();
  request_since_ = Clock::now();
  head_ = std::move(reader_.head());
  without_body_ = head_.method == Method::kHead;
  keep_alive_ = false;  // until all of it has been read
  auto source = source_of(around_.shared.policy, client_.address, stream_.tls(), head_);
  gathering_ = std::make_shared<Answer>(*this);
  exchange_ = gathering_.get();
  Request& request = exchange_->request();
  request.method = head_.method;
  request.path = std::move(head_.path);
  request.client = source ? source->client : client_.address;
  request.session = client_.session;
  if (!source) return refuse({400, "the proxy's X-Forwarded-For or X-Forwarded-Proto cannot be read"});
  request.https = source->https;
  request.origin = own_origin(source->https, head_.host);
  request.query = std::move(head_.query);
  request.media_type = std::move(head_.media_type);
  check_access();
}

void Connection::check_access() {
  const Request& request = exchange_->request();
  const std::string* name = request.name_looked_up ? &request.client_name : nullptr;
  switch (may_use_forms(around_.shared.policy, request.client, name)) {
    case Access::kAllowed:
      return admit();
    case Access::kRefused: {
      std::string text = fmt::format(
          "The web forms of this server may not be used from your address, {}. The Postmaster decides from "
          "where they may, in the form System Security.",
          po::address_text(request.client));
      return refuse(short_page(403, "Not allowed from your address", text),
                    "Limit-Configuration-via-Web-Forms", without_body_);
    }
    case Access::kNameNeeded:
      break;
  }
  state_ = State::kNaming;
  exchange_->look_up_name([this] {
    if (exchange_->request().name_looked_up) return check_access();
    refuse({503, "your address's name could not be looked up; try again later"});
  });
}

/// The client may use the forms. Whether this request may be made in this way:
void Connection::admit() {
  Request& request = exchange_->request();
  if (tls_missed_ || (!request.https && !may_use_clear_text(around_.shared.policy, request.client)))
    return refuse_clear_text();
  if (is_forged(head_, request.origin)) {
    return refuse(short_page(403, "Not sent by this server's page",
                             "This form does not come from a page of this server, so nothing was changed. "
                             "Open the page again and send the form from there."),
                  "another site's form", without_body_);
  }
  request.fields = std::move(head_.fields);
  begin_body();
}

/// Of a body that is gathered here; a sink judges its own.
bool Connection::takes_media_type() const {
  const Request& request = gathering_->request();
  return !request.post() || head_.length == 0 || request.media_type == kFormType ||
         request.media_type == kTextType;
}

void Connection::begin_body() {
  State before = std::exchange(state_, State::kBody);
  body_paused_ = false;
  body_pace_.restart(Clock::now(), body_octets_);
  octets_ = 0;
  if (head_.method == Method::kPost) sink_ = around_.handler.stream_body(gathering_, head_.length);
  if (state_ != State::kBody) return sink_.reset();  // answered already
  if (!sink_ && !takes_media_type())
    return refuse({415, "a POST is application/x-www-form-urlencoded or text/plain"});
  if (!sink_ && head_.length > kMaxBody) return refuse({413, "the body is larger than 1 MiB"});
  continue_due_ = head_.expects_continue;
  if (!body_paused_) send_continue();
  if (before == State::kNaming) pump();
}

/// RFC 9110 10.1.1.
void Connection::send_continue() {
  if (std::exchange(continue_due_, false)) write("HTTP/1.1 100 Continue\r\n\r\n");
}

void Connection::on_body(std::string_view piece) {
  body_octets_ += piece.size();
  if (!sink_) return gather(piece);
  in_sink_ = true;
  sink_->on_body(piece);
  in_sink_ = false;
  if (state_ != State::kBody) sink_.reset();
}

// What comes slowly and in many connections at once must not add up to more memory than there is.
void Connection::gather(std::string_view piece) {
  body_.append(piece);
  around_.shared.body_octets += piece.size();
  if (body_.size() > kSmallBody && around_.shared.body_octets > kBodiesInMemory)
    refuse({503, "too many large forms are being sent at once; try again later"});
}

void Connection::release_body() {
  around_.shared.body_octets -= body_.size();
  std::string().swap(body_);
}

void Connection::on_request_end() {
  state_ = State::kAnswering;
  keep_alive_ = head_.keep_alive && !begun_;  // an answer that began before the body's end has said close
  waiting_since_ = Clock::now();
  std::shared_ptr<Answer> exchange = std::move(gathering_);
  if (sink_) {
    in_sink_ = true;
    sink_->on_body_end();
    in_sink_ = false;
    return sink_.reset();
  }
  Request& request = exchange->request();
  if (request.media_type == kFormType) {
    auto form = parse_parameters(body_);
    if (!form) {
      keep_alive_ = false;
      return refuse({400, "the form cannot be read"});
    }
    request.form = std::move(*form);
    release_body();
  } else {
    around_.shared.body_octets -= body_.size();
    request.body = std::move(body_);
    body_.clear();
  }
  around_.handler.on_request(std::move(exchange));
}

// ---- answering

static Response refusal_page(const Refusal& refusal) {
  Response response = short_page(refusal.status, status_text(refusal.status), sentence(refusal.why));
  if (refusal.status == 405) response.fields.emplace_back("Allow", "GET, HEAD, POST");
  if (refusal.status == 503) response.fields.emplace_back("Retry-After", "10");
  return response;
}

void Connection::refuse(const Refusal& refusal) {
  refuse(refusal_page(refusal), refusal.why, refusal.without_body || (exchange_ != nullptr && without_body_));
}

void Connection::refuse_clear_text() {
  std::uint16_t port = around_.shared.https_port;
  if (port == 0 && !tls_missed_) {
    return refuse(short_page(403, "Only with encryption",
                             "The web forms are not served without encryption. The Postmaster can set up a "
                             "service with tls=implicit, or allow it in the form System Security."),
                  "Web-Clear-Text", without_body_);
  }
  std::string link = fmt::format("https://{}", tls_missed_ ? head_.host : without_port(head_.host));
  if (port != 443 && !tls_missed_) link += fmt::format(":{}", port);
  refuse(short_page(403, "Only with encryption",
                    "The web forms are not served without encryption. Use this address instead:", link + "/"),
         "Web-Clear-Text", without_body_);
}

/// The request under way, or the octets that were to become one, get this answer, and nothing follows it.
void Connection::refuse(const Response& response, const char* why, bool without_body) {
  if (begun_) return exchange_->abort(why);
  keep_alive_ = false;
  ++around_.shared.failures;
  send(response, Framing::kLength, without_body);
  finish(why);
}

void Connection::send(const Response& response, Framing framing, bool without_body) {
  if (state_ != State::kAnswering || framing == Framing::kClose || stopping_) keep_alive_ = false;
  begun_ = true;
  chunked_ = framing == Framing::kChunked;
  status_ = response.status;
  octets_ = framing == Framing::kLength && !without_body ? response.body.size() : 0;
  waiting_since_ = Clock::now();
  write(render_head(response, {framing, response.body.size(), keep_alive_,
                               stream_.tls() || (exchange_ != nullptr && exchange_->request().https),
                               around_.shared.date}));
  if (framing == Framing::kLength && !without_body) write(response.body);
}

void Connection::write(std::string_view octets) {
  if (stream_.queued() == 0) answer_pace_.restart(Clock::now(), written_);
  written_ += octets.size();
  stream_.write(octets);
}

/// The answer is complete. The next request may come, or nothing more.
void Connection::finish(const char* why) {
  ++around_.shared.served;
  log_request(why);
  forget_exchange();
  if (!in_sink_) sink_.reset();
  release_body();
  begun_ = false;
  without_body_ = false;
  if (state_ == State::kClosing) return;
  if (!keep_alive_ || stopping_) return close();
  state_ = State::kIdle;
  idle_since_ = Clock::now();
  if (!processing_) update_reading();
}

void Connection::forget_exchange() {
  std::shared_ptr<Answer> keep = std::move(gathering_);
  if (exchange_ != nullptr) std::exchange(exchange_, nullptr)->cut_off();
}

void Connection::close() {
  state_ = State::kClosing;
  stream_.close_after_flush();
}

void Connection::log_request(const char* why) {
  any_request_ = true;
  const Request* request = exchange_ == nullptr ? nullptr : &exchange_->request();
  auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - request_since_);
  auto line = around_.log.event("http");
  line.kv("session", client_.session)
      .kv("client", po::address_text(request == nullptr ? client_.address : request->client))
      .kv("method", request == nullptr ? "-" : method_name(request->method))
      .kv("path", request == nullptr ? "-" : std::string_view(request->path).substr(0, kLoggedPath))
      .kv("status", status_)
      .kv("octets", octets_)
      .kv("ms", passed.count());
  if (request != nullptr && !po::same_host(request->client, client_.address))
    line.kv("proxy", po::address_text(client_.address));
  if (exchange_ != nullptr && !exchange_->account().empty()) line.kv("account", exchange_->account());
  if (why != nullptr) line.kv("why", why);
}

// ---- time

void Connection::check_time(Clock::time_point now) {
  if (stream_.queued() == 0) answer_pace_.restart(now, written_);
  if (!answer_pace_.keeps(now, written_ - stream_.queued())) return stream_.close();
  switch (state_) {
    case State::kHandshake:
      if (now - started_ >= kHeadLimit) close_idle();
      return;
    case State::kIdle:
      if (head_since_ && now - *head_since_ >= kHeadLimit) {
        request_since_ = *head_since_;
        return refuse({408, "the header did not come within 10 seconds"});
      }
      if (!head_since_ && now - idle_since_ >= kKeepAlive) close_idle();
      return;
    case State::kBody:
      if (body_paused_) return check_answer_time(now);
      if (!body_pace_.keeps(now, body_octets_)) refuse({408, "the body comes too slowly"});
      return;
    case State::kAnswering:
      return check_answer_time(now);
    case State::kNaming:   // the resolver has its own limit
    case State::kClosing:  // so has the stream
      return;
  }
}

void Connection::check_answer_time(Clock::time_point now) {
  if (stream_.queued() > 0) {
    waiting_since_ = now;  // it is the client that is waited for
  } else if (now - waiting_since_ < Exchange::kAnswerLimit) {
    return;
  } else if (begun_) {
    exchange_->abort("the rest of the answer did not come in time");
  } else {
    refuse({503, "the answer could not be made in time; try again later"});
  }
}

}  // namespace wwwd
