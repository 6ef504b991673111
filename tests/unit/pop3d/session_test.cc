#include "pop3d/session.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "tests/unit/pop3d/player.h"

using namespace pop3d;
using namespace pop3d::test;

namespace {

const std::string kLogIn = "USER jane\r\nPASS a secret \r\n";

Player logged_in(std::map<po::MessageId, Stored> mailbox = three_messages()) {
  Player player(at_home(), std::move(mailbox));
  player.input(kLogIn);
  REQUIRE(player.session().logged_in());
  (void)player.take_output();
  return player;
}

std::map<po::MessageId, Stored> many_messages(unsigned count, std::size_t size) {
  std::map<po::MessageId, Stored> mailbox;
  for (unsigned n = 1; n <= count; ++n) {
    mailbox[message_id(n)] = {"", "N: " + std::to_string(n) + "\r\n\r\n" + std::string(size, 'x') + "\r\n"};
  }
  return mailbox;
}

std::size_t count_lines(const std::string& text, std::string_view start) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    if (text.compare(at, start.size(), start) == 0) ++count;
    if (text.find('\n', at) == std::string::npos) break;
  }
  return count;
}

}  // namespace

TEST_CASE("answers keep the order of the commands, however queue answers") {
  std::string commands =
      kLogIn + "RETR 1\r\nSTAT\r\nRETR 2\r\nTOP 1 1\r\nNOOP\r\nRETR 3\r\nDELE 3\r\nLIST\r\nQUIT\r\n";
  Player direct(at_home());
  direct.input(commands);
  REQUIRE(direct.closed());
  const std::string expected = direct.take_output();

  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    Player player(at_home());
    player.hold_fetches(true);
    player.input(commands);
    CHECK_FALSE(player.closed());
    while (player.held() != 0) player.answer_fetch(random() % player.held());
    CHECK(player.closed());
    CHECK(player.take_output() == expected);
    CHECK(player.mailbox().size() == 2);
  }
}

TEST_CASE("QUIT deletes nothing before all answers have been sent") {
  Player player = logged_in();
  player.hold_fetches(true);
  player.input("DELE 2\r\nRETR 1\r\nQUIT\r\nNOOP\r\n");
  CHECK(player.mailbox().size() == 3);
  player.answer_fetch(0);
  CHECK(player.mailbox().size() == 2);
  CHECK(player.closed());
  CHECK(count_lines(player.take_output(), "+OK") == 3);
}

TEST_CASE("messages are asked for ahead within a window") {
  struct Case {
    std::size_t size;
    std::size_t most;
  };
  for (const Case& c : {Case{100, kWindow}, Case{30'000, 9}, Case{60'000, 5}, Case{1'000'000, 1}}) {
    Player player = logged_in(many_messages(100, c.size));
    player.hold_fetches(true);
    std::string commands;
    for (int n = 1; n <= 100; ++n) commands += "RETR " + std::to_string(n) + "\r\n";
    player.input(commands);
    CHECK(player.held() == c.most);
    std::size_t answered = 0;
    for (; player.held() != 0; ++answered) player.answer_fetch(player.held() - 1);
    CHECK(answered == 100);
    CHECK(player.most_held() <= c.most);
    std::string out = player.take_output();
    CHECK(count_lines(out, "+OK") == 100);
    CHECK(out.find("N: 1\r\n") < out.find("N: 2\r\n"));
    CHECK(player.session().retrieved() == 100);
  }
}

TEST_CASE("answers that wait for an earlier one are bounded") {
  Player player = logged_in();
  player.hold_fetches(true);
  player.input("RETR 1\r\n");
  for (int i = 0; i < 1000; ++i) player.input("NOOP\r\n");
  CHECK(player.left() >= (1000 - kMaxPending) * 6);
  player.answer_fetch(0);
  CHECK(player.left() == 0);
  CHECK(count_lines(player.take_output(), "+OK") == 1001);
}

TEST_CASE("a listing shows the marks of its moment") {
  Player player = logged_in();
  player.hold_fetches(true);
  player.input("RETR 1\r\nLIST\r\nDELE 1\r\nLIST\r\n");
  player.answer_fetch(0);
  std::string out = player.take_output();
  CHECK(count_lines(out, "1 66") == 1);
  CHECK(count_lines(out, "2 55") == 2);
}

TEST_CASE("listings of a large mailbox come in bounded pieces") {
  Session session(at_home());
  Actions actions;
  session.on_start(actions);
  (void)session.on_input(kLogIn, actions);
  po::messages::Verdict verdict;
  verdict.answer = po::messages::Answer::kGranted;
  session.on_verdict(verdict, actions);
  po::messages::Mailbox mailbox;
  mailbox.kind = po::Kind::kDone;
  mailbox.more = true;
  for (unsigned n = 0; n < 100'000; ++n) mailbox.entries.push_back({message_id(n), 5'000'000'000});
  for (int i = 0; i < 11; ++i) {
    mailbox.more = i < 10;
    session.on_mailbox(mailbox, actions);
  }
  actions.clear();
  CHECK(session.on_input("UIDL\r\nNOOP\r\n", actions) == 6);
  REQUIRE(actions.size() == 2);
  CHECK(std::get<Write>(actions[0]).text == "+OK 1000000 messages, 5000000000000000 octets\r\n");
  REQUIRE(std::holds_alternative<SendListing>(actions[1]));
  std::size_t lines = 0;
  for (bool more = true; more;) {
    std::string piece;
    more = session.next_listing(piece, 65536);
    REQUIRE(piece.size() <= 65536 + 64);
    lines += static_cast<std::size_t>(std::count(piece.begin(), piece.end(), '\n'));
  }
  CHECK(lines == kMaxMessages + 1);
}

TEST_CASE("lines that are none") {
  struct Case {
    std::string input;
    std::string reply;
  };
  const std::string long_line(kCommandLine - 2 - 5, 'a');
  const Case cases[] = {
      {"NOOP\n", "-ERR a line ends with CR and LF together\r\n"},
      {"NO\rOP\r\n", "-ERR a line ends with CR and LF together\r\n"},
      {std::string("NO\0OP\r\n", 7), "-ERR an octet 0 is not allowed\r\n"},
      {"USER " + long_line + "\r\n", "+OK send PASS\r\n"},
      {"USER " + long_line + "a\r\n", "-ERR the line is too long\r\n"},
      {std::string(100'000, 'x') + "\r\n", "-ERR the line is too long\r\n"},
      {"AUTH PLAIN " + std::string(10'000, '!') + "\r\n", "-ERR not base64\r\n"},
      {"AUTH PLAIN\r\n" + std::string(kSaslLine - 2, '!') + "\r\n", "+ \r\n-ERR not base64\r\n"},
      {"AUTH PLAIN\r\n" + std::string(kSaslLine - 1, '!') + "\r\n", "+ \r\n-ERR the line is too long\r\n"},
      {"AUTH PLAIN\r\nabc\n", "+ \r\n-ERR a line ends with CR and LF together\r\n"},
  };
  for (const Case& c : cases) {
    for (std::size_t cut : {std::size_t{1}, std::size_t{3}, c.input.size()}) {
      Player player(at_home());
      (void)player.take_output();
      for (std::size_t at = 0; at < c.input.size(); at += cut) player.input(c.input.substr(at, cut));
      player.input("QUIT\r\n");
      CHECK(player.take_output() == c.reply + "+OK goodbye\r\n");
    }
  }
}

TEST_CASE("every way of cutting the octets gives the same actions") {
  const std::string streams[] = {
      kLogIn + "STAT\r\nLIST\r\nUIDL 2\r\nRETR 2\r\nTOP 1 1\r\nDELE 1\r\nRSET\r\nDELE 3\r\nQUIT\r\nNOOP\r\n",
      "CAPA\r\nAUTH PLAIN\r\n*\r\nAUTH PLAIN\r\nAGphbmUAYSBzZWNyZXQg\r\nRETR 1\r\nRETR "
      "9\r\nBAD\rLINE\r\nx\nQUIT\r\n",
      "NOOP\n\n\r\r\n" + std::string(300, 'x') + "\r\nUSER a\r\nPASS b\r\n" + std::string(13'000, 'y') +
          "\r\nQUIT\r\n",
      "USER named\r\nPASS x\r\nRETR 1\r\nRETR 2\r\nRETR 3\r\nGET / HTTP/1.0\r\nQUIT\r\n",
  };
  std::mt19937 random(2026);
  for (const std::string& stream : streams) {
    Player whole(at_home());
    whole.input(stream);
    Player octets(at_home());
    for (char c : stream) octets.input({&c, 1});
    CHECK(octets.trace() == whole.trace());
    for (int round = 0; round < 100; ++round) {
      Player cut(at_home());
      for (std::size_t at = 0; at < stream.size();) {
        std::size_t n = 1 + random() % (random() % 2 == 0 ? 8 : 400);
        cut.input(std::string_view(stream).substr(at, n));
        at += n;
      }
      REQUIRE(cut.trace() == whole.trace());
    }
  }
}

TEST_CASE("what follows STLS in clear is not taken for something said under TLS") {
  Session session(at_home());
  Actions actions;
  session.on_start(actions);
  std::string_view input = "STLS\r\nUSER jane\r\n";
  CHECK(session.on_input(input, actions) == 6);
  CHECK_FALSE(session.wants_input());
  CHECK(std::holds_alternative<StartTls>(actions.back()));
  actions.clear();
  session.on_tls(actions);
  CHECK(session.wants_input());
  (void)session.on_input("PASS x\r\n", actions);
  CHECK(std::get<Write>(actions.back()).text == "-ERR send USER first\r\n");
}

TEST_CASE("answers to nobody change nothing") {
  Player player = logged_in();
  auto trace = player.trace();
  po::messages::Verdict granted;
  granted.answer = po::messages::Answer::kGranted;
  player.event([&](Session& s, Actions& a) {
    s.on_verdict(granted, a);
    s.on_name("x.example", a);
    s.on_mailbox({}, a);
    s.on_expunged(po::Kind::kDone, a);
    s.on_tls(a);
    s.on_sent(a);
    CHECK_FALSE(s.on_message(77, po::Kind::kDone, a));
  });
  CHECK(player.trace() == trace);
}

TEST_CASE("stopping lets answers under way finish") {
  Player player = logged_in();
  player.hold_fetches(true);
  player.input("DELE 2\r\nRETR 1\r\nSTAT\r\n");
  player.event([](Session& s, Actions& a) { s.on_stop(a); });
  CHECK_FALSE(player.closed());
  player.answer_fetch(0);
  CHECK(player.closed());
  CHECK(player.why() == "stopping");
  std::string out = player.take_output();
  CHECK(out.find("third\r\n.\r\n+OK 2 94\r\n-ERR [SYS/TEMP] this server is stopping") != std::string::npos);
  CHECK(player.mailbox().size() == 3);
}

TEST_CASE("a message that queue does not give is refused, and the next one comes") {
  Player player = logged_in();
  player.hold_fetches(true);
  player.input("RETR 1\r\nRETR 2\r\n");
  player.event([](Session& s, Actions& a) {
    CHECK(s.awaits_answer());
    s.on_no_answer(a);
  });
  CHECK(count_lines(player.take_output(), "-ERR [SYS/TEMP]") == 2);
  player.hold_fetches(false);
  player.input("RETR 3\r\n");
  CHECK(count_lines(player.take_output(), "+OK 28") == 1);
}

TEST_CASE("what a client takes in order is read ahead, little at first") {
  Player player = logged_in(many_messages(100, 100));
  struct {
    const char* commands;
    const char* asked;
    std::size_t kept;
  } const steps[] = {
      {"RETR 1\r\n", "1 2", 1},
      {"RETR 2\r\n", "3 4", 2},
      {"TOP 9 0\r\nDELE 2\r\nLIST 4\r\n", "9", 2},  // none of these moves it
      {"RETR 3\r\n", "5 6", 3},
      {"RETR 4\r\n", "7 8", 4},
      {"RETR 5\r\n", "", 3},
      {"RETR 6\r\n", "9 10 11 12", 6},
      {"RETR 50\r\n", "50", 0},             // elsewhere: forgotten
      {"RETR 51\r\n", "51 52", 1},          // in order again
      {"RETR 51\r\n", "51", 0},             // the same once more
      {"DELE 53\r\nRETR 52\r\n", "52", 0},  // a deleted one ends it
      {"RETR 53\r\n", "", 0},
      {"RETR 100\r\n", "100", 0},
  };
  for (const auto& step : steps) {
    player.input(step.commands);
    CHECK(player.take_fetches() == step.asked);
    CHECK(player.kept() == step.kept);
  }
}

TEST_CASE("read-ahead is bounded, and takes no message that comes as a descriptor") {
  struct Case {
    std::size_t size;
    std::size_t most;
  };
  for (const Case& c : {Case{10, kAhead}, Case{10'000, 6}, Case{60'000, 1}, Case{65'600, 0}}) {
    Player player = logged_in(many_messages(60, c.size));
    std::size_t most = 0;
    for (int n = 1; n <= 60; ++n) {
      player.input("RETR " + std::to_string(n) + "\r\n");
      most = std::max(most, player.kept());
    }
    CHECK(most == c.most);
    CHECK(count_lines(player.take_output(), "+OK") == 60);
    CHECK(player.kept() == 0);
  }
}

TEST_CASE("a deleted message that was read ahead is not sent, and is when it is none any more") {
  Player player = logged_in(many_messages(9, 100));
  player.input("RETR 1\r\nRETR 2\r\nDELE 3\r\nRETR 3\r\nRSET\r\n");
  CHECK(count_lines(player.take_output(), "-ERR message 3 is deleted") == 1);
  player.input("RETR 3\r\n");
  CHECK(player.take_output().find("\r\nN: 3\r\n") != std::string::npos);
}

TEST_CASE("read-ahead is forgotten in a pause, and what comes late is dropped") {
  Player player = logged_in(many_messages(40, 100));
  for (int n = 1; n <= 20; ++n) player.input("RETR " + std::to_string(n) + "\r\n");
  CHECK(player.kept() > 8);
  player.event([](Session& s, Actions& a) { s.on_pause(a); });
  CHECK(player.kept() == 0);
  player.hold_fetches(true);
  player.input("RETR 21\r\n");
  player.answer_fetch(0);
  REQUIRE(player.held() == 1);  // 22, read ahead
  player.event([](Session& s, Actions& a) { s.on_pause(a); });
  player.answer_fetch(0);
  CHECK(player.kept() == 0);
  (void)player.take_output();
  player.input("RETR 22\r\n");
  player.answer_fetch(0);
  CHECK(player.take_output().find("\r\nN: 22\r\n") != std::string::npos);
}

TEST_CASE("that a message could not be read ahead is not told: it is asked for again") {
  Player player = logged_in(many_messages(9, 100));
  player.hold_fetches(true);
  player.input("RETR 1\r\n");
  player.answer_fetch(0);
  player.break_disk();
  player.answer_fetch(0);  // 2
  player.repair_disk();
  player.hold_fetches(false);
  player.input("RETR 2\r\n");
  std::string out = player.take_output();
  CHECK(count_lines(out, "-ERR") == 0);
  CHECK(out.find("\r\nN: 2\r\n") != std::string::npos);
}

TEST_CASE("a client that asks for what is being read ahead waits for it") {
  Player player = logged_in(many_messages(9, 100));
  player.hold_fetches(true);
  player.input("RETR 1\r\n");
  player.answer_fetch(0);
  CHECK_FALSE(player.session().awaits_answer());
  player.input("RETR 2\r\n");
  CHECK(player.session().awaits_answer());
  CHECK(player.held() == 1);
  player.remove(2);
  player.answer_fetch(0);
  CHECK(count_lines(player.take_output(), "-ERR message 2 is not there any more") == 1);
  player.hold_fetches(false);
  player.event([](Session& s, Actions& a) { s.on_mailbox_lost(a); });
  player.input("RETR 3\r\n");
  CHECK(count_lines(player.take_output(), "-ERR [SYS/TEMP]") == 1);
  CHECK(player.kept() == 0);
}

TEST_CASE("what was being read ahead and is asked for meanwhile is refused if queue goes, or is silent") {
  for (bool lost : {false, true}) {
    Player player = logged_in(many_messages(9, 100));
    player.hold_fetches(true);
    player.input("RETR 1\r\n");
    player.answer_fetch(0);
    (void)player.take_output();
    player.input("RETR 2\r\n");
    player.event([lost](Session& s, Actions& a) { lost ? s.on_mailbox_lost(a) : s.on_no_answer(a); });
    CHECK(player.take_output().starts_with("-ERR [SYS/TEMP]"));
  }
}
