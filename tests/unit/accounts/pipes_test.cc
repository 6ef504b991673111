#include "accounts/pipes.h"

#include <sys/socket.h>

#include <atomic>
#include <optional>
#include <thread>

#include "tests/unit/accounts/fixture.h"

using namespace po::messages;

namespace {

struct Bureau : Office {
  po::Loop loop;
  po::Log log;
  accounts::Threads writer{loop, 1};
  accounts::Authenticator authenticator{loop, *admin, writer, log, {}};
  accounts::Pipes pipes{loop, log, *admin, authenticator};

  /// What a peer of this role hears on one frame; nothing if it is dropped.
  template <class M>
  std::optional<po::BlockingChannel::Received> ask(Role role, const M& m) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    po::Fd ours(ends[0]);
    pipes.take({role, "peer", 1}, std::move(ours));
    std::optional<po::BlockingChannel::Received> heard;
    std::atomic<bool> done = false;
    std::thread peer([&] {
      po::BlockingChannel channel{po::Fd(ends[1])};
      if (channel.send(5, m))
        if (auto frame = channel.receive(10)) heard = std::move(*frame);
      done = true;
    });
    while (!done) event_base_loop(loop.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    peer.join();
    while (pipes.size() != 0) event_base_loop(loop.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    return heard;
  }
};

}  // namespace

TEST_CASE("a relay's password goes to smtp-deliver, and to nobody else") {
  Bureau bureau;
  bureau.good({"relay-password", "set", "relay.example", "janie"}, "Sur Fer!\n");
  auto heard = bureau.ask(Role::kSmtpDeliver, AskRelayPassword{"relay.example", "janie"});
  REQUIRE(heard);
  RelayPassword answer;
  REQUIRE(heard->decode(answer));
  CHECK(heard->serial == 5);
  CHECK(answer.found);
  CHECK(answer.password == "Sur Fer!");
  heard = bureau.ask(Role::kSmtpDeliver, AskRelayPassword{"relay.example", "jo"});
  REQUIRE(heard);
  REQUIRE(heard->decode(answer));
  CHECK_FALSE(answer.found);
  CHECK(answer.password.empty());
  for (Role role : {Role::kSmtpd, Role::kPop3d, Role::kQueue, Role::kCommand})
    CHECK_FALSE(bureau.ask(role, AskRelayPassword{"relay.example", "janie"}));
}

TEST_CASE("passwords of accounts are checked for smtpd and pop3d, and tickets given to pop3d alone") {
  Bureau bureau;
  Authenticate guess;
  guess.login = "postmaster";
  guess.password = "guess";
  Authenticate for_mailbox = guess;
  for_mailbox.mailbox = true;
  struct Row {
    Role role;
    const Authenticate& ask;
    bool answered;
  };
  const Row rows[] = {{Role::kSmtpd, guess, true},
                      {Role::kSmtpd, for_mailbox, false},
                      {Role::kPop3d, for_mailbox, true},
                      {Role::kSmtpDeliver, guess, false},
                      {Role::kSmtpDeliver, for_mailbox, false},
                      {Role::kQueue, guess, false}};
  for (const Row& row : rows) {
    auto heard = bureau.ask(row.role, row.ask);
    REQUIRE(heard.has_value() == row.answered);
    Verdict verdict;
    if (heard) CHECK((heard->decode(verdict) && verdict.answer == Answer::kDenied));
  }
}
