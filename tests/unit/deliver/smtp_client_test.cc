#include "deliver/smtp_client.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "tests/unit/deliver/player.h"

namespace {

using namespace deliver;
using deliver::test::make_job;
using deliver::test::Player;
using po::messages::Job;
using po::messages::TlsLevel;

constexpr std::size_t kSteps[] = {0, 1, 2, 5};
const std::string kMany = "220 hi\r\n250-me\r\n250-PIPELINING\r\n250 DSN\r\n";

Terms terms(TlsLevel tls = TlsLevel::kOpportunistic) {
  Terms t;
  t.tls = tls;
  return t;
}

Terms with_password(bool same_host = false) {
  Terms t;
  t.user = "user";
  t.password = "secret";
  t.same_host = same_host;
  return t;
}

/// One dialogue: what the server says, turn by turn, and all that comes out.
struct Dialog {
  const char* what;
  Terms terms;
  Job job;
  std::vector<std::string> server;
  std::string expected;
};

void check(const Dialog& d) {
  for (std::size_t step : kSteps) {
    Player p(d.terms, d.job, step);
    for (const std::string& turn : d.server) {
      if (turn == "(closes)") {
        p.close();
      } else if (turn == "(waits)") {
        p.time_out();
      } else {
        p.say(turn);
      }
    }
    INFO(d.what << ", in pieces of " << step);
    CHECK(p.take() == d.expected);
  }
}

}  // namespace

TEST_CASE("smtp_client: what EHLO offers") {
  auto e = parse_extensions({"me.example hello STARTTLS", "pipelining", "SIZE 1000", "8BITMIME", "SMTPUTF8",
                             "CHUNKING", "DSN", "AUTH LOGIN plain", "LIMITS RCPTMAX=50 MAILMAX=3", "X"});
  CHECK((e.pipelining && e.size && e.eight_bit && e.smtputf8 && e.chunking && e.dsn && e.auth_login &&
         e.auth_plain));
  CHECK_FALSE(e.starttls);
  CHECK(e.max_size == 1000);
  CHECK(e.max_recipients == 50);
  CHECK(parse_extensions({"", "SIZE"}).max_size == 0);
  CHECK(parse_extensions({"", "SIZE 99999999999999999999999"}).max_size == 0);
  CHECK(parse_extensions({"", "SIZE -1"}).max_size == 0);
  CHECK(parse_extensions({"", "AUTH=PLAIN LOGIN"}).auth_plain);
  CHECK(parse_extensions({}).max_size == 0);
  CHECK_FALSE(parse_extensions({"", "STARTTLSX"}).starttls);
}

TEST_CASE("smtp_client: dialogues") {
  const std::string kBody = "Subject: x\r\n\r\nhi\r\n";
  const Dialog dialogs[] = {
      {"one after the other",
       terms(),
       make_job({"x@y.example"}),
       {"220 hi\r\n", "250 me\r\n", "250 2.1.0 ok\r\n", "250 2.1.5 ok\r\n", "354 go\r\n",
        "250 2.0.0 taken\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n" + kBody +
           ".\r\n(finished) [0 done 2.0.0 theirs]\n"},
      {"all at once",
       terms(),
       make_job({"x@y.example", "z@y.example"}),
       {"220 hi\r\n", "250-me\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 PIPELINING\r\n",
        "250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n", "250 ok\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example> SIZE=18\r\nRCPT TO:<x@y.example>\r\n"
       "RCPT TO:<z@y.example>\r\nDATA\r\n" +
           kBody + ".\r\n(finished) [1 permanent 5.1.1 theirs] [0 done 2.0.0 theirs]\n"},
      {"HELO where EHLO is unknown",
       terms(),
       make_job({"x@y.example"}),
       {"220 hi\r\n", "502 what?\r\n", "250 me\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n"},
       "EHLO me.example\r\nHELO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT "
       "TO:<x@y.example>\r\nDATA\r\n" +
           kBody + ".\r\n(finished) [0 done 2.0.0 theirs]\n"},
      {"CHUNKING: all in one write",
       terms(),
       make_job({"x@y.example"}),
       {"220 hi\r\n", "250-me\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nBDAT 18 LAST\r\n" +
           kBody + "(finished) [0 done 2.0.0 theirs]\n"},
      {"CHUNKING without PIPELINING",
       terms(),
       make_job({"x@y.example"}),
       {"220 hi\r\n", "250-me\r\n250 CHUNKING\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nBDAT 18 LAST\r\n" +
           kBody + "(finished) [0 done 2.0.0 theirs]\n"},
      {"CHUNKING, nobody taken: the chunk has gone all the same",
       terms(),
       make_job({"x@y.example"}),
       {"220 hi\r\n", "250-me\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
        "250 ok\r\n550 no\r\n503 no recipients\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nBDAT 18 LAST\r\n" +
           kBody + "(finished) [0 permanent 5.0.0 theirs]\n"},
      {"the sender is refused",
       terms(),
       make_job({"x@y.example", "z@y.example"}),
       {"220 hi\r\n", "250 me\r\n", "550 5.7.1 not you\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\n"
       "(finished) [0 permanent 5.7.1 theirs] [1 permanent 5.7.1 theirs]\n"},
      {"the sender is refused, pipelined",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "451 4.3.0 later\r\n503 no sender\r\n503 no recipient\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n"
       "(finished) [0 temporary 4.3.0 theirs]\n"},
      {"nobody is taken, pipelined, and DATA is answered all the same",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n550 no\r\n354 go\r\n", "554 no recipients\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n.\r\n"
       "(finished) [0 permanent 5.0.0 theirs]\n"},
      {"nobody is taken, one after the other",
       terms(),
       make_job({"x@y.example"}),
       {"220 hi\r\n", "250 me\r\n", "250 ok\r\n", "450 4.2.1 later\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\n"
       "(finished) [0 temporary 4.2.1 theirs]\n"},
      {"too many recipients: the rest is left",
       terms(),
       make_job({"x@y.example", "y@y.example", "z@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n452 4.5.3 too many\r\n552 too many\r\n354 go\r\n", "250 ok\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nRCPT "
       "TO:<y@y.example>\r\n"
       "RCPT TO:<z@y.example>\r\nDATA\r\n" +
           kBody + ".\r\n(finished, dsn) [0 done 2.0.0 theirs] [1 left] [2 left]\n"},
      {"452 and 552 that are about something else",
       terms(),
       make_job({"x@y.example", "y@y.example", "z@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n452 4.2.2 full\r\n552 5.2.2 full\r\n354 go\r\n", "250 ok\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nRCPT "
       "TO:<y@y.example>\r\n"
       "RCPT TO:<z@y.example>\r\nDATA\r\n" +
           kBody +
           ".\r\n(finished, dsn) [1 temporary 4.2.2 theirs] [2 permanent 5.2.2 theirs] [0 done 2.0.0 "
           "theirs]\n"},
      {"DATA is refused",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n554 5.5.1 no\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n"
       "(finished) [0 permanent 5.5.1 theirs]\n"},
      {"the content is refused",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n354 go\r\n", "554 5.7.1 spam\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n" + kBody +
           ".\r\n(finished) [0 permanent 5.7.1 theirs]\n"},
      {"a status of another class than the code is not believed",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n354 go\r\n", "450 5.7.1 hm\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n" + kBody +
           ".\r\n(finished) [0 temporary 4.0.0 theirs]\n"},
      {"421 to the greeting",
       terms(),
       make_job({"x@y.example"}),
       {"421 4.3.2 busy\r\n"},
       "QUIT\r\n(failed in session: temporary 4.3.2 theirs)\n(close)\n"},
      {"554 to the greeting",
       terms(),
       make_job({"x@y.example"}),
       {"554 no mail here\r\n"},
       "QUIT\r\n(failed in session: permanent 5.0.0 theirs)\n(close)\n"},
      {"421 to MAIL",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "421 4.7.0 too many\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\nQUIT\r\n"
       "(failed in session: temporary 4.7.0 theirs) [0 left]\n(close)\n"},
      {"421 to RCPT: who was refused stays so, the others are left",
       terms(),
       make_job({"x@y.example", "y@y.example", "z@y.example"}),
       {kMany, "250 ok\r\n550 no\r\n250 ok\r\n421 enough\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nRCPT "
       "TO:<y@y.example>\r\n"
       "RCPT TO:<z@y.example>\r\nDATA\r\nQUIT\r\n"
       "(failed in envelope: temporary 4.0.0 theirs) [0 permanent 5.0.0 theirs] [1 left] [2 "
       "left]\n(close)\n"},
      {"421 to the end of the message is an answer",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n354 go\r\n", "421 4.3.2 down\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n" + kBody +
           ".\r\n(finished) [0 temporary 4.3.2 theirs]\n(close)\n"},
      {"the connection breaks after the end",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n354 go\r\n", "(closes)"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n" + kBody +
           ".\r\n(failed in end: temporary 4.4.2 ours) [0 temporary 4.4.2 ours]\n(close)\n"},
      {"no answer to the end",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n354 go\r\n", "(waits)"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n" + kBody +
           ".\r\n(failed in end: temporary 4.4.2 ours) [0 temporary 4.4.2 ours]\n(close)\n"},
      {"garbage after the end",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n354 go\r\n", "yes\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n" + kBody +
           ".\r\n(failed in end: temporary 4.5.0 ours) [0 temporary 4.5.0 ours]\n(close)\n"},
      {"354 to the end is nonsense",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n354 go\r\n", "354 go on\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n" + kBody +
           ".\r\n(failed in end: temporary 4.0.0 theirs) [0 temporary 4.0.0 theirs]\n(close)\n"},
      {"250 to DATA is nonsense",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n250 ok\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\nQUIT\r\n"
       "(failed in envelope: temporary 4.0.0 theirs) [0 left]\n(close)\n"},
      {"an answer too many",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "250 ok\r\n250 ok\r\n354 go\r\n", "250 ok\r\n250 ok\r\n"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n" + kBody +
           ".\r\n(finished, dsn) [0 done 2.0.0 theirs]\nQUIT\r\n(failed in session: temporary 4.0.0 "
           "theirs)\n(close)\n"},
      {"closed before the greeting",
       terms(),
       make_job({"x@y.example"}),
       {"(closes)"},
       "(failed in session: temporary 4.4.2 ours)\n(close)\n"},
      {"closed before MAIL is answered",
       terms(),
       make_job({"x@y.example"}),
       {kMany, "(closes)"},
       "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n"
       "(failed in session: temporary 4.4.2 ours) [0 left]\n(close)\n"},
  };
  for (const Dialog& d : dialogs) check(d);
}

TEST_CASE("smtp_client: the next transaction") {
  for (std::size_t step : kSteps) {
    Player p(terms(), make_job({"x@y.example"}), step);
    p.talk(kMany);
    p.talk("250 ok\r\n550 no\r\n503 no\r\n");
    CHECK(p.client.ready());
    p.take();
    // A transaction that was not ended is ended by RSET, without waiting.
    p.begin();
    CHECK(p.take() == "RSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n");
    p.talk("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    p.talk("250 ok\r\n");
    CHECK(p.take() == "Subject: x\r\n\r\nhi\r\n.\r\n(finished, dsn) [0 done 2.0.0 theirs]\n");
    p.begin();
    CHECK(p.take() == "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n");
    p.talk("250 ok\r\n250 ok\r\n354 go\r\n");
    p.talk("250 ok\r\n");
    p.take();
    p.quit();
    CHECK(p.take() == "QUIT\r\n(close)\n");
    p.talk("221 bye\r\n");
    p.close();
    CHECK(p.take() == "");
  }
}

TEST_CASE("smtp_client: TLS") {
  const std::string kOffers = "250-me\r\n250 STARTTLS\r\n";
  const std::string kRest = "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\n";
  for (TlsLevel level : {TlsLevel::kOpportunistic, TlsLevel::kRequired, TlsLevel::kVerified}) {
    Player p(terms(level));
    p.talk("220 hi\r\n");
    p.talk(kOffers);
    p.talk("220 go\r\n");
    CHECK(p.take() == "EHLO me.example\r\nSTARTTLS\r\n(tls)\nEHLO me.example\r\n");
    p.talk(kOffers);
    CHECK(p.take() == "(ready)\nMAIL FROM:<a@b.example>\r\n");  // not again
  }
  Player none(terms(TlsLevel::kNone));
  none.talk("220 hi\r\n" + kOffers);
  CHECK(none.take() == kRest);

  Player not_offered(terms(TlsLevel::kRequired));
  not_offered.talk("220 hi\r\n250 me\r\n");
  CHECK(not_offered.take() == "EHLO me.example\r\n(failed in session: temporary 4.7.4 ours)\n(close)\n");

  Player refused(terms());
  refused.talk("220 hi\r\n" + kOffers + "454 4.7.0 not now\r\n");
  CHECK(refused.take() == "EHLO me.example\r\nSTARTTLS\r\n(ready)\nMAIL FROM:<a@b.example>\r\n");

  Player refused_hard(terms(TlsLevel::kVerified));
  refused_hard.talk("220 hi\r\n" + kOffers + "454 4.7.0 not now\r\n");
  CHECK(refused_hard.take() ==
        "EHLO me.example\r\nSTARTTLS\r\n(failed in session: temporary 4.7.4 ours)\n(close)\n");

  for (TlsLevel level : {TlsLevel::kOpportunistic, TlsLevel::kRequired}) {
    Player broken(terms(level));
    broken.tls_works = false;
    broken.talk("220 hi\r\n" + kOffers + "220 go\r\n");
    broken.take();
    broken.talk("250 injected\r\n");  // in clear, behind the reply: never read
    CHECK(broken.take() == "");
    broken.close("the TLS handshake failed");
    bool clear = level == TlsLevel::kOpportunistic;
    CHECK(broken.take() == std::string("(failed in session: temporary 4.7.5 ours") +
                               (clear ? ", clear may do" : "") + ")\n(close)\n");
  }
}

TEST_CASE("smtp_client: passwords") {
  const std::string kPlain = "250-me\r\n250 AUTH LOGIN PLAIN\r\n", kLogin = "250-me\r\n250 AUTH LOGIN\r\n";
  Player clear(with_password());
  clear.talk("220 hi\r\n" + kPlain);
  CHECK(clear.take() == "EHLO me.example\r\n(failed in session: temporary 4.7.0 ours)\n(close)\n");

  Player plain(with_password(true));
  plain.talk("220 hi\r\n" + kPlain);
  CHECK(plain.take() == "EHLO me.example\r\nAUTH PLAIN AHVzZXIAc2VjcmV0\r\n");
  plain.talk("235 2.7.0 ok\r\n");
  CHECK(plain.take() == "(ready)\nMAIL FROM:<a@b.example>\r\n");

  Player login(with_password(true));
  login.talk("220 hi\r\n" + kLogin);
  login.talk("334 VXNlcm5hbWU6\r\n");
  login.talk("334 UGFzc3dvcmQ6\r\n");
  CHECK(login.take() == "EHLO me.example\r\nAUTH LOGIN\r\ndXNlcg==\r\nc2VjcmV0\r\n");
  login.talk("235 ok\r\n");
  CHECK(login.take() == "(ready)\nMAIL FROM:<a@b.example>\r\n");

  // Under TLS what was offered in clear does not count.
  Player tls(with_password());
  tls.talk("220 hi\r\n250-me\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n220 go\r\n");
  CHECK(tls.take() == "EHLO me.example\r\nSTARTTLS\r\n(tls)\nEHLO me.example\r\n");
  tls.talk("250 me\r\n");
  CHECK(tls.take() == "(failed in session: temporary 4.7.0 ours)\n(close)\n");

  // A refusal is temporary, and says nothing that we sent.
  Player wrong(with_password(true));
  wrong.talk("220 hi\r\n" + kPlain + "535 5.7.8 no\r\n");
  CHECK(wrong.take() ==
        "EHLO me.example\r\nAUTH PLAIN AHVzZXIAc2VjcmV0\r\nQUIT\r\n(failed in session: temporary 4.7.8 "
        "theirs)\n(close)\n");
  CHECK(wrong.why.reply == "log-in refused: 535 5.7.8 no");

  // 235 before the password was given is no log-in.
  Player early(with_password(true));
  early.talk("220 hi\r\n" + kLogin + "235 ok\r\n");
  CHECK(early.take() ==
        "EHLO me.example\r\nAUTH LOGIN\r\nQUIT\r\n(failed in session: temporary 4.0.0 theirs)\n(close)\n");
}

TEST_CASE("smtp_client: parameters") {
  Job job = make_job({"x@y.example", "z@y.example"});
  job.ret = 2;
  job.envid = "QQ+2B1";
  job.body_8bit = true;
  job.recipients[0].notify = po::messages::kNotifySuccess | po::messages::kNotifyDelay;
  job.recipients[0].orcpt = "rfc822;x@y.example";
  job.recipients[1].notify = po::messages::kNotifyNever;
  Player dsn(terms(), job);
  dsn.talk("220 hi\r\n250-me\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 DSN\r\n");
  CHECK(dsn.take() ==
        "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example> BODY=8BITMIME RET=HDRS ENVID=QQ+2B1\r\n"
        "RCPT TO:<x@y.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y.example\r\nRCPT TO:<z@y.example> "
        "NOTIFY=NEVER\r\n"
        "DATA\r\n");
  dsn.talk("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n");
  CHECK(dsn.take().find("(finished, dsn)") != std::string::npos);

  Player without(terms(), job);
  without.talk("220 hi\r\n250-me\r\n250 PIPELINING\r\n");
  CHECK(without.take() ==
        "EHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@y.example>\r\nRCPT "
        "TO:<z@y.example>\r\nDATA\r\n");
  without.talk("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n");
  CHECK(without.take().find("(finished) ") != std::string::npos);

  job.sender = "";
  Player null(terms(), job);
  null.talk("220 hi\r\n250 me\r\n");
  CHECK(null.take() == "EHLO me.example\r\n(ready)\nMAIL FROM:<>\r\n");
}

TEST_CASE("smtp_client: what the host cannot take is not begun") {
  const std::string kUtf8Address = "j\xc3\xbcrg@y.example";
  struct Row {
    const char* what;
    Job job;
    const char* ehlo;
    const char* expected;
  };
  Job utf8_recipient = make_job({kUtf8Address, "x@y.example"});
  utf8_recipient.smtputf8 = true;
  Job utf8_sender = make_job({"x@y.example"});
  utf8_sender.sender = kUtf8Address;
  Job utf8_header = make_job({"x@y.example"}, "Subject: \xc3\xbc\r\n\r\nhi\r\n");
  utf8_header.smtputf8 = true;
  Job ascii = make_job({"x@y.example"});
  ascii.smtputf8 = true;
  Job control = make_job({"x@y.example>\r\nDATA"});
  const Row rows[] = {
      {"too large", make_job({"x@y.example"}), "250-me\r\n250 SIZE 17\r\n",
       "(finished) [0 permanent 5.3.4 ours]\n"},
      {"SIZE without a number", make_job({"x@y.example"}), "250-me\r\n250 SIZE\r\n",
       "MAIL FROM:<a@b.example> SIZE=18\r\n"},
      {"SIZE 0 is no limit", make_job({"x@y.example"}), "250-me\r\n250 SIZE 0\r\n",
       "MAIL FROM:<a@b.example> SIZE=18\r\n"},
      {"a recipient in UTF-8: the other goes", utf8_recipient, "250 me\r\n", "MAIL FROM:<a@b.example>\r\n"},
      {"a recipient in UTF-8", utf8_recipient, "250-me\r\n250 SMTPUTF8\r\n",
       "MAIL FROM:<a@b.example> SMTPUTF8\r\n"},
      {"a sender in UTF-8", utf8_sender, "250 me\r\n", "(finished) [0 permanent 5.6.7 ours]\n"},
      {"a header in UTF-8", utf8_header, "250-me\r\n250 8BITMIME\r\n",
       "(finished) [0 permanent 5.6.7 ours]\n"},
      {"nothing in UTF-8", ascii, "250 me\r\n", "MAIL FROM:<a@b.example>\r\n"},
      {"nothing in UTF-8, known", ascii, "250-me\r\n250 SMTPUTF8\r\n",
       "MAIL FROM:<a@b.example> SMTPUTF8\r\n"},
      {"an address that is none", control, "250 me\r\n", "(finished) [0 permanent 5.1.3 ours]\n"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    Player p(terms(), row.job);
    p.talk("220 hi\r\n");
    p.talk(row.ehlo);
    CHECK(p.take() == std::string("EHLO me.example\r\n(ready)\n") + row.expected);
  }
  // LIMITS: what is over waits for the next transaction.
  Player limits(terms(), make_job({"a@y.example", "b@y.example", "c@y.example"}));
  limits.talk("220 hi\r\n250-me\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2\r\n");
  limits.talk("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n");
  CHECK(limits.take().find("(finished) [0 done 2.0.0 theirs] [1 done 2.0.0 theirs] [2 left]\n") !=
        std::string::npos);
}

TEST_CASE("smtp_client: content") {
  SECTION("dots are doubled, but not in a chunk") {
    Job job = make_job({"x@y.example"}, ".a\r\n..b\r\nc.\r\n.\r\n");
    Player data(terms(), job);
    data.talk("220 hi\r\n250 me\r\n250 ok\r\n250 ok\r\n");
    data.take();
    data.talk("354 go\r\n");
    CHECK(data.take() == "..a\r\n...b\r\nc.\r\n..\r\n.\r\n");
    Player bdat(terms(), job);
    bdat.talk("220 hi\r\n250-me\r\n250 CHUNKING\r\n250 ok\r\n");
    bdat.take();
    bdat.talk("250 ok\r\n");
    CHECK(bdat.take() == "BDAT 16 LAST\r\n.a\r\n..b\r\nc.\r\n.\r\n");
  }
  SECTION("recoded for a host without 8BITMIME, and then not by BDAT") {
    Job job = make_job({"x@y.example"}, "Subject: x\r\n\r\n\xfc\r\n");
    Player p(terms(), job);
    p.talk("220 hi\r\n250-me\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    p.take();
    p.talk("250 ok\r\n250 ok\r\n354 go\r\n");
    CHECK(p.take() ==
          "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n.\r\n");
    Player knows(terms(), job);
    knows.talk("220 hi\r\n250-me\r\n250 8BITMIME\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    CHECK(
        knows.take().ends_with("MAIL FROM:<a@b.example> BODY=8BITMIME\r\nRCPT TO:<x@y.example>\r\nDATA\r\n"
                               "Subject: x\r\n\r\n\xfc\r\n.\r\n"));
  }
  SECTION("that cannot be read never gets its end") {
    for (const char* ehlo : {"250 me\r\n", "250-me\r\n250 CHUNKING\r\n"}) {
      Player p(terms());
      p.body_cut = 4;
      p.talk("220 hi\r\n" + std::string(ehlo) + "250 ok\r\n");
      p.take();
      p.talk("250 ok\r\n354 go\r\n");
      std::string out = p.take();
      CHECK(out.find("\r\n.\r\n") == std::string::npos);
      CHECK(out.ends_with("(failed in envelope: temporary 4.3.0 ours) [0 left]\n(close)\n"));
    }
  }
  SECTION("a large one waits for the recipients' answers before BDAT") {
    Player p(terms(), make_job({"x@y.example"}, std::string(SmtpClient::kAhead, 'x') + "\r\n"));
    p.talk("220 hi\r\n250-me\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    CHECK(p.take().ends_with("RCPT TO:<x@y.example>\r\n"));
    p.talk("250 ok\r\n550 no\r\n");
    CHECK(p.take() == "(finished) [0 permanent 5.0.0 theirs]\n");
  }
  SECTION("an answer in the middle of it") {
    for (const char* said : {"552 5.3.4 too large\r\n", "421 down\r\n", "250 fine\r\n"}) {
      Player p(terms());
      p.give_body = false;
      p.talk("220 hi\r\n250 me\r\n250 ok\r\n250 ok\r\n354 go\r\n");
      CHECK(p.take().ends_with("(body?)\n"));
      p.talk(said);
      bool settled = said[0] == '5';
      CHECK(
          p.take() ==
          (settled
               ? "QUIT\r\n(failed in envelope: temporary 4.3.4 theirs) [0 permanent 5.3.4 theirs]\n(close)\n"
               : "QUIT\r\n(failed in envelope: temporary 4.0.0 theirs) [0 left]\n(close)\n"));
    }
  }
}

TEST_CASE("smtp_client: time limits") {
  using namespace std::chrono_literals;
  Player p(terms());
  p.give_body = false;
  CHECK(p.client.time_limit() == 5min);
  p.talk("220 hi\r\n250 me\r\n");
  CHECK(p.client.time_limit() == 5min);  // MAIL
  p.talk("250 ok\r\n250 ok\r\n");
  CHECK(p.client.time_limit() == 2min);  // DATA
  p.talk("354 go\r\n");
  CHECK(p.client.time_limit() == 3min);  // a piece
  Player end(terms());
  end.talk("220 hi\r\n250 me\r\n250 ok\r\n250 ok\r\n354 go\r\n");
  CHECK(end.client.time_limit() == 10min);
  CHECK(end.client.end_sent());
  end.talk("250 ok\r\n");
  CHECK(end.client.time_limit() == 0s);
  CHECK_FALSE(end.client.end_sent());
  // All is sent in one go, and the host answers when it has looked at it: the end is what it is at.
  Player pipeline(terms());
  pipeline.say("220 hi\r\n250-me\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
  CHECK(pipeline.client.time_limit() == 10min);
  (void)pipeline.take();
  pipeline.time_out();
  CHECK(pipeline.take() == "(failed in end: temporary 4.4.2 ours) [0 temporary 4.4.2 ours]\n(close)\n");
}

// ---- LMTP

namespace {

const std::string kStore = "220 store\r\n250-store\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
const std::string kThree = "250 sender\r\n250 x\r\n550 5.1.1 y\r\n250 z\r\n";
const std::string kThreeCommands =
    "LHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x>\r\nRCPT TO:<y>\r\nRCPT TO:<z>\r\n"
    "DATA\r\n";

Terms to_store() {
  Terms t;
  t.tls = TlsLevel::kNone;
  t.lmtp = true;
  return t;
}

}  // namespace

TEST_CASE("smtp_client: a mail store answers for each recipient that it took") {
  const std::string kBody = "Subject: x\r\n\r\nhi\r\n.\r\n";
  const Dialog dialogs[] = {
      {"both taken",
       to_store(),
       make_job({"x", "y", "z"}),
       {kStore, kThree, "354 go\r\n", "250 2.0.0 x\r\n250 2.0.0 z\r\n"},
       kThreeCommands + kBody +
           "(finished) [1 permanent 5.1.1 theirs] [0 done 2.0.0 theirs] [2 done 2.0.0 theirs]\n"},
      {"each its own",
       to_store(),
       make_job({"x", "y", "z"}),
       {kStore, kThree, "354 go\r\n", "552 5.2.2 full\r\n", "250 2.0.0 z\r\n"},
       kThreeCommands + kBody +
           "(finished) [1 permanent 5.1.1 theirs] [0 permanent 5.2.2 theirs] [2 done 2.0.0 theirs]\n"},
      {"one answered, and gone: the other may be there or not",
       to_store(),
       make_job({"x", "y", "z"}),
       {kStore, kThree, "354 go\r\n", "250 2.0.0 x\r\n", "(closes)"},
       kThreeCommands + kBody +
           "(failed in end: temporary 4.4.2 ours) [1 permanent 5.1.1 theirs] [0 done 2.0.0 theirs]"
           " [2 temporary 4.4.2 ours]\n(close)\n"},
      {"who closes speaks for all",
       to_store(),
       make_job({"x", "y", "z"}),
       {kStore, kThree, "354 go\r\n", "421 4.3.2 bye\r\n"},
       kThreeCommands + kBody +
           "(finished) [1 permanent 5.1.1 theirs] [0 temporary 4.3.2 theirs] [2 temporary 4.3.2 "
           "theirs]\n(close)\n"},
      {"one answer too many",
       to_store(),
       make_job({"x", "y", "z"}),
       {kStore, kThree, "354 go\r\n", "250 2.0.0 x\r\n250 2.0.0 z\r\n250 2.0.0 who\r\n"},
       kThreeCommands + kBody +
           "(finished) [1 permanent 5.1.1 theirs] [0 done 2.0.0 theirs] [2 done 2.0.0 theirs]\n"
           "QUIT\r\n(failed in session: temporary 4.0.0 theirs)\n(close)\n"},
      {"it says nothing at the end",
       to_store(),
       make_job({"x"}),
       {kStore, "250 sender\r\n250 x\r\n", "354 go\r\n", "(waits)"},
       "LHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x>\r\nDATA\r\n" + kBody +
           "(failed in end: temporary 4.4.2 ours) [0 temporary 4.4.2 ours]\n(close)\n"},
      {"nobody was taken: no content is offered",
       to_store(),
       make_job({"x"}),
       {kStore, "250 sender\r\n550 5.1.1 x\r\n"},
       "LHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x>\r\n"
       "(finished) [0 permanent 5.1.1 theirs]\n"},
      {"by BDAT, not ahead of the answers",
       to_store(),
       make_job({"x", "y"}),
       {"220 store\r\n250-store\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250 sender\r\n250 x\r\n250 y\r\n",
        "250 2.0.0 x\r\n451 4.3.0 y\r\n"},
       "LHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x>\r\nRCPT TO:<y>\r\n"
       "BDAT 18 LAST\r\nSubject: x\r\n\r\nhi\r\n"
       "(finished) [0 done 2.0.0 theirs] [1 temporary 4.3.0 theirs]\n"},
      {"its promises about notices are not asked for",
       to_store(),
       make_job({"x"}),
       {"220 store\r\n250-store\r\n250 DSN\r\n", "250 sender\r\n", "250 x\r\n", "354 go\r\n",
        "250 2.0.0 x\r\n"},
       "LHLO me.example\r\n(ready)\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x>\r\nDATA\r\n" + kBody +
           "(finished) [0 done 2.0.0 theirs]\n"},
      {"what listens speaks SMTP: that can be mended",
       to_store(),
       make_job({"x"}),
       {"220 host\r\n500 5.5.1 what\r\n"},
       "LHLO me.example\r\nQUIT\r\n(failed in session: temporary 4.5.1 theirs)\n(close)\n"},
      {"a store that wants nobody: that can be mended",
       to_store(),
       make_job({"x"}),
       {"554 5.3.2 no\r\n"},
       "QUIT\r\n(failed in session: temporary 4.3.2 theirs)\n(close)\n"},
  };
  for (const Dialog& d : dialogs) check(d);
}

TEST_CASE("smtp_client: a store without SMTPUTF8 hears of an internationalised sender all the same") {
  Job job = make_job({"x"});
  job.sender = "j\xc3\xa4n@b.example";
  Player p(to_store(), job);
  p.say(kStore);
  CHECK(p.take() == "LHLO me.example\r\n(ready)\nMAIL FROM:<j\xc3\xa4n@b.example>\r\nRCPT TO:<x>\r\n");
}

TEST_CASE("smtp_client: an early answer of a store is about one recipient") {
  for (bool several : {false, true}) {
    Player p(to_store(), several ? make_job({"x", "y"}) : make_job({"x"}));
    p.give_body = false;
    p.say(kStore);
    p.say(several ? "250 sender\r\n250 x\r\n250 y\r\n" : "250 sender\r\n250 x\r\n");
    p.say("354 go\r\n");
    p.take();
    p.say("552 5.2.2 full\r\n");
    CHECK(p.take() ==
          (several ? "QUIT\r\n(failed in envelope: temporary 4.2.2 theirs) [0 left] [1 left]\n(close)\n"
                   : "QUIT\r\n(failed in envelope: temporary 4.2.2 theirs) [0 permanent 5.2.2 theirs]\n"
                     "(close)\n"));
  }
}

TEST_CASE("smtp_client: a BDAT that failed at a store is reset") {
  Player p(to_store(), make_job({"x", "y"}));
  p.say("220 store\r\n250-store\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
  p.say("250 sender\r\n250 x\r\n250 y\r\n");
  p.say("451 4.3.0 x\r\n250 2.0.0 y\r\n");
  p.take();
  p.begin({0});
  CHECK(p.take().starts_with("RSET\r\nMAIL FROM"));
}
