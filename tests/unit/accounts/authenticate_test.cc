#include "accounts/authenticate.h"

#include <sys/socket.h>

#include <algorithm>
#include <ctime>
#include <thread>

#include "accounts/saslauthd.h"
#include "lib/net_address.h"
#include "lib/ticket.h"
#include "tests/unit/accounts/fixture.h"

using accounts::Authenticator;
using po::messages::Answer;

namespace {

constexpr po::messages::Key kKey{1, 2, 3};

struct Desk : Office {
  po::Loop loop;
  po::Log log;
  accounts::Threads writer{loop, 1};
  Authenticator authenticator{loop, *admin, writer, log, kKey};

  po::messages::Verdict ask(po::messages::Authenticate request,
                            accounts::Service service = accounts::Service::kPop3) {
    std::optional<po::messages::Verdict> verdict;
    authenticator.authenticate(service, std::move(request), [&](const po::messages::Verdict& v) {
      verdict = v;
      loop.stop();
    });
    if (!verdict) loop.run();
    REQUIRE(verdict);
    return *verdict;
  }
  po::messages::Authenticate request(std::string login, std::string password,
                                     const char* client = "192.0.2.1") {
    po::messages::Authenticate r;
    r.login = std::move(login);
    r.password = std::move(password);
    r.client = po::parse_address(client).value();
    r.session = "s1";
    return r;
  }
  Answer answer(std::string login, std::string password, const char* client = "192.0.2.1") {
    return ask(request(std::move(login), std::move(password), client)).answer;
  }
  void add(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"account", "add",     "--address", "janie@podunk.edu", "--name",
                                   "Janie",   "--login", "jlee",      "--password",       "Sur+Fer!"};
    words.insert(words.end(), more.begin(), more.end());
    good(words);
  }
};

}  // namespace

TEST_CASE("log-in by login name or any address, with the right password alone") {
  Desk desk;
  desk.add();
  auto verdict = desk.ask(desk.request("JLee", "Sur+Fer!"));
  CHECK(verdict.answer == Answer::kGranted);
  CHECK(verdict.account == 2);
  CHECK(verdict.address == "janie@podunk.edu");
  CHECK(verdict.ticket.empty());
  CHECK(desk.answer("Janie@PODUNK.edu", "Sur+Fer!") == Answer::kGranted);
  CHECK(desk.answer("jlee", "sur+fer!") == Answer::kDenied);
  CHECK(desk.answer("nobody", "Sur+Fer!") == Answer::kDenied);
  CHECK(desk.answer("postmaster", "") == Answer::kDenied);
  CHECK(desk.answer(std::string("\0\n", 2), "x") == Answer::kDenied);
  CHECK(desk.answer(std::string(5000, 'x'), "x") == Answer::kDenied);
}

TEST_CASE("a mailbox gets a ticket that queue can open") {
  Desk desk;
  desk.add();
  auto request = desk.request("jlee", "Sur+Fer!");
  request.mailbox = true;
  auto ticket = po::open_ticket(kKey, desk.ask(request).ticket);
  REQUIRE(ticket);
  CHECK(ticket->account == 2);
  CHECK(ticket->session == "s1");
  // Of the clock that queue reads too, and that no step of the time of day reaches.
  CHECK(ticket->issued_ms <= po::ticket_now_ms());
  CHECK(ticket->issued_ms + 10'000 > po::ticket_now_ms());
  desk.good({"account", "set", "jlee", "POP3-Delivery=no", "Forwarding-Addresses=x@y.example"});
  CHECK(desk.ask(request).answer == Answer::kNoMailbox);
}

TEST_CASE("locks and restrictions are told to those only who know the password") {
  Desk desk;
  desk.add({"General-Access-Restrictions=10.0.0.0", "General-Access-Restrictions=software.com"});
  CHECK(desk.answer("jlee", "wrong!") == Answer::kDenied);
  CHECK(desk.answer("jlee", "Sur+Fer!") == Answer::kNeedName);
  CHECK(desk.answer("jlee", "Sur+Fer!", "10.1.2.3") == Answer::kGranted);
  auto named = desk.request("jlee", "Sur+Fer!");
  named.name_looked_up = true;
  CHECK(desk.ask(named).answer == Answer::kNotFrom);
  named.client_name = "rome.software.com";
  CHECK(desk.ask(named).answer == Answer::kGranted);
  desk.good({"account", "lock", "jlee"});
  CHECK(desk.ask(named).answer == Answer::kLocked);
  CHECK(desk.answer("jlee", "wrong!") == Answer::kDenied);
}

TEST_CASE("a hit in the cache costs no scrypt, and a new password ends it") {
  Desk desk;
  desk.add();
  CHECK(desk.answer("jlee", "Sur+Fer!") == Answer::kGranted);
  std::clock_t start = std::clock();
  for (int i = 0; i < 100; ++i) CHECK(desk.answer("jlee", "Sur+Fer!") == Answer::kGranted);
  std::clock_t hundred_hits = std::clock() - start;
  desk.good({"account", "passwd", "jlee"}, "Another1\n");
  start = std::clock();
  CHECK(desk.answer("jlee", "Sur+Fer!") == Answer::kDenied);
  CHECK(hundred_hits <
        4 * (std::clock() - start));  // processor time: a ratio that no other process has a part in
  CHECK(desk.answer("jlee", "Another1") == Answer::kGranted);
}

TEST_CASE("guessers are slowed down; who logged in from there before is not") {
  Desk desk;
  desk.add();
  desk.good(
      {"form", "set", "system-security", "Log-In-Failures-per-Address=2", "Log-In-Failures-per-Account=3"});
  CHECK(desk.answer("jlee", "Sur+Fer!", "10.9.9.9") == Answer::kGranted);
  for (int i = 0; desk.writer.busy() > 0 && i < 1000; ++i) event_base_loop(desk.loop.base(), EVLOOP_ONCE);
  for (int i = 0; i < 2; ++i) CHECK(desk.answer("nobody", "guess1") == Answer::kDenied);
  auto verdict = desk.ask(desk.request("jlee", "Sur+Fer!"));
  CHECK(verdict.answer == Answer::kTooMany);
  CHECK(verdict.retry_after >= 1);
  for (const char* client : {"192.0.2.7", "192.0.2.8", "192.0.2.9"})
    CHECK(desk.answer("jlee", "guess1", client) == Answer::kDenied);
  CHECK(desk.answer("jlee", "Sur+Fer!", "192.0.2.10") == Answer::kTooMany);
  CHECK(desk.answer("jlee", "Sur+Fer!", "10.9.9.9") == Answer::kGranted);
}

TEST_CASE("a hash that came along is replaced at the first log-in") {
  Desk desk;
  desk.good({"account", "add"},
            "User's-Real-Name: [x]\nInternet-Addresses: [x@y.org]\n"
            "Mail-Account-Password: [$1$abcdefgh$eKehL.s8tG6zTf8hBtmEF.]\n");
  CHECK(desk.answer("x@y.org", "geheim") == Answer::kGranted);
  for (int i = 0; desk.writer.busy() > 0 && i < 1000; ++i) event_base_loop(desk.loop.base(), EVLOOP_ONCE);
  CHECK(accounts::password::is_current(desk.admin->secrets().password(2).value()));
  CHECK(desk.answer("x@y.org", "geheim") == Answer::kGranted);
}

TEST_CASE("an existing and an unknown account take as long") {
  Desk desk;
  desk.add();
  desk.good({"form", "set", "system-security", "Log-In-Failures-per-Address=1000",
             "Log-In-Failures-per-Account=1000"});
  auto time = [&](const char* login) {
    std::clock_t start = std::clock();
    for (int i = 0; i < 3; ++i) CHECK(desk.answer(login, "guess1") == Answer::kDenied);
    return std::clock() - start;
  };
  auto existing = time("jlee"), unknown = time("nobody"), without = time("postmaster");
  CHECK(existing < 3 * unknown);
  CHECK(unknown < 3 * existing);
  CHECK(without < 3 * existing);
  CHECK(existing < 3 * without);
}

TEST_CASE("many at once: all are answered, none twice") {
  Desk desk;
  desk.add();
  int granted = 0, busy = 0, answered = 0;
  constexpr int kCount = 400;
  for (int i = 0; i < kCount; ++i)
    desk.authenticator.authenticate(accounts::Service::kPop3, desk.request("jlee", "Sur+Fer!"),
                                    [&](const po::messages::Verdict& v) {
                                      ++answered;
                                      granted += v.answer == Answer::kGranted;
                                      busy += v.answer == Answer::kUnavailable;
                                      if (answered == kCount) desk.loop.stop();
                                    });
  desk.loop.run();
  CHECK(answered == kCount);
  CHECK(granted >= 256);
  CHECK(granted + busy == kCount);
}

TEST_CASE("known addresses: thirty days, a bounded number") {
  Office office;
  constexpr std::int64_t kDay = 24 * 3600;
  auto& secrets = office.admin->secrets();
  auto change = secrets.begin();
  REQUIRE(change);
  REQUIRE(change->set_known(2, "192.0.2.1", 100 * kDay));
  for (int i = 0; i < 300; ++i) REQUIRE(change->set_known(3, std::to_string(i), 100 * kDay + i));
  REQUIRE(change->commit());
  CHECK(secrets.known(2, "192.0.2.1", 129 * kDay).value() == 100 * kDay);
  CHECK(secrets.known(2, "192.0.2.1", 131 * kDay).value() == 0);
  CHECK(secrets.known(2, "192.0.2.2", 101 * kDay).value() == 0);
  CHECK(secrets.known(3, "99", 101 * kDay).value() == 0);
  CHECK(secrets.known(3, "299", 101 * kDay).value() != 0);
  auto removal = secrets.begin();
  REQUIRE(removal->remove(3));
  REQUIRE(removal->commit());
  CHECK(secrets.known(3, "299", 101 * kDay).value() == 0);
  CHECK(secrets.known(2, "192.0.2.1", 101 * kDay).value() != 0);
}

TEST_CASE(
    "an application password opens the mailbox and submits, does no more, and ends when it is revoked") {
  Desk desk;
  desk.add();
  using accounts::Service;
  std::string made = desk.good({"app-password", "make", "jlee", "Phone"});
  made.pop_back();
  std::string spaced = made;
  std::replace(spaced.begin(), spaced.end(), '-', ' ');
  auto answer = [&](const std::string& password, Service service) {
    return desk.ask(desk.request("jlee", password), service).answer;
  };
  for (int i = 0; i < 2; ++i) {  // not from a cache the second time either
    CHECK(answer(made, Service::kPop3) == Answer::kGranted);
    CHECK(answer(spaced, Service::kSubmission) == Answer::kGranted);
    CHECK(answer(made, Service::kWeb) == Answer::kDenied);
    CHECK(answer(made, Service::kCommand) == Answer::kDenied);
    CHECK(answer("Sur+Fer!", Service::kPop3) == Answer::kGranted);
  }
  desk.good({"account", "lock", "jlee"});
  CHECK(answer(made, Service::kPop3) == Answer::kLocked);
  desk.good({"account", "unlock", "jlee"});
  CHECK(answer(made, Service::kPop3) == Answer::kGranted);
  desk.good({"app-password", "revoke", "jlee", "Phone"});
  CHECK(answer(made, Service::kPop3) == Answer::kDenied);

  desk.authenticator.sign_ins().flush();
  while (desk.writer.busy() > 0) event_base_loop(desk.loop.base(), EVLOOP_ONCE);
  std::vector<std::pair<std::string_view, std::string>> seen;
  auto rows = desk.admin->secrets().sign_ins(2);
  REQUIRE(rows);
  for (const auto& row : *rows) seen.emplace_back(accounts::service_name(row.service), row.by);
  auto has = [&](std::string_view service, const char* by) {
    return std::count(seen.begin(), seen.end(), std::pair(service, std::string(by))) == 1;
  };
  CHECK(seen.size() == 7);
  CHECK(has("POP3", "Phone"));
  CHECK(has("POP3", "password"));
  CHECK(has("POP3", "refused: locked"));
  CHECK(has("POP3", "refused: wrong password"));
  CHECK(has("submission", "Phone"));
  CHECK(has("web", "refused: wrong password"));
  CHECK(has("command", "refused: wrong password"));
}

TEST_CASE("guessing application passwords is slowed down like all guessing") {
  Desk desk;
  desk.add();
  std::string made = desk.good({"app-password", "make", "jlee", "Phone"});
  made.pop_back();
  desk.good({"form", "set", "system-security", "Log-In-Failures-per-Address=2"});
  for (int i = 0; i < 4; ++i) (void)desk.answer("jlee", accounts::random_app_password(), "10.9.9.9");
  CHECK(desk.answer("jlee", made, "10.9.9.9") == Answer::kTooMany);
  CHECK(desk.answer("jlee", made, "10.9.9.8") == Answer::kGranted);
}

namespace {

/// A saslauthd that knows janie's password.
struct SystemDesk : Desk {
  int asked = 0;
  std::string user;
  SystemDesk() {
    add({"Use-System-Password=yes", "System-User-Name=janie"});
    authenticator.reach_saslauthd([this](Authenticator::Connected connected) { connect(connected); });
  }
  void connect(const Authenticator::Connected& connected) {
    ++asked;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    std::thread([end = ends[1]] {
      po::Fd fd(end);
      char in[200];
      ssize_t n = ::read(fd.get(), in, sizeof in);
      bool right = std::string_view(in, static_cast<std::size_t>(n)) ==
                   accounts::saslauthd::question("janie", "System1").value();
      (void)!::write(fd.get(), right ? "\0\2OK" : "\0\2NO", 4);
    }).detach();
    connected(po::Fd(ends[0]));
  }
};

}  // namespace

TEST_CASE("an account with the system's password is saslauthd's to judge, and no hash of ours counts") {
  SystemDesk desk;
  CHECK(desk.answer("jlee", "Sur+Fer!") == Answer::kDenied);
  CHECK(desk.answer("jlee", "System1") == Answer::kGranted);
  CHECK(desk.answer("jlee", "System1") == Answer::kGranted);
  CHECK(desk.asked == 3);  // the system's password may have changed: there is no cache of it
  CHECK(desk.answer("jlee", "") == Answer::kDenied);
  CHECK(desk.answer("jlee", std::string("System1\0x", 9)) == Answer::kDenied);
  CHECK(desk.asked == 3);
  std::string app = desk.good({"app-password", "make", "jlee", "Phone"});
  app.pop_back();
  CHECK(desk.answer("jlee", app) == Answer::kGranted);
  CHECK(desk.asked == 3);
  desk.good({"account", "lock", "jlee"});
  CHECK(desk.answer("jlee", "System1") == Answer::kLocked);
  desk.good({"account", "unlock", "jlee"});
  desk.good({"account", "set", "jlee", "Use-System-Password=no"});
  CHECK(desk.answer("jlee", "Sur+Fer!") == Answer::kGranted);
  CHECK(desk.answer("jlee", "System1") == Answer::kDenied);
}

TEST_CASE("a saslauthd that is not there is nobody's wrong password") {
  SystemDesk desk;
  desk.good({"form", "set", "system-security", "Log-In-Failures-per-Address=2"});
  desk.authenticator.reach_saslauthd(
      [](const Authenticator::Connected& connected) { connected(po::temporary("not there")); });
  for (int i = 0; i < 5; ++i) CHECK(desk.answer("jlee", "System1", "10.1.1.1") == Answer::kUnavailable);
  desk.authenticator.reach_saslauthd([&](Authenticator::Connected connected) { desk.connect(connected); });
  CHECK(desk.answer("jlee", "System1", "10.1.1.1") == Answer::kGranted);
}
