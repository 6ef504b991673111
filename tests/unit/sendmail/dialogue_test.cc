// The dialogue with a fake smtpd on a socket pair: replies, statuses, what is sent.
#include "smtpd/sendmail/dialogue.h"

#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "smtpd/sendmail/caller.h"

using namespace sendmail;
using namespace std::chrono_literals;

namespace {

struct Played {
  Outcome outcome;
  std::string sent;
};

/// `replies` are all there before anything is said; the fake closes when sendmail has.
Played play(std::string_view replies, const Envelope& envelope, Content content = {}) {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  Played out;
  std::thread fake([&out, replies, peer = po::Fd(ends[1])] {
    REQUIRE(::send(peer.get(), replies.data(), replies.size(), 0) == static_cast<ssize_t>(replies.size()));
    ::shutdown(peer.get(), SHUT_WR);
    char piece[65536];
    ssize_t n = 0;
    while ((n = ::read(peer.get(), piece, sizeof piece)) > 0)
      out.sent.append(piece, static_cast<std::size_t>(n));
  });
  out.outcome = submit(po::Fd(ends[0]), envelope, content, Clock::now() + 5s, false);
  fake.join();
  return out;
}

Envelope to(std::vector<std::string> recipients) {
  Envelope e;
  e.sender = "jane";
  for (const std::string& r : recipients) {
    e.recipients.push_back(*po::parse_mailbox(r, {.utf8 = true, .need_domain = false}));
  }
  return e;
}

Content text(std::string start) {
  Content c;
  c.start = std::move(start);
  return c;
}

constexpr std::string_view kGreeted = "220 mx ESMTP\r\n250-mx\r\n250 HELP\r\n";

std::string greeted(std::string_view rest) {
  return std::string(kGreeted) + std::string(rest);
}

}  // namespace

TEST_CASE("a small message is one write, in order") {
  Envelope e = to({"joe", "ann@x.org"});
  e.notify = "NEVER";
  e.ret = "HDRS";
  e.envid = "a b";
  e.body_8bit = true;
  Played p = play(greeted("250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n250 2.0.0 ok\r\n221 bye\r\n"), e,
                  text("Subject: x\r\n\r\n"));
  CHECK(p.outcome.status == EX_OK);
  CHECK(p.outcome.taken);
  CHECK(p.sent ==
        "EHLO localhost\r\nMAIL FROM:<jane> SIZE=14 BODY=8BITMIME RET=HDRS ENVID=a+20b\r\n"
        "RCPT TO:<joe> NOTIFY=NEVER\r\nRCPT TO:<ann@x.org> NOTIFY=NEVER\r\nBDAT 14 LAST\r\n"
        "Subject: x\r\n\r\nQUIT\r\n");
}

TEST_CASE("what replies come to") {
  struct Row {
    std::string replies;
    int status;
    bool taken, again;
    std::size_t refused;
  };
  const std::vector<Row> rows = {
      {"", EX_TEMPFAIL, false, true, 0},
      {"421 4.3.2 going down\r\n", EX_TEMPFAIL, false, true, 0},
      {"521 5.5.1 no\r\n", EX_PROTOCOL, false, false, 0},
      {"hello\r\n", EX_PROTOCOL, false, false, 0},
      {greeted("451 4.3.0 wait\r\n503 x\r\n503 x\r\n503 x\r\n"), EX_TEMPFAIL, false, true, 0},
      {greeted("550 5.7.1 not you\r\n503 x\r\n503 x\r\n503 x\r\n"), EX_NOPERM, false, false, 0},
      {greeted("552 5.3.4 large\r\n503 x\r\n503 x\r\n503 x\r\n"), EX_UNAVAILABLE, false, false, 0},
      {greeted("250 ok\r\n550 5.1.1 none\r\n250 ok\r\n250 ok\r\n221 bye\r\n"), EX_NOUSER, true, false, 1},
      {greeted("250 ok\r\n550 5.1.1 none\r\n452 4.2.2 full\r\n554 none\r\n221 bye\r\n"), EX_TEMPFAIL, false,
       false, 2},
      {greeted("250 ok\r\n553 5.1.3 bad\r\n550 5.1.2 none\r\n554 none\r\n"), EX_DATAERR, false, false, 2},
      {greeted("250 ok\r\n421 4.3.2 away\r\n"), EX_TEMPFAIL, false, true, 0},
      {greeted("250 ok\r\n451 4.3.0 away\r\n250 ok\r\n250 ok\r\n221 bye\r\n"), EX_TEMPFAIL, true, false, 1},
      {greeted("250 ok\r\n451 4.3.0 away\r\n550 5.1.1 none\r\n554 none\r\n221 bye\r\n"), EX_TEMPFAIL, false,
       true, 2},
      {greeted("250 ok\r\n250 ok\r\n250 ok\r\n"), EX_TEMPFAIL, false, true, 0},
      {greeted("250 ok\r\n250 ok\r\n250 ok\r\n451 4.3.0 try\r\n"), EX_TEMPFAIL, false, true, 0},
      {greeted("250 ok\r\n250 ok\r\n250 ok\r\n452 4.3.1 full\r\n"), EX_TEMPFAIL, false, false, 0},
      {greeted("250 ok\r\n250 ok\r\n250 ok\r\n554 5.4.6 loop\r\n"), EX_UNAVAILABLE, false, false, 0},
      {greeted("250 ok\r\n250 ok\r\n250 ok\r\n250 taken\r\n"), EX_OK, true, false, 0},
  };
  for (const Row& row : rows) {
    INFO(row.replies);
    Outcome o = play(row.replies, to({"a", "b"}), text("x\r\n")).outcome;
    CHECK(o.status == row.status);
    CHECK(o.taken == row.taken);
    CHECK(o.again == row.again);
    CHECK(o.refused.size() == row.refused);
    CHECK((o.status == EX_OK || !o.why.empty() || !o.refused.empty()));
  }
}

TEST_CASE("a large message, from memory and file, waits for the recipients' replies") {
  Content c = text(std::string(100'000, 'a'));
  char name[] = "/tmp/sendmail_test_XXXXXX";
  c.file.reset(::mkstemp(name));
  REQUIRE(c.file);
  ::unlink(name);
  std::string rest(200'000, 'b');
  REQUIRE(::write(c.file.get(), rest.data(), rest.size()) == static_cast<ssize_t>(rest.size()));
  c.file_size = rest.size();
  Played p = play(greeted("250 ok\r\n250 ok\r\n250 taken\r\n221 bye\r\n"), to({"a"}), std::move(c));
  CHECK(p.outcome.status == EX_OK);
  CHECK(p.sent.find("BDAT 300000 LAST\r\naaa") != std::string::npos);
  CHECK(p.sent.ends_with("bbbQUIT\r\n"));
}

TEST_CASE("nobody left: the content is not sent") {
  Content c = text(std::string(100'000, 'a'));
  Played p = play(greeted("250 ok\r\n550 5.1.1 none\r\n"), to({"a"}), std::move(c));
  CHECK(p.outcome.status == EX_NOUSER);
  REQUIRE(p.outcome.refused.size() == 1);
  CHECK(p.outcome.refused[0].line == "<a>: 550 5.1.1 none");
  CHECK(p.sent.find("BDAT") == std::string::npos);
}

TEST_CASE("who is put off for a moment while others are taken is tried again alone") {
  Envelope e = to({"a", "b", "c"});
  Outcome settled;
  Outcome first =
      play(greeted("250 ok\r\n451 4.3.0 away\r\n550 5.1.1 none\r\n250 ok\r\n250 taken\r\n221 bye\r\n"), e,
           text("x\r\n"))
          .outcome;
  REQUIRE(keep_put_off(e, first, settled));
  REQUIRE(e.recipients.size() == 1);
  CHECK(e.recipients[0].canonical() == "a");

  auto end = [&](const std::string& replies) {
    Outcome last = play(greeted(replies), e, text("x\r\n")).outcome;
    return together(settled, std::move(last), e);
  };
  Outcome taken = end("250 ok\r\n250 ok\r\n250 taken\r\n221 bye\r\n");
  CHECK(taken.taken);
  CHECK(taken.status == EX_NOUSER);
  REQUIRE(taken.refused.size() == 1);
  CHECK(taken.refused[0].line == "<b>: 550 5.1.1 none");

  Outcome broken = end("");
  CHECK(broken.taken);
  CHECK(broken.status == EX_TEMPFAIL);
  REQUIRE(broken.refused.size() == 2);
  CHECK(broken.refused[1].line == "<a>: the connection broke");

  // Refused in one way and in another: both are told of.
  e = to({"a", "c"});
  Outcome both = end("250 ok\r\n550 5.1.1 none\r\n250 ok\r\n452 4.3.1 full\r\n");
  REQUIRE(both.refused.size() == 3);
  CHECK(both.refused[2].line == "<c>: 452 4.3.1 full");
  CHECK(both.status == EX_TEMPFAIL);
}

TEST_CASE("nobody is tried again of a try that took the message for all, or for none") {
  for (const char* replies :
       {"250 ok\r\n250 ok\r\n250 taken\r\n", "250 ok\r\n451 4.3.0 away\r\n554 none\r\n"}) {
    Envelope e = to({"a"});
    Outcome settled, outcome = play(greeted(replies), e, text("x\r\n")).outcome;
    CHECK_FALSE(keep_put_off(e, outcome, settled));
    CHECK(e.recipients.size() == 1);
    CHECK(together(settled, outcome, e).status == outcome.status);
  }
}

TEST_CASE("many recipients go in parts") {
  std::vector<std::string> names;
  std::string replies = greeted("250 ok\r\n");
  for (int i = 0; i < 250; ++i) {
    names.push_back("a" + std::to_string(i));
    replies += "250 ok\r\n";
  }
  Played p = play(replies + "250 taken\r\n221 bye\r\n", to(names), text("x\r\n"));
  CHECK(p.outcome.status == EX_OK);
  CHECK(p.sent.find("RCPT TO:<a249>\r\nBDAT 3 LAST\r\nx\r\nQUIT\r\n") != std::string::npos);
}

TEST_CASE("UTF-8 addresses ask for SMTPUTF8") {
  Played p = play(greeted(""), to({"j\xc3\xa4ne@x.org"}), text("x\r\n"));
  CHECK(p.sent.find("> SIZE=3 SMTPUTF8\r\n") != std::string::npos);
}

TEST_CASE("replies are read whole, and garbage is seen") {
  using Status = ReplyReader::Status;
  Reply r;
  ReplyReader reader;
  reader.feed("250-a\r\n250 2.1.0 b");
  CHECK(reader.next(r) == Status::kNeedMore);
  reader.feed(" c\r\n354\r\n");
  REQUIRE(reader.next(r) == Status::kReply);
  CHECK(r.code == 250);
  CHECK(r.enhanced == "2.1.0");
  CHECK(r.text == "b c");
  REQUIRE(reader.next(r) == Status::kReply);
  CHECK(r.code == 354);
  CHECK(r.enhanced.empty());
  CHECK(reader.next(r) == Status::kNeedMore);
  for (const std::string& bad : {std::string("abc\r\n"), std::string("2x0 a\r\n"), std::string("650 a\r\n"),
                                 std::string("250_a\r\n"), std::string("\r\n"), std::string(5000, '2')}) {
    ReplyReader other;
    other.feed(bad);
    CHECK(other.next(r) == Status::kGarbage);
  }
}

TEST_CASE("the name in a comment field") {
  CHECK(name_in_comment("Janie Lee,Room 5,,", "jane") == "Janie Lee");
  CHECK(name_in_comment("& Lee", "jane") == "Jane Lee");
  CHECK(name_in_comment("", "jane").empty());
  CHECK(name_in_comment(",,,", "jane").empty());
}
