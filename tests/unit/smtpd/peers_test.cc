// The two pipes, over real socket pairs: lost answers above all.
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <functional>
#include <optional>

#include "smtpd/accounts_client.h"
#include "smtpd/queue_client.h"

using namespace po::messages;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

struct Heard final : smtpd::Waiter {
  std::optional<Verdict> verdict;
  std::optional<Submitted> submitted;
  std::optional<BodyFile> body;
  std::optional<bool> usage_known;
  std::optional<std::pair<bool, std::uint64_t>> started;
  std::uint64_t octets = 0;
  void on_verdict(const Verdict& v) override { verdict = v; }
  void on_usage(bool known, std::uint64_t n) override {
    usage_known = known;
    octets = n;
  }
  void on_body_file(const BodyFile& b, po::Fd) override { body = b; }
  void on_started(bool known, std::uint64_t messages) override { started = {known, messages}; }
  void on_submitted(const Submitted& s) override { submitted = s; }
};

/// The other end of a pipe: keeps what came, answers when told.
struct Far {
  std::unique_ptr<po::Channel> channel;
  std::vector<std::pair<std::uint16_t, std::uint32_t>> frames;
  po::MessageId id;
};

struct Wires {
  po::Loop loop;
  po::Log log;

  po::Fd make(Far& far) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    far.channel = std::make_unique<po::Channel>(
        loop, po::Fd(fds[0]),
        [&far](po::Frame& f) {
          far.frames.emplace_back(f.type, f.serial);
          AskStored ask;
          if (f.decode(ask)) far.id = ask.id;
          return true;
        },
        [](std::string_view) {});
    return po::Fd(fds[1]);
  }
  void turn(std::chrono::milliseconds time = 20ms) {
    po::Event end;
    bool over = false;
    end.after(loop, time, [&] { over = true; });
    while (!over) event_base_loop(loop.base(), EVLOOP_ONCE);
  }
};

Submit message(std::uint8_t n) {
  Submit m;
  m.id.octets[11] = n;
  m.body = "x";
  m.size = 1;
  return m;
}

}  // namespace

TEST_CASE("queue: answers find their way back") {
  Wires w;
  Far far;
  Heard a, b;
  smtpd::QueueClient queue(w.loop, w.log);
  CHECK_FALSE(queue.ready());
  queue.submit(message(1), a);
  w.turn();
  REQUIRE(a.submitted);
  CHECK(a.submitted->kind == po::Kind::kTemporary);
  a.submitted.reset();

  queue.connect(w.make(far));
  CHECK(queue.ready());
  queue.submit(message(1), a);
  queue.ask_usage(9, b);
  w.turn();
  REQUIRE(far.frames.size() == 2);
  Usage usage{true, 9, 1, 77};
  far.channel->send(far.frames[1].second, usage);
  Submitted done;
  done.id = message(1).id;
  done.kind = po::Kind::kDone;
  far.channel->send(far.frames[0].second, done);
  w.turn();
  REQUIRE(a.submitted);
  CHECK(a.submitted->kind == po::Kind::kDone);
  CHECK(b.octets == 77);
  CHECK(queue.cached_usage(9) == 77U);
  CHECK(queue.pending() == 0);
}

TEST_CASE("queue: a pipe that breaks before the answer") {
  Wires w;
  Heard a, b, c;
  smtpd::QueueClient queue(w.loop, w.log);
  auto far = std::make_unique<Far>();
  queue.connect(w.make(*far));
  auto generation = queue.generation();
  queue.submit(message(1), a);
  queue.ask_usage(9, b);
  queue.open_body(message(2).id, c);
  w.turn();
  far.reset();
  w.turn();
  CHECK(queue.generation() != generation);
  CHECK_FALSE(a.submitted);  // neither yes nor no
  CHECK(b.usage_known == false);
  REQUIRE(c.body);
  CHECK(c.body->kind == po::Kind::kTemporary);

  Far next;
  Stored stored;
  stored.id = message(1).id;
  SECTION("the store has it: 250") {
    queue.connect(w.make(next));
    w.turn();
    REQUIRE(next.frames.size() == 1);
    CHECK(next.id == message(1).id);
    stored.known = stored.stored = true;
    next.channel->send(next.frames[0].second, stored);
    w.turn();
    REQUIRE(a.submitted);
    CHECK(a.submitted->kind == po::Kind::kDone);
  }
  SECTION("the store has it not: 451") {
    queue.connect(w.make(next));
    w.turn();
    stored.known = true;
    next.channel->send(next.frames.at(0).second, stored);
    w.turn();
    REQUIRE(a.submitted);
    CHECK(a.submitted->kind == po::Kind::kTemporary);
  }
  SECTION("the store cannot say: asked again") {
    queue.connect(w.make(next));
    w.turn();
    next.channel->send(next.frames.at(0).second, stored);
    w.turn();
    CHECK_FALSE(a.submitted);
    queue.tick(Clock::now());
    w.turn();
    REQUIRE(next.frames.size() == 2);
    stored.known = stored.stored = true;
    next.channel->send(next.frames[1].second, stored);
    w.turn();
    REQUIRE(a.submitted);
    CHECK(a.submitted->kind == po::Kind::kDone);
  }
  SECTION("no new pipe: 451 after 30 s") {
    queue.tick(Clock::now() + 29s);
    CHECK_FALSE(a.submitted);
    queue.tick(Clock::now() + 31s);
    REQUIRE(a.submitted);
    CHECK(a.submitted->kind == po::Kind::kTemporary);
  }
  SECTION("a new pipe that says nothing: 451 after 30 s") {
    queue.connect(w.make(next));
    w.turn();
    queue.tick(Clock::now() + 31s);
    REQUIRE(a.submitted);
    CHECK(a.submitted->kind == po::Kind::kTemporary);
  }
  SECTION("the client is gone") {
    queue.forget(a);
    queue.tick(Clock::now() + 31s);
    CHECK_FALSE(a.submitted);
    CHECK(queue.pending() == 0);
  }
}

TEST_CASE("queue: an answer to a question that was not asked closes the pipe") {
  Wires w;
  Far far;
  Heard a;
  smtpd::QueueClient queue(w.loop, w.log);
  queue.connect(w.make(far));
  queue.submit(message(1), a);
  w.turn();
  Submitted other;
  other.id = message(2).id;
  other.kind = po::Kind::kDone;
  far.channel->send(far.frames.at(0).second, other);
  w.turn();
  CHECK_FALSE(queue.ready());
  CHECK_FALSE(a.submitted);
  CHECK(queue.pending() == 1);
}

TEST_CASE("accounts: asked again on a new pipe, unavailable without one") {
  Wires w;
  Heard a;
  smtpd::AccountsClient accounts(w.loop, w.log);
  auto far = std::make_unique<Far>();
  accounts.connect(w.make(*far));
  Authenticate question;
  question.login = "jane";
  accounts.authenticate(question, a);
  w.turn();
  CHECK(far->frames.size() == 1);
  far.reset();
  w.turn();
  CHECK_FALSE(a.verdict);
  SECTION("asked again") {
    Far next;
    accounts.connect(w.make(next));
    w.turn();
    REQUIRE(next.frames.size() == 1);
    Verdict v;
    v.answer = Answer::kGranted;
    v.account = 3;
    next.channel->send(next.frames[0].second, v);
    w.turn();
    REQUIRE(a.verdict);
    CHECK(a.verdict->account == 3);
  }
  SECTION("not in time") {
    accounts.tick(Clock::now() + 4s);
    CHECK_FALSE(a.verdict);
    accounts.tick(Clock::now() + 6s);
    REQUIRE(a.verdict);
    CHECK(a.verdict->answer == Answer::kUnavailable);
  }
  SECTION("the client is gone") {
    accounts.forget(a);
    accounts.tick(Clock::now() + 6s);
    CHECK_FALSE(a.verdict);
  }
}

TEST_CASE("a pipe that broke and is not replaced is given up after all restarts would have been over") {
  Wires wires;
  Far queue, accounts;
  smtpd::QueueClient to_queue(wires.loop, wires.log);
  smtpd::AccountsClient to_accounts(wires.loop, wires.log);
  CHECK_FALSE(to_queue.hopeless(Clock::now() + 1h));  // not connected yet is not lost
  to_queue.connect(wires.make(queue));
  to_accounts.connect(wires.make(accounts));
  queue.channel.reset();
  accounts.channel.reset();
  wires.turn();
  CHECK_FALSE(to_queue.hopeless(Clock::now() + 30s));
  CHECK(to_queue.hopeless(Clock::now() + 41s));
  CHECK(to_accounts.hopeless(Clock::now() + 41s));
  to_queue.connect(wires.make(queue));
  CHECK_FALSE(to_queue.hopeless(Clock::now() + 1h));
}
