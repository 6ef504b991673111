#include "lib/stream.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <catch2/catch.hpp>

#include <ctime>
#include <string>

using namespace po;
using namespace std::chrono_literals;

namespace {

/// Answers each line in upper case; "tls" starts TLS, "quit" ends.
struct Echo : StreamHandler {
  Loop& loop;
  std::shared_ptr<const TlsContext> context;
  std::unique_ptr<Stream> stream;
  std::vector<std::string> lines;
  std::string closed;
  bool tls_up = false;

  Echo(Loop& l, Fd fd, std::chrono::milliseconds flush_limit = Stream::kFlushLimit)
      : loop(l), stream(std::make_unique<Stream>(l, std::move(fd), *this, flush_limit)) {}
  std::size_t on_input(std::string_view input) override {
    std::size_t used = 0;
    for (std::size_t end; (end = input.find('\n', used)) != std::string_view::npos; used = end + 1) {
      lines.emplace_back(input.substr(used, end - used));
      stream->write("ok " + lines.back() + "\n");
      if (lines.back() == "tls") {
        stream->start_tls(context);
        return end + 1;
      }
      if (lines.back() == "quit") stream->close_after_flush();
    }
    return used;
  }
  void on_tls() override { tls_up = true; }
  void on_idle() override {
    stream->write("idle\n");
    stream->close_after_flush();
  }
  void on_closed(std::string_view why) override {
    closed = why;
    stream.reset();
    loop.stop();
  }
};

struct Pair {
  Fd server, client;
  Pair() {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    server = Fd(fds[0]);
    client = Fd(fds[1]);
  }
};

std::string read_all(int fd) {
  char buffer[65536];
  ssize_t n = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : "";
}

}  // namespace

TEST_CASE("stream: pieces, replies, and the last words before closing") {
  Loop loop;
  Pair pair;
  Echo echo(loop, std::move(pair.server));
  Event step;
  std::string to_send = "one\ntwo\nquit\n";
  step.every(loop, 1ms, [&] {
    if (to_send.empty()) return;
    REQUIRE(::send(pair.client.get(), to_send.data(), 1, 0) == 1);
    to_send.erase(0, 1);
  });
  loop.run();
  CHECK(echo.lines == std::vector<std::string>{"one", "two", "quit"});
  CHECK(read_all(pair.client.get()) == "ok one\nok two\nok quit\n");
  CHECK(echo.closed == "closed");
}

TEST_CASE("stream: a silent client is told and let go") {
  Loop loop;
  Pair pair;
  Echo echo(loop, std::move(pair.server));
  echo.stream->set_idle(1s);
  loop.run();
  CHECK(read_all(pair.client.get()) == "idle\n");
}

TEST_CASE("stream: what was sent in clear after the command that starts TLS is forgotten") {
  Loop loop;
  Pair pair;
  Echo echo(loop, std::move(pair.server));
  auto certificate = make_self_signed("mail.example");
  REQUIRE(certificate);
  messages::Certificates all;
  all.certificates.push_back(*certificate);
  all.ticket_keys.push_back({});
  auto context = TlsContext::make(all);
  REQUIRE(context);
  CHECK(*certificate_days_left(certificate->chain) > 3600);
  echo.context = *context;

  std::string sent = "tls\ninjected\nagain";
  REQUIRE(::send(pair.client.get(), sent.data(), sent.size(), 0) > 0);
  SSL_CTX* client_ctx = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(client_ctx);
  SSL_set_fd(ssl, pair.client.get());
  SSL_set_connect_state(ssl);
  SSL_set_tlsext_host_name(ssl, "mail.example");
  Event step;
  bool clear_read = false;
  bool said = false;
  std::string got;
  step.every(loop, 1ms, [&] {
    if (!clear_read) {
      std::string reply = read_all(pair.client.get());
      if (reply.empty()) return;
      CHECK(reply == "ok tls\n");
      clear_read = true;
    }
    if (SSL_do_handshake(ssl) != 1) return;
    if (!said) said = SSL_write(ssl, "hello\nquit\n", 11) == 11;
    char buffer[4096];
    int n = SSL_read(ssl, buffer, sizeof buffer);
    if (n > 0) got.append(buffer, static_cast<std::size_t>(n));
  });
  loop.run();
  char buffer[4096];
  for (int n; (n = SSL_read(ssl, buffer, sizeof buffer)) > 0;)
    got.append(buffer, static_cast<std::size_t>(n));
  CHECK(echo.lines == std::vector<std::string>{"tls", "hello", "quit"});
  CHECK(got == "ok hello\nok quit\n");
  CHECK(echo.tls_up);
  SSL_free(ssl);
  SSL_CTX_free(client_ctx);
}

TEST_CASE("tls: a key that does not match is refused by name") {
  auto a = make_self_signed("a.example");
  auto b = make_self_signed("b.example");
  messages::Certificates all;
  all.certificates.push_back({a->chain, b->key});
  auto context = TlsContext::make(all);
  REQUIRE_FALSE(context);
  CHECK(context.error().text.find("certificate 1") == 0);
  CHECK_FALSE(TlsContext::make({}));
  CHECK_FALSE(certificate_days_left("nonsense"));
}

namespace {

/// Answers "later" some turns of the loop afterwards, as a server does that asks another process first.
struct Slow : StreamHandler {
  Loop& loop;
  Event answer;
  std::unique_ptr<Stream> stream;
  bool waiting = false;
  std::string closed;

  Slow(Loop& l, Fd fd) : loop(l), stream(std::make_unique<Stream>(l, std::move(fd), *this)) {}
  std::size_t on_input(std::string_view input) override {
    waiting = true;
    answer.after(loop, 20ms, [this] {
      waiting = false;
      stream->write("answer\n");
      stream->resume_reading();
    });
    return input.size();
  }
  void on_end_of_input() override {
    if (waiting) stream->pause_reading();
  }
  void on_idle() override {}
  void on_closed(std::string_view why) override {
    closed = why;
    stream.reset();
    loop.stop();
  }
};

/// Fills what the kernel keeps for a client that does not read, and `more` beyond it.
void stuff(Stream& stream, std::size_t more) {
  stream.write(std::string((1U << 20) + more, 'x'));
}

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

}  // namespace

TEST_CASE("stream: who closes only their half still gets the answer that is being made") {
  Loop loop;
  Pair pair;
  Slow slow(loop, std::move(pair.server));
  REQUIRE(::send(pair.client.get(), "question\n", 9, 0) == 9);
  REQUIRE(::shutdown(pair.client.get(), SHUT_WR) == 0);
  loop.run();
  CHECK(read_all(pair.client.get()) == "answer\n");
  CHECK(slow.closed == "end of file");
}

TEST_CASE("stream: a client that does not take the answer to STARTTLS costs no time") {
  Loop loop;
  Pair pair;
  Echo echo(loop, std::move(pair.server));
  stuff(*echo.stream, 0);
  Event say_tls, say_more, end;
  say_tls.after(loop, 20ms, [&] { REQUIRE(::send(pair.client.get(), "tls\n", 4, 0) == 4); });
  say_more.after(loop, 50ms, [&] { REQUIRE(::send(pair.client.get(), "more\n", 5, 0) == 5); });
  double before = cpu_seconds();
  end.after(loop, 600ms, [&] { loop.stop(); });
  loop.run();
  CHECK(echo.lines == std::vector<std::string>{"tls"});
  CHECK(cpu_seconds() - before < 0.25);
}

TEST_CASE("stream: last words are let go at the pace of a slow client") {
  Loop loop;
  Pair pair;
  Echo echo(loop, std::move(pair.server), 2s);  // less than all takes, more than a busy machine stands still
  std::size_t expected = 1U << 20, got = 0;
  echo.stream->write(std::string(expected, 'x'));
  echo.stream->close_after_flush();
  Event step;
  char piece[16384];
  auto take = [&] {
    ssize_t n = ::recv(pair.client.get(), piece, sizeof piece, MSG_DONTWAIT);
    if (n > 0) got += static_cast<std::size_t>(n);
    return n > 0;
  };
  step.every(loop, 60ms, take);
  loop.run();
  while (take()) continue;
  CHECK(got == expected);
}

namespace {

/// The client's half of the same: shakes hands at once.
struct Caller : StreamHandler {
  Loop& loop;
  Stream stream;
  bool tls_up = false;
  std::string got, closed;
  Caller(Loop& l, Fd fd) : loop(l), stream(l, std::move(fd), *this) {}
  std::size_t on_input(std::string_view input) override {
    got += input;
    loop.stop();
    return input.size();
  }
  void on_tls() override {
    tls_up = true;
    stream.write("hello\n");
  }
  void on_idle() override {}
  void on_closed(std::string_view why) override {
    closed = why;
    loop.stop();
  }
};

/// What comes of it: "ok hello\n", or why not.
std::string call(const messages::Certificate& certificate, const std::string& authorities,
                 const std::string& name) {
  Loop loop;
  Pair pair;
  messages::Certificates all;
  all.certificates.push_back(certificate);
  Echo echo(loop, std::move(pair.server));
  echo.stream->start_tls(*TlsContext::make(all));
  Caller caller(loop, std::move(pair.client));
  auto context = TlsContext::make_client(authorities);
  REQUIRE(context);
  caller.stream.connect_tls(*context, name);
  loop.run();
  if (!caller.tls_up && caller.closed.empty()) loop.run();
  return caller.tls_up && !caller.got.empty() ? caller.got : caller.closed;
}

}  // namespace

TEST_CASE("stream: as a TLS client") {
  auto theirs = make_self_signed("mail.example");
  auto other = make_self_signed("mail.example");
  REQUIRE((theirs && other));
  CHECK(call(*theirs, "", "mail.example") == "ok hello\n");
  CHECK(call(*theirs, "", "another.example") == "ok hello\n");
  CHECK(call(*theirs, "", "[192.0.2.1]") == "ok hello\n");
  // A certificate in the list of authorities counts as its own.
  CHECK(call(*theirs, theirs->chain, "mail.example") == "ok hello\n");
  CHECK(call(*theirs, "garbage\n" + other->chain + theirs->chain, "mail.example") == "ok hello\n");
  CHECK(call(*theirs, theirs->chain, "another.example") ==
        "the TLS handshake failed: the certificate is not good for this host (hostname mismatch)");
  CHECK(call(*theirs, theirs->chain, "[192.0.2.1]") ==
        "the TLS handshake failed: the certificate is not good for this host (IP address mismatch)");
  CHECK(call(*theirs, other->chain, "mail.example").starts_with("the TLS handshake failed: "));
  CHECK_FALSE(TlsContext::make_client("garbage"));
}
