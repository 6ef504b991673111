// A Connection on a real socket with pages played by this process, in one loop; the client is a thread that
// reads and writes as clients do.
#include "wwwd/connection.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "lib/net_address.h"

namespace {

using namespace wwwd;
using namespace std::chrono_literals;
using Clock = Connection::Clock;

/// For the loop's side, while the client's thread makes the assertions: those of Catch2 are for one thread.
void must(bool ok) {
  if (!ok) po::panic("connection_test: the scene is broken");
}

class Browser {
 public:
  explicit Browser(po::Fd fd) : fd_(std::move(fd)) {
    timeval limit{20, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Browser() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  void say(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      long n = ssl_ != nullptr ? SSL_write(ssl_, text.data() + at, static_cast<int>(text.size() - at))
                               : ::send(fd_.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<std::size_t>(n);
    }
  }
  bool start_tls() {
    context_ = SSL_CTX_new(TLS_client_method());
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_.get());
    return SSL_connect(ssl_) == 1;
  }
  bool fill() {
    char buffer[65536];
    long n =
        ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof buffer) : ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    in_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
  std::string take(std::size_t size) {
    while (in_.size() < size && fill()) continue;
    std::string out = in_.substr(0, size);
    in_.erase(0, size);
    return out;
  }
  std::string until(const std::string& mark) {
    std::size_t end;
    while ((end = in_.find(mark)) == std::string::npos && fill()) continue;
    return end == std::string::npos ? take(in_.size()) : take(end + mark.size());
  }
  /// The next answer's head; with its length, its body is read too.
  std::string answer() {
    head_ = until("\r\n\r\n");
    std::size_t length = head_.find("Content-Length: ");
    body_ = length == std::string::npos || no_body ? "" : take(std::stoul(head_.substr(length + 16)));
    return head_.substr(0, head_.find("\r\n"));
  }
  [[nodiscard]] const std::string& head() const { return head_; }
  [[nodiscard]] const std::string& body() const { return body_; }
  [[nodiscard]] bool closes() const { return head_.find("\r\nConnection: close\r\n") != std::string::npos; }
  std::string chunked() {
    std::string all;
    for (;;) {
      std::size_t size = std::stoul("0" + until("\r\n"), nullptr, 16);
      all += take(size);
      if (take(2) != "\r\n") return "(broken)";
      if (size == 0) return all;
    }
  }
  bool ended() {
    while (fill()) continue;
    return in_.empty();
  }
  void hang_up() { fd_.reset(); }
  bool no_body = false;  ///< the question was HEAD

 private:
  po::Fd fd_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  std::string in_, head_, body_;
};

/// Counts what it gets, in pieces if told to.
class Counter final : public BodySink {
 public:
  Counter(std::shared_ptr<Exchange> exchange, const po::Loop& loop, bool slowly)
      : exchange_(std::move(exchange)), loop_(loop), slowly_(slowly) {}
  void on_body(std::string_view piece) override {
    total_ += piece.size();
    if (exchange_->request().path == "/import-refused") {
      return exchange_->answer(short_page(409, "No", "No."));
    }
    if (!slowly_) return;
    exchange_->pause_body();
    again_.after(loop_, 1ms, [exchange = exchange_.get()] { exchange->resume_body(); });
  }
  void on_body_end() override {
    Response response;
    response.body = std::to_string(total_);
    exchange_->answer(std::move(response));
  }

 private:
  std::shared_ptr<Exchange> exchange_;
  const po::Loop& loop_;
  bool slowly_;
  std::size_t total_ = 0;
  po::Event again_;
};

/// Pages for all that a page can do.
class Pages final : public Handler {
 public:
  explicit Pages(const po::Loop& loop) : loop_(loop) {}

  void on_request(std::shared_ptr<Exchange> exchange) override {
    const Request& r = exchange->request();
    ++asked;
    if (r.path == "/never") return;
    if (r.path == "/later") {
      kept = std::move(exchange);
      timer_.after(loop_, 5ms, [this] { std::exchange(kept, nullptr)->answer(text("later")); });
    } else if (r.path == "/kept") {
      kept = std::move(exchange);
    } else if (r.path == "/long") {
      write_long(std::move(exchange));
    } else if (r.path == "/broken") {
      exchange->begin(text("half"));
      exchange->abort("test");
    } else if (r.path == "/half-dropped") {
      exchange->begin(text("half"));
    } else if (r.path == "/big") {
      exchange->answer(text(std::string(3 << 20, 'x')));
    } else {
      std::string shown = std::string(method_name(r.method)) + " " + r.path;
      for (const auto& [name, value] : r.query) shown += " ?" + name + "=" + value;
      for (const auto& [name, value] : r.form) shown += " " + name + "=" + value;
      shown +=
          " [" + r.body + "] " + po::address_text(r.client) + (r.https ? " https " : " http ") + r.origin;
      exchange->set_account("janie");
      exchange->answer(text(shown));
    }
  }
  std::unique_ptr<BodySink> stream_body(const std::shared_ptr<Exchange>& exchange, std::uint64_t) override {
    const std::string& path = exchange->request().path;
    if (path == "/import-not") {
      exchange->answer(short_page(403, "No", "No."));
      return nullptr;
    }
    if (!path.starts_with("/import")) return nullptr;
    return std::make_unique<Counter>(exchange, loop_, path == "/import-slowly");
  }
  void on_peer(const po::messages::Peer&, po::Fd) override {}
  bool hopeless(Clock::time_point) const override { return false; }

  static Response text(std::string body) {
    Response response;
    response.type = "text/plain";
    response.body = std::move(body);
    return response;
  }

  std::shared_ptr<Exchange> kept;
  std::size_t asked = 0;

 private:
  /// 200 pieces of 10,000 octets, never more than the stream likes to hold.
  void write_long(std::shared_ptr<Exchange> exchange) {
    exchange->begin(text("begin\n"));
    auto left = std::make_shared<int>(200);
    auto pump = [exchange, left] {
      while (*left > 0 && exchange->queued() <= po::Stream::kHighWater) {
        --*left;
        exchange->write(std::string(10'000, 'y'));
      }
      if (*left == 0) exchange->end();
    };
    exchange->on_drained(pump);
    pump();
  }
  const po::Loop& loop_;
  po::Event timer_;
};

class Scene {
 public:
  explicit Scene(bool tls = false) : resolver_(loop_, po::ResolverOptions{}), pages(loop_) {
    if (tls) make_context();
    int fds[2];
    must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
    server_ = po::Fd(fds[0]);
    browser_ = std::make_unique<Browser>(po::Fd(fds[1]));
    shared.date = http_date(784111777);
    log_.listen([this](std::string_view line) { log += std::string(line) + "\n"; });
    client_address = *po::parse_address("127.0.0.1");
  }
  /// Until the connection is gone and the client is done.
  void run(const std::function<void(Browser&)>& client) {
    ::signal(SIGPIPE, SIG_IGN);  // as Module does
    connection = std::make_unique<Connection>(Surroundings{loop_, log_, resolver_, pages, shared},
                                              Client{1, "session", client_address}, tls_, std::move(server_),
                                              [this](std::uint64_t) { connection.reset(); });
    std::thread thread([&] {
      client(*browser_);
      browser_->hang_up();
      done_ = true;
    });
    connection->start();
    tick_.every(loop_, 5ms, [this] {
      if (connection && on_tick) on_tick();
      if (connection == nullptr && done_) loop_.stop();
    });
    too_long_.after(loop_, 30s, [this] { loop_.stop(); });
    loop_.run();
    thread.join();
    CHECK(connection == nullptr);
    CHECK(shared.body_octets == 0);
  }
  /// As if so much time had passed, once `when` holds.
  void late(std::chrono::seconds by, std::function<bool()> when) {
    on_tick = [this, by, when] {
      if (when()) connection->check_time(Clock::now() + by);
    };
  }

 private:
  void make_context() {
    auto certificate = po::make_self_signed("mail.example");
    must(certificate.has_value());
    po::messages::Certificates certificates;
    certificates.certificates.push_back(*certificate);
    auto context = po::TlsContext::make(certificates);
    must(context.has_value());
    tls_ = *context;
  }
  po::Loop loop_;
  po::Log log_;
  po::Resolver resolver_;
  std::shared_ptr<const po::TlsContext> tls_;
  po::Fd server_;
  std::unique_ptr<Browser> browser_;
  po::Event tick_, too_long_;
  std::atomic<bool> done_ = false;

 public:
  Pages pages;
  Shared shared;
  std::string log;
  po::messages::NetAddress client_address;
  std::unique_ptr<Connection> connection;
  std::function<void()> on_tick;
};

std::string get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: mail.example\r\n" + std::string(fields) + "\r\n";
}
std::string post(std::string_view path, std::string_view body, std::string_view fields = "",
                 std::string_view type = "application/x-www-form-urlencoded") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: mail.example\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}

}  // namespace

TEST_CASE("questions and answers on one connection") {
  Scene scene;
  scene.run([](Browser& b) {
    b.say(get("/a%20b?x=1&y"));
    CHECK(b.answer() == "HTTP/1.1 200 OK");
    CHECK(b.body() == "GET /a b ?x=1 ?y= [] 127.0.0.1 http http://mail.example");
    CHECK_FALSE(b.closes());
    CHECK(b.head().find("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n") != std::string::npos);
    b.say(post("/form", "a=b+c&d=%21"));
    CHECK(b.answer() == "HTTP/1.1 200 OK");
    CHECK(b.body() == "POST /form a=b c d=! [] 127.0.0.1 http http://mail.example");
    b.say(post("/text", "plain", "", "Text/Plain; charset=utf-8"));
    b.answer();
    CHECK(b.body() == "POST /text [plain] 127.0.0.1 http http://mail.example");
    b.say(get("/last", "Connection: close\r\n"));
    b.answer();
    CHECK(b.closes());
    CHECK(b.ended());
  });
  CHECK(scene.shared.served == 4);
  CHECK(scene.log.find(
            "event=http session=session client=127.0.0.1 method=GET path=\"/a b\" status=200 octets=") !=
        std::string::npos);
  CHECK(scene.log.find("account=janie") != std::string::npos);
  CHECK(scene.log.find("x=1") == std::string::npos);
}

TEST_CASE("pipelined questions are answered in order") {
  Scene scene;
  scene.run([](Browser& b) {
    b.say(get("/1") + get("/later") + post("/3", "a=b") + get("/big") + get("/5", "Connection: close\r\n"));
    for (std::string_view begin : {"GET /1", "later", "POST /3", "xxx", "GET /5"}) {
      CHECK(b.answer() == "HTTP/1.1 200 OK");
      CHECK(b.body().starts_with(begin));
    }
    CHECK(b.ended());
  });
}

TEST_CASE("octet by octet") {
  Scene scene;
  scene.run([](Browser& b) {
    for (char c : get("/1") + post("/2", "a=b") + get("/3", "Connection: close\r\n"))
      b.say(std::string(1, c));
    for (std::string_view begin : {"GET /1", "POST /2 a=b", "GET /3"}) {
      b.answer();
      CHECK(b.body().starts_with(begin));
    }
  });
}

TEST_CASE("HEAD has the length and not the body") {
  Scene scene;
  scene.run([](Browser& b) {
    b.no_body = true;
    b.say("HEAD /big HTTP/1.1\r\nHost: a\r\n\r\nHEAD /long HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(b.answer() == "HTTP/1.1 200 OK");
    CHECK(b.head().find("Content-Length: 3145728\r\n") != std::string::npos);
    CHECK(b.answer() == "HTTP/1.1 200 OK");
    CHECK(b.head().find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    b.say("HEAD / HTTP/1.1\r\n\r\n");
    CHECK(b.answer() == "HTTP/1.1 400 Bad Request");
    CHECK(b.ended());
  });
}

TEST_CASE("a refusal ends the connection") {
  struct Case {
    std::string said, status;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\n", "HTTP/1.1 400 Bad Request"},
      {"GET / HTTP/1.1\r\n\r\n" + get("/second"), "HTTP/1.1 400 Bad Request"},
      {"PUT / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"},
      {post("/", "%"), "HTTP/1.1 400 Bad Request"},
      {post("/", "{}", "", "application/json"), "HTTP/1.1 415 Unsupported Media Type"},
      {post("/", "a=b", "", "multipart/form-data; boundary=x"), "HTTP/1.1 415 Unsupported Media Type"},
      {post("/", "a=b", "Origin: https://evil.example\r\n"), "HTTP/1.1 403 Forbidden"},
      {post("/", "a=b", "Sec-Fetch-Site: cross-site\r\n"), "HTTP/1.1 403 Forbidden"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1048577\r\n\r\n",
       "HTTP/1.1 413 Content Too Large"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "HTTP/1.1 501 Not Implemented"},
  };
  for (const Case& c : cases) {
    INFO(c.said);
    Scene scene;
    scene.run([&](Browser& b) {
      b.say(c.said);
      CHECK(b.answer() == c.status);
      CHECK(b.closes());
      CHECK(b.head().find("\r\nContent-Security-Policy: default-src 'none';") != std::string::npos);
      CHECK((b.head().find("\r\nAllow: GET, HEAD, POST\r\n") != std::string::npos) ==
            (c.status.find("405") != std::string::npos));
      CHECK(b.ended());
    });
    CHECK(scene.pages.asked == 0);
  }
}

TEST_CASE("a form of our own page is taken") {
  Scene scene;
  scene.run([](Browser& b) {
    b.say(post("/", "a=b",
               "Origin: http://mail.example\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n"));
    CHECK(b.answer() == "HTTP/1.1 200 OK");
  });
}

TEST_CASE("an answer of unknown length") {
  Scene scene;
  scene.run([](Browser& b) {
    b.say(get("/long") + get("/next"));
    b.answer();
    CHECK(b.chunked() == "begin\n" + std::string(2'000'000, 'y'));
    b.answer();
    CHECK(b.body().starts_with("GET /next"));
    b.say("GET /long HTTP/1.0\r\nHost: a\r\n\r\n");
    b.answer();
    CHECK(b.closes());
    CHECK(b.head().find("chunked") == std::string::npos);
    CHECK(b.take(3'000'000) == "begin\n" + std::string(2'000'000, 'y'));
  });
}

TEST_CASE("an answer that breaks off does not look whole") {
  for (std::string_view path : {"/broken", "/half-dropped"}) {
    Scene scene;
    scene.run([&](Browser& b) {
      b.say(get(path));
      CHECK(b.until("0\r\n\r\n").find("\r\n0\r\n\r\n") == std::string::npos);
    });
    CHECK(scene.log.find("answer-broken-off") != std::string::npos);
  }
}

TEST_CASE("a page that says nothing has said 500") {
  Scene scene;
  scene.run([](Browser& b) {
    b.say(get("/never") + get("/next"));
    CHECK(b.answer() == "HTTP/1.1 500 Internal Server Error");
    CHECK(b.answer() == "HTTP/1.1 200 OK");
  });
  CHECK(scene.log.find("event=not-answered") != std::string::npos);
}

TEST_CASE("a client that goes leaves a deaf exchange behind") {
  Scene scene;
  std::atomic<bool> asked = false, gone = false;
  bool drained = false;
  int done = 0;
  scene.on_tick = [&] {
    if (!asked && scene.pages.kept) scene.pages.kept->on_done([&] { ++done; });
    asked = scene.pages.kept != nullptr;
    // While it waits, nothing is read: that the client has gone is seen when it is written to.
    if (!gone || scene.pages.kept->done()) return;
    scene.pages.kept->on_drained([&] { drained = true; });
    scene.pages.kept->begin(Pages::text("half"));
  };
  scene.run([&](Browser& b) {
    b.say(get("/kept"));
    while (!asked) ::usleep(1000);
    b.hang_up();
    gone = true;
  });
  REQUIRE(scene.pages.kept);
  Exchange& deaf = *scene.pages.kept;
  CHECK(deaf.done());
  CHECK(done == 1);
  deaf.on_done([&] { done += 10; });
  CHECK(done == 11);
  deaf.write("more");
  deaf.pause_body();
  deaf.resume_body();
  deaf.look_up_name([&] { drained = true; });
  deaf.wait_longer();
  deaf.end();
  deaf.abort("late");
  deaf.answer(Pages::text("late"));
  CHECK(deaf.queued() == 0);
  CHECK_FALSE(drained);
  CHECK(scene.log.find("why=\"the client has gone\"") != std::string::npos);
}

TEST_CASE("an exchange that was answered is done") {
  Scene scene;
  std::vector<bool> done;
  scene.on_tick = [&] {
    if (!scene.pages.kept) return;
    auto exchange = std::exchange(scene.pages.kept, nullptr);
    exchange->on_done([&, kept = exchange.get()] { done.push_back(kept->done()); });
    exchange->answer(Pages::text("now"));
  };
  scene.run([&](Browser& b) {
    b.say(get("/kept"));
    CHECK(b.answer() == "HTTP/1.1 200 OK");
  });
  CHECK(done == std::vector<bool>{true});
}

TEST_CASE("bodies that stream") {
  for (std::string path : {"/import", "/import-slowly"}) {
    Scene scene;
    scene.run([&](Browser& b) {
      std::string body(path == "/import" ? 5 << 20 : 300'000, 'z');
      b.say(post(path, body, "", "text/plain"));
      CHECK(b.answer() == "HTTP/1.1 200 OK");
      CHECK(b.body() == std::to_string(body.size()));
      CHECK_FALSE(b.closes());
      b.say(post(path, "", "", "text/plain") + get("/next", "Connection: close\r\n"));
      b.answer();
      CHECK(b.body() == "0");
      b.answer();
      CHECK(b.body().starts_with("GET /next"));
    });
  }
}

TEST_CASE("a body that is refused on its way") {
  for (std::string path : {"/import-refused", "/import-not"}) {
    Scene scene;
    scene.run([&](Browser& b) {
      b.say("POST " + path +
            " HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nabc");
      CHECK(b.answer() == (path == "/import-not" ? "HTTP/1.1 403 Forbidden" : "HTTP/1.1 409 Conflict"));
      CHECK(b.closes());
      CHECK(b.ended());
    });
  }
}

TEST_CASE("100 Continue") {
  Scene scene;
  scene.run([](Browser& b) {
    b.say(
        "POST /f HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nExpect: "
        "100-continue\r\n\r\n");
    CHECK(b.until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    b.say("abc");
    CHECK(b.answer() == "HTTP/1.1 200 OK");
    CHECK(b.body().starts_with("POST /f [abc]"));
    b.say(
        "POST /import-not HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
        "Expect: 100-continue\r\n\r\n");
    CHECK(b.answer() == "HTTP/1.1 403 Forbidden");
  });
}

TEST_CASE("TLS") {
  Scene scene(true);
  scene.run([](Browser& b) {
    REQUIRE(b.start_tls());
    b.say(get("/a") + get("/b", "Connection: close\r\n"));
    CHECK(b.answer() == "HTTP/1.1 200 OK");
    CHECK(b.body() == "GET /a [] 127.0.0.1 https https://mail.example");
    CHECK(b.head().find("\r\nStrict-Transport-Security: max-age=31536000\r\n") != std::string::npos);
    CHECK(b.answer() == "HTTP/1.1 200 OK");
  });
}

TEST_CASE("clear text where TLS is spoken") {
  Scene scene(true);
  scene.run([](Browser& b) {
    b.say("GET / HTTP/1.1\r\nHost: mail.example:81\r\n\r\n");
    CHECK(b.answer() == "HTTP/1.1 403 Forbidden");
    CHECK(b.body().find("\"https://mail.example:81/\"") != std::string::npos);
    CHECK(b.ended());
  });
  CHECK(scene.pages.asked == 0);
  Scene gone(true);
  gone.run([](Browser&) {});
  Scene silent(true);
  silent.late(Connection::kHeadLimit, [] { return true; });
  silent.run([](Browser& b) { CHECK(b.ended()); });
}

TEST_CASE("clear text from elsewhere is shown the way") {
  for (std::uint16_t port : {0, 443, 8443}) {
    Scene scene;
    scene.client_address = *po::parse_address("192.0.2.1");
    scene.shared.https_port = port;
    scene.run([&](Browser& b) {
      b.say(get("/"));
      CHECK(b.answer() == "HTTP/1.1 403 Forbidden");
      std::string want = port == 443 ? "\"https://mail.example/\"" : "\"https://mail.example:8443/\"";
      CHECK((b.body().find(want) != std::string::npos) == (port != 0));
      CHECK(b.ended());
    });
    CHECK(scene.pages.asked == 0);
  }
}

TEST_CASE("who may use the forms, behind a proxy too") {
  directory::Settings settings;
  settings.web_limit = {"192.0.2.0/24"};
  settings.trusted_proxies = {"127.0.0.0/8"};
  auto status = [&](std::string_view fields) {
    Scene scene;
    scene.shared.policy = Policy::of(settings);
    std::string got;
    scene.run([&](Browser& b) {
      b.say(get("/", std::string(fields) + "Connection: close\r\n"));
      got = b.answer().substr(9, 3);
      if (got == "200") got += b.body().substr(b.body().find(']') + 1);
    });
    return got;
  };
  CHECK(status("") == "403");
  CHECK(status("X-Forwarded-For: 192.0.3.1\r\nX-Forwarded-Proto: https\r\n") == "403");
  CHECK(status("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n") ==
        "200 192.0.2.1 https https://mail.example");
  CHECK(status("X-Forwarded-For: 192.0.2.1\r\n") == "403");  // without encryption
  CHECK(status("X-Forwarded-For: nonsense\r\n") == "400");
}

TEST_CASE("a name that decides and cannot be found") {
  directory::Settings settings;
  settings.web_limit = {"podunk.edu"};
  Scene scene;
  scene.shared.policy = Policy::of(settings);
  scene.run([](Browser& b) {
    b.say(get("/") + get("/"));
    CHECK(b.answer() == "HTTP/1.1 403 Forbidden");  // no resolver: the hosts file alone, which has none
    CHECK(b.ended());
  });
  CHECK(scene.pages.asked == 0);
}

TEST_CASE("time limits") {
  struct Case {
    std::string said, status;  ///< status is empty: closed without a word
    std::chrono::seconds late;
  };
  const Case cases[] = {
      {"", "", Connection::kKeepAlive},
      {"GET / HTTP/1.1\r\nHos", "HTTP/1.1 408 Request Timeout", Connection::kHeadLimit},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 90000\r\n\r\nabc",
       "HTTP/1.1 408 Request Timeout", Connection::kBodyPace.stretch},
      {get("/kept"), "HTTP/1.1 503 Service Unavailable", Exchange::kAnswerLimit},
  };
  for (const Case& c : cases) {
    INFO(c.said);
    Scene scene;
    std::atomic<bool> said = false;
    int ticks = 0;
    scene.late(c.late, [&] { return said && ++ticks > 3; });
    scene.run([&](Browser& b) {
      b.say(c.said);
      said = true;
      if (!c.status.empty()) {
        CHECK(b.answer() == c.status);
        CHECK(b.closes());
      }
      CHECK(b.ended());
    });
  }
}

TEST_CASE("not too early") {
  for (std::string said : {"", "GET / HTTP/1.1\r\nHos"}) {
    Scene scene;
    scene.late((said.empty() ? Connection::kKeepAlive : Connection::kHeadLimit) - 2s, [] { return true; });
    scene.run([&](Browser& b) {
      b.say(said);
      ::usleep(50'000);
      b.say(said.empty() ? get("/x") : "t: a\r\n\r\n");
      CHECK((b.answer() == "HTTP/1.1 200 OK" || b.head().starts_with("HTTP/1.1 400")));
      CHECK((said.empty() || b.head().starts_with("HTTP/1.1 200")));
    });
  }
}

TEST_CASE("a client that does not read is not waited for") {
  Scene scene;
  std::chrono::seconds late = 0s;
  scene.on_tick = [&] {
    if (scene.pages.asked == 0) return;
    scene.connection->check_time(Clock::now() + late);
    late += Connection::kAnswerPace.stretch;
  };
  scene.run([&](Browser& b) {
    b.say(get("/big"));
    ::usleep(200'000);
    std::string got = b.take(10 << 20);
    CHECK(got.size() < (3 << 20));
  });
}

TEST_CASE("too much in many bodies at once") {
  Scene scene;
  scene.shared.body_octets = Connection::kBodiesInMemory;
  scene.run([&](Browser& b) {
    b.say(post("/small", "a=" + std::string(1000, 'b')));
    CHECK(b.answer() == "HTTP/1.1 200 OK");
    b.say(post("/large", "a=" + std::string(20'000, 'b')));
    CHECK(b.answer() == "HTTP/1.1 503 Service Unavailable");
    CHECK(b.ended());
    scene.shared.body_octets -= Connection::kBodiesInMemory;
  });
}

TEST_CASE("a stop lets an answer finish") {
  Scene scene;
  bool stopped = false;
  scene.on_tick = [&] {
    if (stopped || !scene.pages.kept) return;
    stopped = true;
    scene.connection->stop();
    std::exchange(scene.pages.kept, nullptr)->answer(Pages::text("done"));
  };
  scene.run([&](Browser& b) {
    b.say(get("/kept"));
    b.answer();
    CHECK(b.body() == "done");
    CHECK(b.closes());
    CHECK(b.ended());
  });
  Scene idle;
  idle.on_tick = [&] { idle.connection->stop(); };
  idle.run([](Browser& b) { CHECK(b.ended()); });
}
