#include "smtpd/sendmail/options.h"

#include <catch2/catch.hpp>

using namespace sendmail;

namespace {

tl::expected<Options, std::string> parse(std::vector<const char*> words, std::string_view name = "sendmail") {
  return parse_options(name, words);
}

std::vector<std::string> recipients(const Options& o) {
  std::vector<std::string> out;
  for (const po::Mailbox& m : o.recipients) out.push_back(m.canonical());
  return out;
}

}  // namespace

TEST_CASE("the command lines of well-known callers") {
  SECTION("cron") {
    auto o = parse({"-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"});
    REQUIRE(o);
    CHECK(o->full_name == "CronDaemon");
    CHECK_FALSE(o->dot_ends);
    CHECK(o->body_8bit);
    CHECK(o->on_error == OnError::kMailBack);
    CHECK(recipients(*o) == std::vector<std::string>{"root"});
  }
  SECTION("git send-email") {
    auto o = parse({"-f", "a@x.org", "-i", "b@y.org", "c@z.org"});
    REQUIRE(o);
    CHECK(o->sender->canonical() == "a@x.org");
    CHECK(o->recipients.size() == 2);
  }
  SECTION("PHP") {
    auto o = parse({"-t", "-i", "-fwww@x.org"});
    REQUIRE(o);
    CHECK(o->from_header);
    CHECK(o->sender->canonical() == "www@x.org");
    CHECK(o->recipients.empty());
  }
  SECTION("mutt") {
    auto o = parse({"-oem", "-oi", "-f", "a@x.org", "-N", "failure,delay", "-R", "hdrs", "--", "-odd@x.org"});
    REQUIRE(o);
    CHECK(o->notify == "FAILURE,DELAY");
    CHECK(o->ret == "HDRS");
    CHECK(recipients(*o) == std::vector<std::string>{"-odd@x.org"});
  }
  SECTION("a cluster, with a value in the next word") {
    auto o = parse({"-tiof", "x", "-oi"});
    REQUIRE(o);  // -o takes "f", then "x" is the first recipient
    CHECK(o->from_header);
    CHECK(recipients(*o) == std::vector<std::string>{"x", "-oi"});
  }
}

TEST_CASE("modes") {
  struct Row {
    std::vector<const char*> words;
    const char* name;
    Mode mode;
  };
  const std::vector<Row> rows = {
      {{"-bm", "a"}, "sendmail", Mode::kSend},       {{"-bs"}, "sendmail", Mode::kSmtp},
      {{"-bp"}, "sendmail", Mode::kPrintQueue},      {{}, "mailq", Mode::kPrintQueue},
      {{"-Ac"}, "mailq", Mode::kPrintQueue},         {{"-v"}, "mailq", Mode::kPrintQueue},
      {{"-bi"}, "sendmail", Mode::kAliases},         {{}, "newaliases", Mode::kAliases},
      {{"-I"}, "sendmail", Mode::kAliases},          {{"-q"}, "sendmail", Mode::kRunQueue},
      {{"-qf"}, "sendmail", Mode::kRunQueue},        {{"-q30m"}, "sendmail", Mode::kRunQueue},
      {{"-qRexample"}, "sendmail", Mode::kRunQueue},
  };
  for (const Row& row : rows) {
    auto o = parse(row.words, row.name);
    REQUIRE(o);
    CHECK(o->mode == row.mode);
  }
}

TEST_CASE("-q alone is for the whole queue") {
  CHECK(parse({"-q"})->whole_queue);
  CHECK(parse({"-qf"})->whole_queue);
  CHECK_FALSE(parse({"-q30m"})->whole_queue);
  CHECK_FALSE(parse({"-qSjane"})->whole_queue);
}

TEST_CASE("flags that are understood and ignored") {
  auto o = parse({"-Am",  "-G",        "-L",    "tag",        "-h",
                  "3",    "-m",        "-n",    "-p",         "ESMTP",
                  "-U",   "-x",        "-d0.1", "-Xlog",      "-ODeliveryMode=b",
                  "-odb", "-oMrESMTP", "-O",    "Timeout=1h", "-T3d",
                  "a"});
  REQUIRE(o);
  CHECK(recipients(*o) == std::vector<std::string>{"a"});
  CHECK(o->dot_ends);
}

TEST_CASE("senders") {
  for (const char* null : {"", "<>", " <> "}) {
    auto o = parse({"-f", null, "a"});
    REQUIRE(o);
    CHECK(o->null_sender);
  }
  CHECK(parse({"-f", "<j@x.org>", "a"})->sender->canonical() == "j@x.org");
  CHECK(parse({"-r", "jane", "a"})->sender->canonical() == "jane");
  CHECK(parse({"-f", "Jane Lee <jane@x.org>", "a"})->sender->canonical() == "jane@x.org");
  CHECK(parse({"-f", "h1!h2!jane", "a"})->sender->canonical() == "jane%h2@h1");
}

TEST_CASE("recipients: lists, comments, UUCP paths") {
  auto o = parse({"a@x.org, b", "J. Doe <c@X.ORG>", "h1!h2!u", "(home) d@[192.0.2.1]"});
  REQUIRE(o);
  CHECK(recipients(*o) == std::vector<std::string>{"a@x.org", "b", "c@x.org", "u%h2@h1", "d@[192.0.2.1]"});
}

TEST_CASE("what is refused, with a sentence") {
  const std::vector<std::vector<const char*>> rows = {
      {"-bd"},
      {"-bD"},
      {"-bv", "a"},
      {"-bt"},
      {"-bh"},
      {"-b"},
      {"-Z"},
      {"-k", "a"},
      {"-f"},
      {"-f", "a b"},
      {"-f", "a, b"},
      {"-f", "a\r\nb"},
      {"-N", "x"},
      {"-N", ""},
      {"-N", "never,delay"},
      {"-N", "delay,delay"},
      {"-R", "all"},
      {"-V", "\xff"},
      {"-V", ""},
      {"-B", "BINARY"},
      {"-ex"},
      {"-oex"},
      {"<>"},
      {""},
      {"a@"},
      {"a b@x.org"},
      {"a@x.org\r\nRCPT TO:<b@y.org>"},
      {"\"a\r\n\"@x.org"},
  };
  for (const auto& words : rows) {
    INFO(words[0] << (words.size() > 1 ? words[1] : ""));
    auto o = parse(words);
    CHECK_FALSE(o);
    if (!o) {
      CHECK(o.error().size() > 10);
      CHECK(o.error().find('\n') == std::string::npos);
    }
  }
}
