#include "wwwd/pipes.h"

#include <catch2/catch.hpp>

#include "office.h"

using namespace wwwd_test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

struct Ends {
  po::Loop loop;
  po::Log log;
  wwwd::Pipes pipes{loop, log, 100ms};

  std::unique_ptr<Played> connect(Role role) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    pipes.connect(role, po::Fd(fds[0]));
    return std::make_unique<Played>(loop, po::Fd(fds[1]));
  }
  void turn(std::chrono::milliseconds time = 20ms) {
    po::Event end;
    end.after(loop, time, [this] { loop.stop(); });
    loop.run();
  }
};

}  // namespace

TEST_CASE("what only asks is asked again on a new pipe") {
  Ends ends;
  auto accounts = ends.connect(Role::kAccounts);
  accounts->hears<WebLook>([](auto, const auto&) {});
  std::string address;
  ends.pipes.ask<WebLook>({}, [&](WebSession& s) { address = s.address; });
  ends.turn();
  CHECK(accounts->asked == std::vector<std::uint16_t>{WebLook::kType});
  accounts.reset();
  ends.turn();
  CHECK(address.empty());
  accounts = ends.connect(Role::kAccounts);
  accounts->answers<WebLook, WebSession>([](const WebLook&) {
    WebSession s;
    s.address = "jane@podunk.edu";
    return s;
  });
  ends.turn();
  CHECK(address == "jane@podunk.edu");
}

TEST_CASE("what changes something is never sent twice") {
  Ends ends;
  auto accounts = ends.connect(Role::kAccounts);
  accounts->hears<WebSubmitForm>([](auto, const auto&) {});
  int calls = 0;
  WebDone got;
  ends.pipes.ask<WebSubmitForm>({}, [&](WebDone& done) { ++calls, got = done; });
  ends.turn();
  accounts.reset();
  ends.turn();
  CHECK(calls == 1);
  CHECK(got.standing == WebStanding::kUnavailable);
  CHECK(has(got.text, "Look whether it was"));
  accounts = ends.connect(Role::kAccounts);
  ends.turn();
  CHECK(accounts->asked.empty());
  CHECK(calls == 1);
}

TEST_CASE("without a pipe a question waits, and a change that was never sent is sent then") {
  Ends ends;
  int calls = 0;
  ends.pipes.ask<WebUndo>({}, [&](WebDone& done) { calls += done.standing == WebStanding::kGood ? 1 : 100; });
  ends.turn();
  CHECK(calls == 0);
  auto accounts = ends.connect(Role::kAccounts);
  accounts->answers<WebUndo, WebDone>([](const WebUndo&) {
    WebDone done;
    done.standing = WebStanding::kGood;
    return done;
  });
  ends.turn();
  CHECK(calls == 1);
}

TEST_CASE("a question that waits too long is answered: unavailable") {
  Ends ends;
  std::vector<WebStanding> got;
  ends.pipes.ask<WebLook>({}, [&](WebSession& s) { got.push_back(s.standing); });
  std::uint8_t code = 0;
  ends.pipes.carry_out(Role::kQueue, "order", [&](const CommandOutput& o) { code = o.exit_code; });
  ends.turn(150ms);
  CHECK(got == std::vector{WebStanding::kUnavailable});
  CHECK(code == 75);
}

TEST_CASE("what is over its bound is never sent: it is answered from the loop, and the pipe is kept") {
  Ends ends;
  std::unique_ptr<Played> accounts;
  bool connected = GENERATE(true, false);
  if (connected) accounts = ends.connect(Role::kAccounts);
  WebLook look;
  look.caller.token = std::string(2048, 't');
  WebMakePassword make;
  make.name = std::string(3000, 'n');
  WebCommand command;
  command.words = {"import"};
  command.input = std::string(WebCommand::kMax, 'i');
  std::vector<WebStanding> got;
  std::string text;
  std::vector<CommandOutput> printed;
  ends.pipes.ask<WebLook>(look, [&](WebSession& s) { got.push_back(s.standing); });
  ends.pipes.ask<WebMakePassword>(make, [&](WebDone& d) { got.push_back(d.standing), text = d.text; });
  ends.pipes.command(command, [&](const CommandOutput& o) { printed.push_back(o); });
  std::uint32_t given_up = ends.pipes.command(command, [&](const CommandOutput& o) { printed.push_back(o); });
  ends.pipes.abandon(Role::kAccounts, given_up);
  CHECK(got.empty());
  CHECK(printed.empty());
  if (!connected) accounts = ends.connect(Role::kAccounts);
  ends.turn();
  CHECK(got == std::vector{WebStanding::kUnavailable, WebStanding::kUnavailable});
  CHECK(text == "What was sent is too long.");
  REQUIRE(printed.size() == 1);
  CHECK(printed[0].end);
  CHECK(printed[0].exit_code == 1);
  CHECK(printed[0].err == "What was sent is too long.\n");
  CHECK(accounts->asked.empty());
  CHECK_FALSE(ends.pipes.hopeless(Clock::now() + 1h));
}

TEST_CASE("output comes in pieces, to the end or until nobody wants it") {
  Ends ends;
  auto queue = ends.connect(Role::kQueue);
  std::uint32_t serial = 0;
  std::string order;
  queue->hears<CarryOut>([&](std::uint32_t s, const CarryOut& c) { serial = s, order = c.order; });
  std::string out;
  std::uint32_t number =
      ends.pipes.carry_out(Role::kQueue, "sealed", [&](const CommandOutput& o) { out += o.out; });
  ends.turn();
  CHECK(order == "sealed");
  CommandOutput piece;
  piece.out = "a";
  piece.end = false;
  queue->send(serial, piece);
  ends.turn();
  ends.pipes.abandon(Role::kQueue, number);
  queue->send(serial, piece);
  piece.end = true;
  queue->send(serial, piece);
  ends.turn();
  CHECK(out == "a");
  CHECK(queue->asked == std::vector<std::uint16_t>{CarryOut::kType, Abandon::kType});
}

TEST_CASE("output can be given up from inside a piece") {
  Ends ends;
  auto queue = ends.connect(Role::kQueue);
  std::uint32_t serial = 0, number = 0;
  queue->hears<CarryOut>([&](std::uint32_t s, const CarryOut&) { serial = s; });
  int pieces = 0;
  number = ends.pipes.carry_out(Role::kQueue, "sealed", [&](const CommandOutput&) {
    ++pieces;
    ends.pipes.abandon(Role::kQueue, number);
  });
  ends.turn();
  CommandOutput piece;
  piece.end = false;
  queue->send(serial, piece);
  queue->send(serial, piece);
  ends.turn();
  CHECK(pieces == 1);
}

TEST_CASE("what nobody asked for drops the pipe, and what was open is told") {
  Ends ends;
  auto accounts = ends.connect(Role::kAccounts);
  accounts->hears<WebRemove>([](auto, const auto&) {});
  int calls = 0;
  ends.pipes.ask<WebRemove>({}, [&](WebDone&) { ++calls; });
  ends.turn();
  accounts->send(9999, WebDone{});
  ends.turn();
  CHECK(calls == 1);
  CHECK(ends.pipes.hopeless(Clock::now() + 41s));
  accounts = ends.connect(Role::kAccounts);
  CHECK_FALSE(ends.pipes.hopeless(Clock::now() + 1h));
}
