// A Connection on a real socket, with accounts and queue played by this process over real pipes, in one loop;
// the client is a thread that reads and writes as clients do.
#include "pop3d/connection.h"

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

#include "pop3d/pipes.h"

namespace {

using namespace po::messages;

po::MessageId id_of(unsigned n) {
  po::MessageId id;
  for (int i = 11; i > 7; --i, n >>= 8) id.octets[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(n);
  return id;
}

/// For the loop's side, while the client's thread makes the assertions: those of Catch2 are for one thread.
void must(bool ok) {
  if (!ok) po::panic("connection_test: the scene is broken");
}

std::pair<po::Fd, po::Fd> socket_pair() {
  int fds[2];
  must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
  return {po::Fd(fds[0]), po::Fd(fds[1])};
}

/// The blocking end of a client, with or without TLS.
class Mua {
 public:
  explicit Mua(po::Fd fd) : fd_(std::move(fd)) {
    timeval limit{20, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Mua() {
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
  std::string line() {
    std::size_t end;
    while ((end = in_.find("\r\n", at_)) == std::string::npos) {
      if (!fill()) return "(end)";
    }
    std::string line = in_.substr(at_, end - at_);
    at_ = end + 2;
    if (at_ > (1 << 20)) {
      in_.erase(0, at_);
      at_ = 0;
    }
    return line;
  }
  std::string multi_line() {
    std::string all;
    for (std::string l = line(); l != "." && l != "(end)"; l = line()) {
      all += (l.starts_with('.') ? l.substr(1) : l) + "\r\n";
    }
    return all;
  }
  bool ended() {
    while (fill()) continue;
    return true;
  }
  void hang_up() { fd_.reset(); }

 private:
  po::Fd fd_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  std::string in_;
  std::size_t at_ = 0;
};

/// accounts, queue and one connection.
class Scene {
 public:
  explicit Scene(bool implicit_tls = false) : pipes_(loop_, log_), resolver_(loop_, po::ResolverOptions{}) {
    connect_accounts();
    connect_queue();
    auto certificate = po::make_self_signed("mail.example");
    REQUIRE(certificate);
    Certificates certificates;
    certificates.certificates.push_back(*certificate);
    auto tls = po::TlsContext::make(certificates);
    REQUIRE(tls);
    auto [server, client] = socket_pair();
    client_ = std::make_unique<Mua>(std::move(client));
    pop3d::Conditions conditions;
    conditions.hostname = "mail.example";
    conditions.loopback = true;
    conditions.tls_available = true;
    conditions.implicit_tls = implicit_tls;
    connection_ = std::make_unique<pop3d::Connection>(
        pop3d::Surroundings{loop_, log_, pipes_, resolver_, totals_}, pop3d::Client{1, "session", {}},
        conditions, std::chrono::seconds(600), *tls, std::move(server),
        [this](std::uint64_t) { connection_.reset(); });
  }
  /// Until the connection is gone and the client is done.
  void run(const std::function<void(Mua&)>& client) {
    ::signal(SIGPIPE, SIG_IGN);  // as Module does
    std::thread thread([&] {
      client(*client_);
      client_->hang_up();
      client_done_ = true;
    });
    if (late_start) ::usleep(20'000);
    connection_->start();
    tick_.every(loop_, std::chrono::milliseconds(5), [this] {
      if (on_tick) on_tick();
      bool over = connection_ == nullptr && client_done_;
      if (over && ++ticks_after_ == 3) loop_.stop();  // the last frames have arrived
    });
    too_long_.after(loop_, std::chrono::seconds(30), [this] { loop_.stop(); });
    loop_.run();
    thread.join();
    CHECK(connection_ == nullptr);
  }
  void connect_accounts() {
    auto [here, there] = socket_pair();
    ::fcntl(there.get(), F_SETFL, O_NONBLOCK);
    accounts_ = std::make_unique<po::Channel>(
        loop_, std::move(there), [this](po::Frame& f) { return on_accounts(f); }, [](std::string_view) {});
    pipes_.connect(Role::kAccounts, std::move(here));
  }
  void connect_queue() {
    auto [here, there] = socket_pair();
    ::fcntl(there.get(), F_SETFL, O_NONBLOCK);
    queue_ = std::make_unique<po::Channel>(
        loop_, std::move(there), [this](po::Frame& f) { return on_queue(f); }, [](std::string_view) {});
    pipes_.connect(Role::kQueue, std::move(here));
  }
  void kill_accounts() { accounts_.reset(); }
  void kill_queue() { queue_.reset(); }
  pop3d::Connection* connection() { return connection_.get(); }

  std::function<void()> on_tick;
  bool late_start = false;
  std::vector<std::string> bodies;  ///< message n is bodies[n - 1]
  std::atomic<unsigned> authenticated{0}, opened{0}, closed{0}, expunged{0}, retrieved{0};
  std::atomic<bool> accounts_silent{false}, queue_silent{false}, cut_files_short{false};

 private:
  bool on_accounts(po::Frame& frame) {
    Authenticate question;
    must(frame.decode(question));
    ++authenticated;
    if (accounts_silent) return true;
    Verdict verdict;
    verdict.answer = question.password == "secret" ? Answer::kGranted : Answer::kDenied;
    verdict.ticket = "ticket";
    accounts_->send(frame.serial, verdict);
    return true;
  }
  bool on_queue(po::Frame& frame) {
    OpenMailbox open;
    Retrieve retrieve;
    Expunge expunge;
    CloseMailbox close;
    if (queue_silent) return true;
    if (frame.decode(open)) {
      ++opened;
      Mailbox mailbox;
      mailbox.kind = po::Kind::kDone;
      mailbox.handle = 5;
      for (unsigned n = 0; n < bodies.size(); ++n) mailbox.entries.push_back({id_of(n), bodies[n].size()});
      queue_->send(frame.serial, mailbox);
    } else if (frame.decode(retrieve)) {
      ++retrieved;
      send_message(frame.serial, retrieve.id);
    } else if (frame.decode(expunge)) {
      expunged += static_cast<unsigned>(expunge.ids.size());
      queue_->send(frame.serial, Expunged{po::Kind::kDone, ""});
    } else if (frame.decode(close)) {
      must(close.handle == 5);
      ++closed;
    } else {
      return false;
    }
    return true;
  }
  void send_message(std::uint32_t serial, const po::MessageId& id) {
    unsigned n = 0;
    while (id_of(n) != id) ++n;
    Message message;
    message.kind = po::Kind::kDone;
    message.id = id;
    message.body_size = bodies[n].size();
    if (bodies[n].size() <= kSmallBody) {
      message.body = bodies[n];
      return queue_->send(serial, message);
    }
    char name[] = "/tmp/pop3d_test_XXXXXX";
    po::Fd body(::mkstemp(name));
    ::unlink(name);
    std::size_t size = bodies[n].size();
    must(::write(body.get(), bodies[n].data(), size) == static_cast<ssize_t>(size));
    if (cut_files_short) must(::ftruncate(body.get(), static_cast<off_t>(size / 2)) == 0);
    queue_->send(serial, message, std::move(body));
  }

  po::Loop loop_;
  po::Log log_;
  pop3d::Pipes pipes_;
  po::Resolver resolver_;
  pop3d::Totals totals_;
  std::unique_ptr<po::Channel> accounts_, queue_;
  std::unique_ptr<pop3d::Connection> connection_;
  std::unique_ptr<Mua> client_;
  std::atomic<bool> client_done_{false};
  int ticks_after_ = 0;
  po::Event tick_, too_long_;
};

const char* const kGreeting = "+OK mail.example Post.Office POP3 server ready";

std::string log_in(Mua& mua) {
  mua.say("USER jane\r\nPASS secret\r\n");
  mua.line();
  return mua.line();
}

std::string large_body(std::size_t size) {
  std::string body = "Subject: large\r\n\r\n";
  for (unsigned n = 0; body.size() < size; ++n)
    body += (n % 3 == 0 ? ".line " : "line ") + std::to_string(n) + "\r\n";
  return body;
}

}  // namespace

TEST_CASE("a session over a socket") {
  Scene scene;
  scene.bodies = {"Subject: a\r\n\r\n.dot\r\n", large_body(3 << 20)};
  scene.run([&](Mua& mua) {
    CHECK(mua.line() == kGreeting);
    CHECK(log_in(mua).starts_with("+OK 2 messages"));
    mua.say("RETR 1\r\nRETR 2\r\nTOP 2 1\r\nLIST\r\nDELE 1\r\nQUIT\r\n");
    CHECK(mua.line() == "+OK 20 octets");
    CHECK(mua.multi_line() == scene.bodies[0]);
    mua.line();
    CHECK(mua.multi_line() == scene.bodies[1]);
    mua.line();
    CHECK(mua.multi_line() == "Subject: large\r\n\r\n.line 0\r\n");
    mua.line();
    CHECK(mua.multi_line().starts_with("1 20\r\n2 "));
    CHECK(mua.line() == "+OK message 1 is deleted at QUIT");
    CHECK(mua.line() == "+OK 1 messages deleted");
    CHECK(mua.line() == "(end)");
  });
  CHECK(scene.expunged == 1);
  CHECK(scene.closed == 1);
}

TEST_CASE("STLS, and octets that were pushed in behind it") {
  Scene scene;
  scene.bodies = {"a\r\n"};
  scene.run([&](Mua& mua) {
    mua.line();
    mua.say("STLS\r\nUSER mallory\r\nPASS x\r\n");
    CHECK(mua.line() == "+OK begin TLS negotiation");
    REQUIRE(mua.start_tls());
    mua.say("NOOP\r\n");
    CHECK(mua.line() == "-ERR log in first");
    CHECK(log_in(mua).starts_with("+OK"));
    mua.say("RETR 1\r\nQUIT\r\n");
    CHECK(mua.line() == "+OK 3 octets");
    CHECK(mua.multi_line() == "a\r\n");
    CHECK(mua.line() == "+OK goodbye");
  });
  CHECK(scene.authenticated == 1);
}

TEST_CASE("implicit TLS, with a handshake that came before we looked") {
  Scene scene(true);
  scene.late_start = true;
  scene.bodies = {large_body(1 << 20)};
  scene.run([&](Mua& mua) {
    REQUIRE(mua.start_tls());
    CHECK(mua.line() == kGreeting);
    CHECK(log_in(mua).starts_with("+OK"));
    mua.say("RETR 1\r\n");
    mua.line();
    CHECK(mua.multi_line() == scene.bodies[0]);
  });
  CHECK(scene.closed == 1);
  CHECK(scene.expunged == 0);
}

TEST_CASE("accounts is started again in the middle of a log-in") {
  Scene scene;
  scene.bodies = {"a\r\n"};
  scene.accounts_silent = true;
  int step = 0;
  scene.on_tick = [&] {
    if (step == 0 && scene.authenticated == 1) {
      scene.kill_accounts();
      step = 1;
    } else if (step == 1) {
      scene.accounts_silent = false;
      scene.connect_accounts();
      step = 2;
    }
  };
  scene.run([&](Mua& mua) {
    mua.line();
    CHECK(log_in(mua) == "+OK 1 messages, 3 octets");
  });
  CHECK(scene.authenticated == 2);
}

TEST_CASE("accounts stays away") {
  Scene scene;
  scene.kill_accounts();
  scene.run([&](Mua& mua) {
    mua.line();
    CHECK(log_in(mua) == "-ERR [SYS/TEMP] logging in is not possible now, try again later");
  });
}

TEST_CASE("queue is started again in the middle of a session") {
  Scene scene;
  scene.bodies = {"a\r\n", "b\r\n"};
  int step = 0;
  scene.on_tick = [&] {
    if (step == 0 && scene.retrieved >= 1) {
      step = 1;
      scene.kill_queue();
    } else if (step == 1) {
      step = 2;
      scene.connect_queue();
    }
  };
  scene.run([&](Mua& mua) {
    mua.line();
    log_in(mua);
    mua.say("DELE 1\r\nRETR 2\r\n");
    mua.line();
    CHECK(mua.line() == "+OK 3 octets");
    mua.multi_line();
    while (true) {  // until the end of the pipe was noticed
      mua.say("RETR 2\r\n");
      std::string answer = mua.line();
      if (answer == "-ERR [SYS/TEMP] the mailbox is not available any more, log in again") break;
      REQUIRE(answer == "+OK 3 octets");
      mua.multi_line();
    }
    mua.say("QUIT\r\n");
    CHECK(mua.line() == "-ERR [SYS/TEMP] the mailbox was lost, nothing deleted");
  });
  CHECK(scene.expunged == 0);
  CHECK(scene.closed == 0);
}

TEST_CASE("a body that ends too early is not passed off as whole") {
  Scene scene;
  scene.bodies = {large_body(1 << 20), "b\r\n"};
  scene.cut_files_short = true;
  scene.run([&](Mua& mua) {
    mua.line();
    log_in(mua);
    mua.say("RETR 1\r\nRETR 2\r\nQUIT\r\n");
    CHECK(mua.line() == "-ERR [SYS/TEMP] the message cannot be read now, try later");
    CHECK(mua.line() == "+OK 3 octets");
    mua.multi_line();
    CHECK(mua.line() == "+OK goodbye");
  });
}

TEST_CASE("time limits") {
  using Clock = pop3d::Connection::Clock;
  struct Case {
    bool log_in, silent_queue;
    std::chrono::seconds ahead;
    std::string answer;
    bool ends;
  };
  const Case cases[] = {
      {false, false, std::chrono::seconds(55), "", false},
      {false, false, std::chrono::seconds(61), "", true},
      {true, false, std::chrono::seconds(300), "", false},
      {true, false, std::chrono::seconds(601), "", true},
      {true, true, std::chrono::seconds(61), "-ERR [SYS/TEMP] the message cannot be read now, try later",
       false},
  };
  for (const Case& c : cases) {
    Scene scene;
    scene.bodies = {"a\r\n"};
    std::atomic<int> step{0};
    scene.on_tick = [&] {
      if (step != 1 || scene.connection() == nullptr) return;
      scene.connection()->check_time(Clock::now() + c.ahead);
      step = 2;
    };
    scene.run([&](Mua& mua) {
      CHECK(mua.line() == kGreeting);
      if (c.log_in) log_in(mua);
      if (c.silent_queue) {
        scene.queue_silent = true;
        mua.say("RETR 1\r\n");
        ::usleep(50'000);
      }
      step = 1;
      while (step == 1) ::usleep(1000);
      if (!c.answer.empty()) CHECK(mua.line() == c.answer);
      if (c.ends) CHECK(mua.line() == "(end)");  // RFC 1939 section 3: without a word
      if (!c.ends) mua.say("QUIT\r\n");
      if (!c.ends) CHECK(mua.line() == "+OK goodbye");
    });
    CHECK(scene.expunged == 0);
  }
}

TEST_CASE("ten thousand messages") {
  Scene scene;
  for (int i = 0; i < 10'000; ++i) {
    scene.bodies.push_back("Subject: " + std::to_string(i) + "\r\n\r\n" + std::string(100, 'x') + "\r\n");
  }
  scene.run([&](Mua& mua) {
    mua.line();
    log_in(mua);
    mua.say("LIST\r\nUIDL\r\n");
    mua.line();
    CHECK(mua.multi_line().size() > 60'000);
    mua.line();
    CHECK(mua.multi_line().size() > 200'000);
    std::string commands;
    for (int n = 1; n <= 10'000; ++n) commands += "RETR " + std::to_string(n) + "\r\n";
    std::thread writer([&] { mua.say(commands + "QUIT\r\n"); });
    bool same = true;
    for (int n = 0; n < 10'000; ++n) {
      mua.line();
      same = same && mua.multi_line() == scene.bodies[static_cast<std::size_t>(n)];
    }
    CHECK(same);
    CHECK(mua.line() == "+OK goodbye");
    writer.join();
  });
  CHECK(scene.retrieved == 10'000);
}
