#include "lib/stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace po {

using Clock = std::chrono::steady_clock;

static constexpr auto kLingerLimit = std::chrono::seconds(2);
static constexpr int kReadsPerTurn = 4;

/// What one read or write came to.
enum class Io { kSome, kAgain, kEnd, kError };

struct Stream::Impl {
  enum class Phase { kOpen, kHandshake, kFlushing, kLingering, kDone };
  struct FreeSsl {
    void operator()(SSL* s) const { SSL_free(s); }
  };

  const Loop& loop;
  Fd fd;
  StreamHandler& handler;
  Phase phase = Phase::kOpen;
  std::shared_ptr<const TlsContext> context;
  bool client = false;
  std::string server_name;  // as a client
  std::unique_ptr<SSL, FreeSsl> ssl;
  std::string in;   // read, not consumed
  std::string out;  // from out_sent on: not written
  std::size_t out_sent = 0;
  bool paused = false, in_callback = false, over_high_water = false, tls_wanted = false, tls_up = false;
  bool spoke_clear = false;  ///< something was read or written
  bool discard_input = false, want_write_event = false, flush_scheduled = false, reading = false;
  std::string closed_why;
  std::chrono::seconds idle_limit{0};
  std::chrono::milliseconds flush_limit;
  Clock::time_point progress = Clock::now();
  Event readable, writable, soon_flush, soon_input, soon_closed, idle, deadline;

  Impl(const Loop& l, Fd socket, StreamHandler& h, std::chrono::milliseconds last_words)
      : loop(l), fd(std::move(socket)), handler(h), flush_limit(last_words) {}

  void watch_reading(bool on);
  void on_readable();
  void read_input();
  void give_input(std::string_view fresh);
  void on_soon_input();
  void drop_buffered_input();
  Io read_once(char* buffer, std::size_t size, std::size_t& got);
  Io write_once(std::string_view bytes, std::size_t& sent);
  Io tls_result(int result);
  void flush();
  void schedule_flush();
  void wait_writable(bool on);
  void want_tls(std::shared_ptr<const TlsContext> c);
  bool name_server();
  std::string why_no_handshake();
  void begin_handshake();
  void handshake();
  void after_flush();
  void on_end();
  void end_input();
  void linger();
  void on_idle_timer();
  void finish(std::string why);
};

Stream::Stream(const Loop& loop, Fd socket, StreamHandler& handler, std::chrono::milliseconds flush_limit)
    : impl_(std::make_unique<Impl>(loop, std::move(socket), handler, flush_limit)) {
  impl_->watch_reading(true);
}

Stream::~Stream() = default;

void Stream::Impl::watch_reading(bool on) {
  if (on == reading || phase == Phase::kDone) return;
  reading = on;
  if (on) {
    readable.on_readable(loop, fd.get(), [this] { on_readable(); });
  } else {
    readable.cancel();
  }
}

// ---- reading

Io Stream::Impl::tls_result(int result) {
  int e = SSL_get_error(ssl.get(), result);
  ERR_clear_error();
  if (e == SSL_ERROR_WANT_READ) return Io::kAgain;
  if (e == SSL_ERROR_WANT_WRITE) {
    wait_writable(true);
    return Io::kAgain;
  }
  return e == SSL_ERROR_ZERO_RETURN ? Io::kEnd : Io::kError;
}

Io Stream::Impl::read_once(char* buffer, std::size_t size, std::size_t& got) {
  if (ssl) {
    int n = SSL_read(ssl.get(), buffer, static_cast<int>(size));
    if (n <= 0) return tls_result(n);
    got = static_cast<std::size_t>(n);
    return Io::kSome;
  }
  ssize_t n = ::recv(fd.get(), buffer, size, MSG_DONTWAIT);
  if (n == 0) return Io::kEnd;
  if (n < 0) return errno == EAGAIN || errno == EINTR ? Io::kAgain : Io::kError;
  got = static_cast<std::size_t>(n);
  return Io::kSome;
}

void Stream::Impl::on_readable() {
  switch (phase) {
    case Phase::kOpen:
      return read_input();
    case Phase::kHandshake:
      return handshake();
    case Phase::kLingering:
      return linger();
    case Phase::kFlushing:
    case Phase::kDone:
      return watch_reading(false);
  }
}

// One buffer for all streams of the process: an idle connection holds none.
static char* scratch() {
  static const std::unique_ptr<char[]> buffer(new char[Stream::kInputBuffer]);
  return buffer.get();
}

void Stream::Impl::read_input() {
  for (int i = 0; i < kReadsPerTurn && phase == Phase::kOpen && !paused && !tls_wanted; ++i) {
    std::size_t room = kInputBuffer - in.size();
    if (room == 0) return finish("the handler took nothing of a full buffer");
    std::size_t got = 0;
    Io io = read_once(scratch(), room, got);
    if (io == Io::kAgain) return;
    if (io == Io::kError) return finish(ssl ? "TLS error or connection reset" : std::strerror(errno));
    if (io == Io::kEnd) return on_end();
    progress = Clock::now();
    spoke_clear = true;
    give_input({scratch(), got});
    if (!ssl && got < room) return;  // the socket is empty: spare the call that says so
  }
  // What TLS has decrypted already makes no descriptor readable.
  if (ssl && SSL_pending(ssl.get()) > 0 && phase == Phase::kOpen && !paused) {
    soon_input.soon(loop, [this] { on_soon_input(); });
  }
}

// A peer that closed only its half still gets the replies that it is due: those that are queued, and those
// that its handler waits for itself. The end of file stays readable, so a resumed stream comes here again.
void Stream::Impl::on_end() {
  in_callback = true;
  handler.on_end_of_input();
  in_callback = false;
  if (paused || phase != Phase::kOpen) return flush();
  if (out.size() == out_sent) return finish("end of file");
  closed_why = "end of file";
  end_input();
}

void Stream::Impl::give_input(std::string_view fresh) {
  in_callback = true;
  discard_input = false;
  if (in.empty()) {
    std::size_t used = handler.on_input(fresh);
    if (!discard_input && used < fresh.size()) in.assign(fresh.substr(used));
  } else {
    in.append(fresh);
    std::size_t used = handler.on_input(in);
    in.erase(0, std::min(used, in.size()));
  }
  if (discard_input) in.clear();
  if (in.empty() && in.capacity() > 4096) in.shrink_to_fit();
  in_callback = false;
  flush();
}

void Stream::pause_reading() {
  impl_->paused = true;
  if (impl_->phase == Impl::Phase::kOpen) impl_->watch_reading(false);
}

void Stream::resume_reading() {
  Impl& m = *impl_;
  if (!m.paused) return;
  m.paused = false;
  if (m.phase != Impl::Phase::kOpen) return;
  m.soon_input.soon(m.loop, [&m] { m.on_soon_input(); });
}

// Input that no descriptor announces: kept while reading was paused, or decrypted already. An Event keeps the
// first callback that it was given, so all who use soon_input come here.
void Stream::Impl::on_soon_input() {
  if (phase != Phase::kOpen || paused || tls_wanted) return on_readable();
  if (!in.empty()) give_input({});
  if (phase != Phase::kOpen || paused) return;
  watch_reading(true);
  if (ssl) read_input();
}

// ---- writing

void Stream::write(std::string_view bytes) {
  Impl& m = *impl_;
  if (m.phase == Impl::Phase::kDone || m.phase == Impl::Phase::kLingering || bytes.empty()) return;
  m.spoke_clear = true;
  m.out.append(bytes);
  if (m.out.size() - m.out_sent > kHighWater) m.over_high_water = true;
  if (!m.in_callback) m.schedule_flush();
}

std::size_t Stream::queued() const {
  return impl_->out.size() - impl_->out_sent;
}

void Stream::Impl::schedule_flush() {
  if (flush_scheduled || want_write_event) return;
  flush_scheduled = true;
  soon_flush.soon(loop, [this] {
    flush_scheduled = false;
    flush();
  });
}

void Stream::Impl::wait_writable(bool on) {
  if (on == want_write_event) return;
  want_write_event = on;
  if (!on) return writable.cancel();
  writable.on_writable(loop, fd.get(), [this] {
    wait_writable(false);
    if (phase == Phase::kHandshake) return handshake();
    flush();
    if (ssl && phase == Phase::kOpen && !paused) on_readable();
  });
}

Io Stream::Impl::write_once(std::string_view bytes, std::size_t& sent) {
  if (ssl) {
    int n =
        SSL_write(ssl.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20)));
    if (n <= 0) return tls_result(n);
    sent = static_cast<std::size_t>(n);
    return Io::kSome;
  }
  ssize_t n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    wait_writable(true);
    return Io::kAgain;
  }
  if (n < 0) return Io::kError;
  sent = static_cast<std::size_t>(n);
  return Io::kSome;
}

void Stream::Impl::flush() {
  if (phase == Phase::kHandshake || phase == Phase::kLingering || phase == Phase::kDone) return;
  while (out_sent < out.size()) {
    std::size_t sent = 0;
    Io io = write_once(std::string_view(out).substr(out_sent), sent);
    if (io == Io::kAgain) return;
    if (io != Io::kSome) return finish("the connection is broken");
    out_sent += sent;
    progress = Clock::now();
    if (phase == Phase::kFlushing) deadline.after(loop, flush_limit, {});
  }
  out_sent = 0;
  if (out.capacity() > 4096) {
    std::string().swap(out);
  } else {
    out.clear();
  }
  after_flush();
}

/// All is written: what waited for that comes now.
void Stream::Impl::after_flush() {
  if (tls_wanted && phase == Phase::kOpen) return begin_handshake();
  if (phase == Phase::kFlushing) {
    if (ssl) SSL_shutdown(ssl.get());
    return linger();
  }
  if (!over_high_water) return;
  over_high_water = false;
  in_callback = true;
  handler.on_drained();
  in_callback = false;
  if (out.size() > out_sent) schedule_flush();
}

// ---- TLS

void Stream::start_tls(std::shared_ptr<const TlsContext> context) {
  impl_->want_tls(std::move(context));
}

void Stream::connect_tls(std::shared_ptr<const TlsContext> context, const std::string& name) {
  impl_->client = true;
  impl_->server_name = name;
  impl_->want_tls(std::move(context));
}

void Stream::Impl::want_tls(std::shared_ptr<const TlsContext> c) {
  if (phase != Phase::kOpen || ssl) return;
  context = std::move(c);
  tls_wanted = true;
  if (spoke_clear) drop_buffered_input();  // else it is implicit TLS: what has arrived is the handshake
  watch_reading(false);                    // a client that does not take our answer must not keep us busy
  if (!in_callback) schedule_flush();
}

/// Whom we want to speak with: told to the server (not an address, RFC 6066 3) and sought in its certificate.
bool Stream::Impl::name_server() {
  if (server_name.starts_with('[')) {
    std::string number = server_name.substr(1, server_name.size() - 2);
    if (number.starts_with("IPv6:") || number.starts_with("ipv6:")) number.erase(0, 5);
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), number.c_str()) == 1;
  }
  return SSL_set_tlsext_host_name(ssl.get(), server_name.c_str()) == 1 &&
         SSL_set1_host(ssl.get(), server_name.c_str()) == 1;
}

// Whatever the client sent after STARTTLS and before our answer may come from somebody in between; none of it
// may be taken for something said under TLS, nor be acted on in clear (RFC 3207 4.2, CVE-2011-0411).
void Stream::Impl::drop_buffered_input() {
  discard_input = true;
  if (!in_callback) in.clear();
  if (phase != Phase::kOpen || !reading) return;
  static constexpr int kMost = 16;
  char junk[4096];
  for (int i = 0; i<kMost&& ::recv(fd.get(), junk, sizeof junk, MSG_DONTWAIT)> 0; ++i) continue;
}

void Stream::Impl::begin_handshake() {
  tls_wanted = false;
  ssl.reset(SSL_new(context->get()));
  if (!ssl || SSL_set_fd(ssl.get(), fd.get()) != 1) return finish("TLS cannot be started");
  if (client && !name_server()) return finish("TLS cannot be started");
  if (client) {
    SSL_set_connect_state(ssl.get());
  } else {
    SSL_set_accept_state(ssl.get());
  }
  phase = Phase::kHandshake;
  watch_reading(true);
  handshake();
}

void Stream::Impl::handshake() {
  int n = SSL_do_handshake(ssl.get());
  if (n != 1) {
    if (int e = SSL_get_error(ssl.get(), n); e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
      return finish(why_no_handshake());
    (void)tls_result(n);
    return;
  }
  progress = Clock::now();
  phase = Phase::kOpen;
  tls_up = true;
  if (paused) watch_reading(false);
  in_callback = true;
  handler.on_tls();
  in_callback = false;
  flush();
  if (phase == Phase::kOpen && !paused) soon_input.soon(loop, [this] { on_soon_input(); });
}

std::string Stream::Impl::why_no_handshake() {
  std::string why = "the TLS handshake failed";
  long verified = SSL_get_verify_result(ssl.get());
  if (client && SSL_get_verify_mode(ssl.get()) != SSL_VERIFY_NONE && verified != X509_V_OK) {
    why += std::string(": the certificate is not good for this host (") +
           X509_verify_cert_error_string(verified) + ")";
  } else if (const char* reason = ERR_reason_error_string(ERR_peek_last_error());
             client && reason != nullptr) {
    why += std::string(": ") + reason;
  }
  ERR_clear_error();
  return why;
}

bool Stream::tls() const {
  return impl_->tls_up;
}
std::string Stream::tls_version() const {
  return impl_->tls_up ? SSL_get_version(impl_->ssl.get()) : "";
}
std::string Stream::tls_cipher() const {
  return impl_->tls_up ? SSL_get_cipher_name(impl_->ssl.get()) : "";
}

// ---- idle and closing

void Stream::set_idle(std::chrono::seconds limit) {
  Impl& m = *impl_;
  m.progress = Clock::now();
  if (limit == m.idle_limit) return;
  m.idle_limit = limit;
  if (limit.count() == 0) return m.idle.cancel();
  m.idle.after(m.loop, limit, [&m] { m.on_idle_timer(); });
}

// Progress only notes the time; the timer looks at it when it runs, so that busy streams do not touch it.
void Stream::Impl::on_idle_timer() {
  if (phase == Phase::kDone || phase == Phase::kLingering) return;
  auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - progress);
  if (passed + std::chrono::milliseconds(1) < idle_limit) {
    return idle.after(loop, idle_limit - passed, [this] { on_idle_timer(); });
  }
  if (phase == Phase::kHandshake) return finish("the TLS handshake took too long");
  in_callback = true;
  handler.on_idle();
  in_callback = false;
  flush();
}

void Stream::close_after_flush() {
  Impl& m = *impl_;
  if (m.phase == Impl::Phase::kHandshake) return m.finish("closed in the TLS handshake");
  if (m.phase != Impl::Phase::kOpen) return;
  m.closed_why = "closed";
  m.end_input();
  if (!m.in_callback) m.schedule_flush();
}

void Stream::Impl::end_input() {
  phase = Phase::kFlushing;
  watch_reading(false);
  deadline.after(loop, flush_limit, [this] { finish("the peer did not take our last words"); });
}

// Closing a socket that has unread octets sends a reset, which may destroy our last reply on its way: so what
// is still coming is read and thrown away for a moment.
void Stream::Impl::linger() {
  char junk[4096];
  if (phase == Phase::kFlushing) {
    ssize_t n = ::recv(fd.get(), junk, sizeof junk, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && in.empty())) return finish(closed_why);
    phase = Phase::kLingering;
    ::shutdown(fd.get(), SHUT_WR);
    deadline.after(loop, kLingerLimit, [this] { finish(closed_why); });
    watch_reading(true);
  }
  for (int i = 0; i < kReadsPerTurn; ++i) {
    ssize_t n = ::recv(fd.get(), junk, sizeof junk, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return finish(closed_why);
    if (n < 0) return;
  }
}

void Stream::close() {
  impl_->finish("closed");
}

void Stream::Impl::finish(std::string why) {
  if (phase == Phase::kDone) return;
  watch_reading(false);
  phase = Phase::kDone;
  closed_why = std::move(why);
  for (Event* e : {&writable, &soon_flush, &soon_input, &idle, &deadline}) e->cancel();
  soon_closed.soon(loop, [this] {
    fd.reset();  // ssl stays for the handler's last questions (tls_version), and goes with the Stream
    std::string last = std::move(closed_why);
    handler.on_closed(last);
  });
}

}  // namespace po
