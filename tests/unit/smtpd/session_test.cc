#include "smtpd/session.h"

#include <catch2/catch.hpp>
#include <random>

#include "tests/unit/smtpd/player.h"

using po::messages::Protocol;
using smtpd::Phase;
using smtpd::test::Player;
using smtpd::test::Taken;

namespace {

constexpr std::string_view kAuth = "AUTH PLAIN AGphbmVAcG9kdW5rLmVkdQBzZWNyZXQ=\r\n";

struct Outcome {
  std::string output;
  std::vector<Taken> taken;
  bool closed = false;
  bool operator==(const Outcome&) const = default;
};

template <class Prepare>
Outcome play(const std::vector<std::string_view>& pieces, Prepare prepare) {
  Player p;
  prepare(p);
  p.connect();
  for (std::string_view piece : pieces) p.feed(piece);
  return {p.output, p.taken, p.closed};
}

std::vector<std::string_view> cut(std::string_view in, std::mt19937& random, std::size_t most) {
  std::vector<std::string_view> pieces;
  while (!in.empty()) {
    std::size_t n = std::min<std::size_t>(in.size(), 1 + random() % most);
    pieces.push_back(in.substr(0, n));
    in.remove_prefix(n);
  }
  return pieces;
}

template <class Prepare>
void check_cuts(std::string_view in, Prepare prepare) {
  std::mt19937 random(11);
  Outcome whole = play({in}, prepare);
  for (std::size_t most : {1, 2, 3, 7, 50, 1000}) {
    INFO("pieces of at most " << most);
    for (int round = 0; round < (in.size() > 10000 ? 2 : 20); ++round) {
      Outcome pieces = play(cut(in, random, most), prepare);
      REQUIRE(pieces.output == whole.output);
      REQUIRE((pieces == whole));
    }
  }
  // every single cut
  for (std::size_t at = 1; at < std::min<std::size_t>(in.size(), 1500); ++at) {
    REQUIRE((play({in.substr(0, at), in.substr(at)}, prepare) == whole));
  }
}

}  // namespace

TEST_CASE("every way of cutting the octets gives the same replies and messages") {
  auto plain = [](Player&) {};
  SECTION("pipelining, DATA, refusals, odd line ends") {
    check_cuts(
        "EHLO x\r\nMAIL FROM:<a@remote.net> SIZE=20\r\nRCPT TO:<jane@podunk.edu>\r\nRCPT "
        "TO:<nobody@podunk.edu>\r\n"
        "DATA\r\nSubject: x\r\n\r\n..a\r\n.b\r\n.\r\nNOOP\r\nNO\rOP\r\nNOOP\nFOO\r\nRSET\r\n"
        "MAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nDATA\r\n\n.\r\n.\n\r\n.\r\r\n.\r\nVRFY "
        "a\r\n"
        "MAIL FROM:<a@remote.net>\r\nRCPT TO:<full@podunk.edu>\r\nRCPT "
        "TO:<joe@podunk.edu>\r\nDATA\r\n.\r\nQUIT\r\n"
        "NOOP\r\n",
        plain);
  }
  SECTION("BDAT, wanted and not") {
    check_cuts(
        "EHLO x\r\nBDAT 6\r\nQUIT\r\nMAIL FROM:<a@remote.net>\r\nBDAT 6\r\nQUIT\r\nRCPT "
        "TO:<jane@podunk.edu>\r\n"
        "BDAT 7\r\n.\r\nBDA\rBDAT 0\r\nBDAT 7\r\n\nT 1\r\n\rBDAT 2 LAST\r\n\nzNOOP\r\n"
        "MAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nBDAT 3\r\na\nbBDAT 5\r\nQUIT\nNOOP\r\n"
        "MAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nBDAT 60 "
        "LAST\r\n0123456789QUIT\r\n890123456789"
        "0123456789012345678901234567890123NOOP\r\nQUIT\r\n",
        [](Player& p) { p.world.settings_value.max_message_size = 50; });
  }
  SECTION("authentication and submission") {
    std::string in = "EHLO x\r\nAUTH LOGIN\r\namFuZQ==\r\n*\r\nAUTH LOGIN\r\nx\r\n";
    in += kAuth;
    in +=
        "MAIL FROM:<jane>\r\nRCPT TO:<joe>\r\nDATA\r\nFrom: jane@podunk.edu\r\nSubject: x\r\n "
        "folded\r\n\r\nb\r\n.\r\n"
        "MAIL FROM:<jane>\r\nRCPT TO:<joe>\r\nDATA\r\nno header\r\nFrom: x\r\n.\r\n"
        "MAIL FROM:<jane>\r\nRCPT TO:<joe>\r\nBDAT 10\r\nFrom: joe\r\nBDAT 15 LAST\r\n@podunk.edu\r\n\r\nx"
        "MAIL FROM:<jane>\r\nRCPT TO:<joe>\r\nBDAT 10\r\nFrom: jan\r\nBDAT 5 LAST\r\n: y\r\n";
    check_cuts(in, [](Player& p) {
      p.client.protocol = Protocol::kSubmission;
      p.client.implicit_tls = true;
    });
  }
  SECTION("a large body, by DATA and by BDAT") {
    std::string line(998, 'x');
    std::string body;
    for (int i = 0; i < 150; ++i) body += line + "\r\n";
    std::string in = "EHLO x\r\nMAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nDATA\r\n" + body +
                     ".\r\nMAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nBDAT 65000\r\n" +
                     body.substr(0, 65000) + "BDAT " + std::to_string(body.size() - 65000) + " LAST\r\n" +
                     body.substr(65000) + "QUIT\r\n";
    std::mt19937 random(5);
    Outcome whole = play({in}, plain);
    REQUIRE(whole.taken.size() == 2);
    for (const Taken& t : whole.taken) {
      CHECK(t.in_file);
      CHECK(t.body.substr(t.body.size() - body.size()) == body);
    }
    for (std::size_t most : {100, 5000, 70000}) CHECK((play(cut(in, random, most), plain) == whole));
  }
}

TEST_CASE("random octets in random pieces: replies are well-formed and the same") {
  std::mt19937 random(3);
  const std::vector<std::string> words = {"EHLO x\r\n",
                                          "MAIL FROM:<a@remote.net>\r\n",
                                          "RCPT TO:<jane@podunk.edu>\r\n",
                                          "DATA\r\n",
                                          ".\r\n",
                                          "BDAT 9\r\n",
                                          "BDAT 5 LAST\r\n",
                                          "RSET\r\n",
                                          "\r\n",
                                          "\n",
                                          "\r",
                                          ".",
                                          "From: x\r\n",
                                          "AUTH LOGIN\r\n",
                                          "abc",
                                          "NOOP\r\n"};
  auto prepare = [](Player& p) { p.world.settings_value.smtp_error_limit = 30; };
  for (int round = 0; round < 400; ++round) {
    std::string in = "EHLO x\r\n";
    for (unsigned n = random() % 40; n > 0; --n) in += words[random() % words.size()];
    Outcome whole = play({in}, prepare);
    REQUIRE((play(cut(in, random, 9), prepare) == whole));
    std::string_view out = whole.output;
    while (!out.empty()) {
      std::size_t end = out.find("\r\n");
      REQUIRE(end != std::string_view::npos);
      REQUIRE(end <= 510);
      out.remove_prefix(end + 2);
    }
  }
}

TEST_CASE("a session waits for queue and takes nothing meanwhile") {
  Player p;
  p.hold_submit = true;
  p.connect();
  p.say("HELO x\r\nMAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nDATA\r\n");
  CHECK(p.session->phase() == Phase::kMessage);
  CHECK(p.say("a\r\n.\r\nNOOP\r\n").empty());
  CHECK(p.session->waiting());
  CHECK(p.session->phase() == Phase::kOurs);
  CHECK(p.input == "NOOP\r\n");
  p.give_submitted();
  std::string out = p.say("");
  CHECK(out.substr(0, 25) == "250 2.0.0 Ok: queued as 0");
  CHECK(out.substr(out.size() - 14) == "250 2.0.0 Ok\r\n");
  CHECK_FALSE(p.session->waiting());
  CHECK(p.session->messages() == 1);
}

TEST_CASE("stop: at once between messages, after the message that is under way") {
  smtpd::Actions actions;
  SECTION("idle") {
    Player p;
    p.connect();
    p.session->on_stop(actions);
    CHECK(p.session->closed());
  }
  SECTION("in DATA") {
    Player p;
    p.connect();
    p.say("HELO x\r\nMAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nDATA\r\n");
    p.session->on_stop(actions);
    CHECK(actions.empty());
    std::string out = p.say("a\r\n.\r\nNOOP\r\n");
    CHECK(out.substr(0, 9) == "250 2.0.0");
    CHECK(out.find("421 4.3.2") != std::string::npos);
    CHECK(out.find("250 2.0.0 Ok\r\n") == std::string::npos);
    CHECK(p.taken.size() == 1);
    CHECK(p.closed);
  }
}

TEST_CASE("a body file is dropped when its message does not come to an end") {
  Player p;
  p.connect();
  p.say("HELO x\r\nMAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nDATA\r\n");
  std::string line(98, 'x');
  for (int i = 0; i < 1000; ++i) p.feed(line + "\r\n");
  SECTION("the client goes") {
    smtpd::Actions actions;
    p.session->on_eof(actions);
    REQUIRE(actions.size() == 1);
    CHECK(std::holds_alternative<smtpd::DropBody>(actions[0]));
  }
  SECTION("the message is refused") {
    CHECK(p.say("bad\n\r\n.\r\n").substr(0, 3) == "554");
    CHECK(p.dropped == 1);
    CHECK(p.taken.empty());
  }
  SECTION("all is well") {
    CHECK(p.say(".\r\n").substr(0, 3) == "250");
    CHECK(p.dropped == 0);
    CHECK(p.taken.at(0).in_file);
  }
}

TEST_CASE("no body file to be had: 452 after the end, and the session goes on") {
  Player p;
  p.file_kind = po::Kind::kTemporary;
  p.no_space = true;
  p.connect();
  p.say("HELO x\r\nMAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nDATA\r\n");
  std::string line(998, 'x');
  for (int i = 0; i < 200; ++i) p.feed(line + "\r\n");
  CHECK(p.say(".\r\nNOOP\r\n") ==
        "452 4.3.1 No space to store the message, try again later\r\n250 2.0.0 Ok\r\n");
}

TEST_CASE("more than 100 Received fields are a loop") {
  for (int n : {100, 101}) {
    Player p;
    p.connect();
    p.say("HELO x\r\nMAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nDATA\r\n");
    for (int i = 0; i < n; ++i) p.feed("Received: from a by b; now\r\n");
    std::string out = p.say("\r\nReceived: not a field\r\n.\r\n");
    CHECK(out.substr(0, 9) == (n == 100 ? "250 2.0.0" : "554 5.4.6"));
  }
}

TEST_CASE("a submitted header is held up to 64 KiB") {
  Player p(Protocol::kLocalSubmission);
  p.connect();
  p.say("HELO x\r\nMAIL FROM:<a>\r\nRCPT TO:<jane>\r\nDATA\r\n");
  SECTION("just below, and the whole in a file") {
    p.feed("X: " + std::string(65450, 'x') + "\r\n\r\nbody\r\n");
    CHECK(p.say(".\r\n").substr(0, 3) == "250");
    CHECK(p.taken.at(0).in_file);
    CHECK(p.taken.at(0).body.find("\r\nMessage-ID: <") != std::string::npos);
  }
  SECTION("above") {
    for (int i = 0; i < 70; ++i) p.feed("X: " + std::string(995, 'x') + "\r\n");
    CHECK(p.say("\r\nbody\r\n.\r\n").substr(0, 9) == "552 5.6.0");
  }
}

TEST_CASE("UTF-8 addresses are taken under SMTPUTF8 and never echoed raw") {
  Player p;
  p.connect();
  p.say("EHLO x\r\n");
  CHECK(p.say("MAIL FROM:<j\xc3\xa4ne@remote.net> SMTPUTF8\r\n").substr(0, 3) == "250");
  std::string out = p.say("RCPT TO:<j\xc3\xa4ne@podunk.edu>\r\n");
  CHECK(out == "550 5.1.1 No such user here\r\n");
  p.say("RCPT TO:<jane@podunk.edu>\r\nDATA\r\n.\r\n");
  CHECK(p.taken.at(0).body.find("with UTF8SMTP id") != std::string::npos);
}

TEST_CASE("verdicts of accounts and their replies") {
  using po::messages::Answer;
  struct Row {
    Answer answer;
    std::string reply;
  };
  const std::vector<Row> rows = {{Answer::kDenied, "535 5.7.8"},    {Answer::kLocked, "535 5.7.8"},
                                 {Answer::kNotFrom, "535 5.7.8"},   {Answer::kTooMany, "454 4.7.0"},
                                 {Answer::kNoMailbox, "535 5.7.8"}, {Answer::kUnavailable, "454 4.7.0"}};
  for (const Row& row : rows) {
    Player p(Protocol::kSubmission, true);
    p.verdict = row.answer;
    p.connect();
    p.say("EHLO x\r\n");
    CHECK(p.say("AUTH PLAIN AGphbmVAcG9kdW5rLmVkdQB3cm9uZw==\r\n").substr(0, 9) == row.reply);
  }
}

TEST_CASE("accounts may want the client's name: asked once, then asked again with it") {
  Player p(Protocol::kSubmission, true);
  p.verdict = po::messages::Answer::kNeedName;
  p.name = "client.example.net";
  p.connect();
  p.say("EHLO x\r\n");
  CHECK(p.say("AUTH PLAIN AGphbmVAcG9kdW5rLmVkdQB3cm9uZw==\r\n").substr(0, 9) == "454 4.7.0");
  CHECK(p.names_asked == 1);
  CHECK(p.say(kAuth).substr(0, 9) == "235 2.7.0");
}

TEST_CASE("lines over their limit") {
  Player p(Protocol::kSubmission, true);
  p.connect();
  p.say("EHLO x\r\n");
  std::string line = "NOOP " + std::string(2041, 'x');
  CHECK(p.say(line + "\r\n").substr(0, 3) == "250");
  CHECK(p.say(line + "x\r\n").substr(0, 9) == "500 5.5.2");
  CHECK(p.say("AUTH PLAIN " + std::string(12000, 'A') + "\r\n").substr(0, 9) == "501 5.5.2");
  p.say("AUTH LOGIN\r\n");
  CHECK(p.say(std::string(13000, 'A') + "\r\n").substr(0, 9) == "500 5.5.6");
  CHECK(p.say(std::string(100000, 'A') + "\r\nNOOP\r\n").substr(0, 9) == "500 5.5.2");
}

TEST_CASE("an account that was locked or removed after its log-in sends nothing") {
  Player p(Protocol::kSubmission, true);
  p.connect();
  p.say("EHLO x\r\n");
  p.say(kAuth);
  p.world.accounts[2].locked = true;
  CHECK(p.say("MAIL FROM:<jane@podunk.edu>\r\n").substr(0, 9) == "550 5.7.1");
}

TEST_CASE("MAIL waits for the client's name where it is being looked up; the greeting does not") {
  Player p;
  p.client.name_coming = true;
  p.connect();
  CHECK(p.output.substr(0, 3) == "220");
  p.output.clear();
  p.say("EHLO x\r\n");
  CHECK(p.say("MAIL FROM:<a@remote.net>\r\nRCPT TO:<jane@podunk.edu>\r\nDATA\r\n.\r\n").empty());
  CHECK(p.session->waiting());
  p.give_name("client.example.net");
  CHECK(p.say("").substr(0, 9) == "250 2.1.0");
  REQUIRE(p.taken.size() == 1);
  CHECK(p.taken[0].body.find("from x (client.example.net [192.0.2.1])\r\n") != std::string::npos);
}
