// Replies, commands, trace, policy: tables.
#include <catch2/catch.hpp>

#include "smtpd/command.h"
#include "smtpd/local_users.h"
#include "smtpd/policy.h"
#include "smtpd/reply.h"
#include "smtpd/trace.h"

using namespace smtpd;
using namespace std::chrono_literals;

TEST_CASE("a reply line holds at most 512 octets and only printable ASCII of others") {
  std::string out;
  append_reply(out, 550, "5.1.1", "No\r\n250 such", "a\xff\x01@b");
  CHECK(out == "550 5.1.1 <a??@b>: No??250 such\r\n");
  out.clear();
  append_reply(out, 451, "4.3.0", std::string(600, 'x'));
  CHECK(out.size() == 512);
  CHECK(out.substr(510) == "\r\n");
  out.clear();
  std::vector<std::string> lines = {"a", "b"};
  append_lines(out, 250, lines);
  CHECK(out == "250-a\r\n250 b\r\n");
}

TEST_CASE("commands") {
  struct Row {
    std::string_view line;
    Verb verb;
    std::string_view argument;
  };
  const std::vector<Row> rows = {
      {"QUIT", Verb::kQuit, ""},
      {"quit ", Verb::kQuit, ""},
      {"mAiL FROM:<>", Verb::kMail, "FROM:<>"},
      {"EHLO  x ", Verb::kEhlo, "x"},
      {"MAILFROM:<>", Verb::kUnknown, ""},
      {"", Verb::kUnknown, ""},
      {"POST / HTTP/1.0", Verb::kHttp, "/ HTTP/1.0"},
      {"Host: a", Verb::kHttp, "a"},
      {"TURN", Verb::kNotBuilt, ""},
      {"STARTTLSX", Verb::kUnknown, ""},
  };
  for (const Row& row : rows) {
    Command c = parse_command(row.line);
    INFO(row.line);
    CHECK(c.verb == row.verb);
    CHECK(c.argument == row.argument);
  }
}

TEST_CASE("MAIL and RCPT parameters") {
  auto m = parse_mail("FROM:<a@b.net> size=12 BODY=8bitmime SMTPUTF8 RET=FULL ENVID=a+20b AUTH=x", true);
  REQUIRE(m);
  CHECK(m->size == 12);
  CHECK(m->body_8bit);
  CHECK(m->smtputf8);
  CHECK(m->ret == 1);
  CHECK(m->envid == "a+20b");
  CHECK(parse_mail("FROM: <>", true)->null);
  CHECK(parse_mail("FROM:<a>", false));
  for (const char* bad :
       {"FROM:", "TO:<a@b.net>", "FROM:<a@b.net> SMTPUTF8=1", "FROM:<a@b.net> SIZE",
        "FROM:<a@b.net> ENVID=a+", "FROM:<a@b.net> =x", "FROM:<a@b.net>x", "FROM:<a@b.net> BODY"}) {
    INFO(bad);
    CHECK_FALSE(parse_mail(bad, true));
  }
  auto r = parse_rcpt("TO:<a@b.net> NOTIFY=success,FAILURE ORCPT=rfc822;a@b.net", false);
  REQUIRE(r);
  CHECK(r->notify == (po::messages::kNotifySuccess | po::messages::kNotifyFailure));
  CHECK(r->orcpt == "rfc822;a@b.net");
  for (const char* bad : {"TO:<>", "TO:<a@b.net> NOTIFY=", "TO:<a@b.net> NOTIFY=SUCCESS,SUCCESS",
                          "TO:<a@b.net> NOTIFY=NEVER,NEVER", "TO:<a@b.net> ORCPT=;x",
                          "TO:<a@b.net> ORCPT=rfc822;a=b", "TO:<a@b.net> ORCPT=rfc822;a+0D+0Ab"}) {
    INFO(bad);
    CHECK_FALSE(parse_rcpt(bad, false));
  }
}

TEST_CASE("BDAT and PLAIN") {
  CHECK(parse_bdat("0 last")->last);
  CHECK(parse_bdat("18446744073709551615")->octets == ~0ULL);
  for (const char* bad : {"", "x", "-1", "1 FIRST", "1 LAST LAST", "18446744073709551616", "+1", "1.0"}) {
    CHECK_FALSE(parse_bdat(bad));
  }
  using std::string_literals::operator""s;
  CHECK(parse_plain("\0a\0b"s)->password == "b");
  CHECK(parse_plain("a\0a\0b"s)->login == "a");
  for (const std::string& bad :
       {"a"s, "a\0b"s, "x\0a\0b"s, "\0\0b"s, "\0a\0b\0c"s, "\0a\nb\0c"s, "\0\xff\0c"s}) {
    CHECK_FALSE(parse_plain(bad));
  }
}

TEST_CASE("trace words") {
  TraceFacts f;
  f.esmtp = false;
  CHECK(with_word(f) == "SMTP");
  f.esmtp = true;
  CHECK(with_word(f) == "ESMTP");
  f.authenticated = true;
  CHECK(with_word(f) == "ESMTPA");
  f.tls_version = "TLSv1.3";
  CHECK(with_word(f) == "ESMTPSA");
  f.smtputf8 = true;
  CHECK(with_word(f) == "UTF8SMTPSA");
  f.helo = "h";
  f.name = "n.example";
  f.client.family = 6;
  f.client.octets[15] = 1;
  f.host = "mx";
  f.id = "i";
  f.tls_cipher = "C";
  CHECK(received_field(f).find(
            "Received: from h (n.example [IPv6:::1])\r\n\tby mx (Post.Office) with UTF8SMTPSA id i\r\n\t"
            "(TLSv1.3 C); ") == 0);
}

TEST_CASE("ETRN's argument") {
  CHECK(parse_start("Podunk.EDU")->domain == "podunk.edu");
  CHECK_FALSE(parse_start("podunk.edu")->subdomains);
  CHECK(parse_start("@podunk.edu")->subdomains);
  CHECK(parse_start("[192.0.2.1]")->domain == "[192.0.2.1]");
  for (const char* bad :
       {"", "@", "#x", "@@x.org", "a b", "a@b.org", "<x.org>", "x..org", "x.org.", "\xff.org"}) {
    INFO(bad);
    CHECK_FALSE(parse_start(bad));
  }
}

TEST_CASE("permissions to start the queue") {
  po::messages::NetAddress near{4, {192, 0, 2, 1}, 0}, far{4, {198, 51, 100, 1}, 0};
  QueueStartPermissions p(
      {"podunk.edu 192.0.2.0/24", "friends.net \t friends.net", "x.org", "bad..name 192.0.2.1"});
  CHECK(p.allows("podunk.edu", near, ""));
  CHECK(p.allows("a.podunk.edu", near, ""));
  CHECK_FALSE(p.allows("apodunk.edu", near, ""));
  CHECK_FALSE(p.allows("edu", near, ""));
  CHECK_FALSE(p.allows("podunk.edu", far, "podunk.edu"));
  CHECK(p.allows("friends.net", far, "mail.friends.net"));
  CHECK_FALSE(p.allows("friends.net", far, ""));
  CHECK_FALSE(p.allows("x.org", near, "x.org"));
  CHECK(p.needs_name("friends.net", near));
  CHECK_FALSE(p.needs_name("podunk.edu", far));
  CHECK_FALSE(QueueStartPermissions().allows("podunk.edu", near, "podunk.edu"));
}

TEST_CASE("login names of local users") {
  LocalUsers users(
      "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:Ann,,,:/home/ann:/bin/sh\nbob:x:1000:1000::/:\n"
      "# no line\n\nno-number:x:x:1::/:\n(bad):x:5:5::/:\nlast:x:7:7::/:");
  CHECK(users.name(0) == "root");
  CHECK(users.name(1000) == "ann");
  CHECK(users.name(5).empty());
  CHECK(users.name(7) == "last");
  CHECK(users.name(99).empty());
}

TEST_CASE("quota") {
  directory::Settings s;
  directory::Account a;
  a.id = 2;
  CHECK(quota_of(a, s) == 0);
  s.default_mailbox_limit = 100;
  CHECK(quota_of(a, s) == 100);
  a.mailbox_limit = 50;
  CHECK(quota_of(a, s) == 50);
  a.id = directory::kPostmaster;
  CHECK(quota_of(a, s) == 0);
  CHECK_FALSE(over_quota(0, 1000, 1000));
  CHECK_FALSE(over_quota(100, 99, 0));
  CHECK(over_quota(100, 100, 0));
  CHECK_FALSE(over_quota(100, 40, 60));
  CHECK(over_quota(100, 40, 61));
  CHECK(over_quota(100, 40, ~0ULL));
}

TEST_CASE("patience: octets now and then buy no time") {
  directory::Settings s;
  s.smtp_command_seconds = 10;
  s.smtp_data_seconds = 5;
  s.smtp_session_seconds = 100;
  Moment t{};
  Patience p(t);
  SECTION("a command must be complete") {
    for (int i = 1; i <= 9; ++i) p.note(t + i * 1s, Phase::kCommand, 0, 0, 0);
    CHECK_FALSE(p.over(t + 9s, s));
    CHECK(p.over(t + 10s, s));
    p.note(t + 9s, Phase::kCommand, 1, 0, 0);
    CHECK_FALSE(p.over(t + 18s, s));
  }
  SECTION("a message must make progress") {
    p.note(t, Phase::kMessage, 1, 0, 0);
    for (int i = 1; i < 5; ++i) p.note(t + i * 1s, Phase::kMessage, 1, 100U * i, 0);
    CHECK(p.over(t + 5s, s));
    p.note(t + 4s, Phase::kMessage, 1, Patience::kProgress, 0);
    CHECK_FALSE(p.over(t + 8s, s));
    CHECK(p.over(t + 9s, s));
  }
  SECTION("nobody is blamed for our own slowness") {
    p.note(t, Phase::kOurs, 1, 0, 0);
    CHECK_FALSE(p.over(t + 1000s, s));
    p.note(t + 1000s, Phase::kCommand, 1, 0, 1);
    CHECK_FALSE(p.over(t + 1009s, s));
  }
  SECTION("a session without a message ends") {
    for (unsigned i = 1; i <= 20; ++i) p.note(t + i * 5s, Phase::kCommand, i, 0, 0);
    CHECK(p.over(t + 100s, s));
    p.note(t + 100s, Phase::kCommand, 21, 0, 1);
    CHECK_FALSE(p.over(t + 105s, s));
  }
}
