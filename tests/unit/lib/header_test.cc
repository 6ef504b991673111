#include "lib/header.h"

#include <catch2/catch.hpp>

#include <random>

using po::FromStyle;
using po::HeaderScanner;
using Field = HeaderScanner::Field;
using End = HeaderScanner::End;

namespace {

/// Everything a scan tells, as text: end, size, then the counts in the order of Field.
std::string told(const HeaderScanner& s) {
  std::string out;
  switch (s.end()) {
    case End::kNotYet:
      out = "not-yet";
      break;
    case End::kBlankLine:
      out = "blank";
      break;
    case End::kNotAField:
      out = "no-field";
      break;
    case End::kContent:
      out = "content";
      break;
  }
  out += " " + std::to_string(s.size()) + " ";
  for (std::size_t i = 0; i < HeaderScanner::kFields; ++i)
    out += std::to_string(s.count(static_cast<Field>(i)));
  return out;
}

std::string scan(const std::vector<std::string>& pieces, bool finish = true) {
  HeaderScanner s;
  for (const std::string& p : pieces) s.feed(p);
  if (finish) s.finish();
  return told(s);
}

std::string list(std::string_view value) {
  auto r = po::parse_address_list(value);
  if (!r) return "!";
  std::string out;
  for (const auto& m : *r) out += (out.empty() ? "" : " ") + m.canonical();
  return out;
}

}  // namespace

TEST_CASE("header: scan, however the content is cut") {
  struct Row {
    std::string content, told;
  };
  // received return-path date from sender reply-to to cc bcc message-id subject
  const Row rows[] = {
      {"", "content 0 00000000000"},
      {"\r\nbody\r\n", "blank 2 00000000000"},
      {"From: a\r\n\r\nTo: b\r\n", "blank 11 00010000000"},
      {"From: a\r\n", "content 9 00010000000"},
      {"From: a", "content 7 00010000000"},
      {"From", "no-field 0 00000000000"},
      {"FROM: a\r\nfrom : b\r\nFrom\t:c\r\n\r\n", "blank 30 00030000000"},
      {"Received: x\r\n by y\r\n\tfor z\r\nReceived: q\r\n\r\n", "blank 43 20000000000"},
      {"Received-SPF: x\r\nX-Received: y\r\nFromage: z\r\n\r\n", "blank 46 00000000000"},
      {"Return-Path:<>\r\nDate:d\r\nSender:s\r\nReply-To:r\r\nTo:t\r\nCc:c\r\nBcc:b\r\nMessage-ID:<m>"
       "\r\nSubject:s\r\n\r\n",
       "blank 94 01101111111"},
      {"hello world\r\nFrom: a\r\n\r\n", "no-field 0 00000000000"},
      {"From: a\r\nhello\r\n\r\n", "no-field 9 00010000000"},
      {"From: a\r\nhello world: x\r\n\r\n", "no-field 9 00010000000"},
      {" From: a\r\n\r\n", "no-field 0 00000000000"},
      {": a\r\n\r\n", "no-field 0 00000000000"},
      {"From: a\r\n:x\r\n", "no-field 9 00010000000"},
      {"Fr\xc3\xb6m: a\r\n\r\n", "no-field 0 00000000000"},
      {"From: a\r\n \r\n\r\nbody", "blank 14 00010000000"},
      {"A-Very-Long-Field-Name-That-Is-Not-Kept-At-All: a\r\nTo: b\r\n\r\n", "blank 60 00000010000"},
      {"From: a\r\n\rx", "no-field 9 00010000000"},
  };
  for (const Row& row : rows) {
    INFO(row.content);
    CHECK(scan({row.content}) == row.told);
    std::vector<std::string> singles;
    for (char c : row.content) singles.emplace_back(1, c);
    CHECK(scan(singles) == row.told);
    for (std::size_t cut = 0; cut <= row.content.size(); ++cut) {
      CHECK(scan({row.content.substr(0, cut), row.content.substr(cut)}) == row.told);
    }
  }
}

TEST_CASE("header: random content cut at random") {
  std::mt19937 random(2);
  const std::string parts[] = {"From", "Received", ":", " ", "\r\n", "\r", "\n", "x", "To: a\r\n", "\t"};
  for (int round = 0; round < 2000; ++round) {
    std::string content;
    for (unsigned n = random() % 20; n > 0; --n) content += parts[random() % std::size(parts)];
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < content.size();) {
      std::size_t n = 1 + random() % 5;
      pieces.push_back(content.substr(at, n));
      at += n;
    }
    REQUIRE(scan(pieces) == scan({content}));
    REQUIRE(scan(pieces, false) == scan({content}, false));
  }
}

TEST_CASE("header: the value of From") {
  struct Row {
    FromStyle style;
    const char *name, *value;
  };
  const Row rows[] = {
      {FromStyle::kNone, "Janie Lee", "janie@podunk.edu"},
      {FromStyle::kComment, "Janie Lee", "janie@podunk.edu (Janie Lee)"},
      {FromStyle::kQuoted, "Janie Lee", "\"Janie Lee\" <janie@podunk.edu>"},
      {FromStyle::kComment, "", "janie@podunk.edu"},
      {FromStyle::kQuoted, "  ", "janie@podunk.edu"},
      {FromStyle::kQuoted, "\x01\x02", "janie@podunk.edu"},
      {FromStyle::kComment, "J (the \\boss)", "janie@podunk.edu (J \\(the \\\\boss\\))"},
      {FromStyle::kQuoted, "J \"the\\boss\"", "\"J \\\"the\\\\boss\\\"\" <janie@podunk.edu>"},
      {FromStyle::kQuoted, "Lee, Janie", "\"Lee, Janie\" <janie@podunk.edu>"},
      {FromStyle::kQuoted, "Janie\r\nBcc: x", "\"Janie Bcc: x\" <janie@podunk.edu>"},
      {FromStyle::kQuoted, "Jürgen Groß", "=?utf-8?Q?J=C3=BCrgen_Gro=C3=9F?= <janie@podunk.edu>"},
      {FromStyle::kComment, "Jürgen (x)", "janie@podunk.edu (=?utf-8?Q?J=C3=BCrgen_=28x=29?=)"},
      {FromStyle::kQuoted, "=?x?Q?a?=", "=?utf-8?Q?=3D=3Fx=3FQ=3Fa=3F=3D?= <janie@podunk.edu>"},
      {FromStyle::kQuoted, "J\xff", "\"J?\" <janie@podunk.edu>"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(po::from_value(row.style, row.name, "janie@podunk.edu") == row.value);
  }
}

TEST_CASE("header: long names are folded and lines stay short") {
  std::string words, one(900, 'x'), umlauts;
  for (int i = 0; i < 100; ++i) words += "word ";
  for (int i = 0; i < 300; ++i) umlauts += "ü";
  for (const std::string& name : {words, one, umlauts, words + umlauts}) {
    for (FromStyle style : {FromStyle::kComment, FromStyle::kQuoted}) {
      std::string field = "From: " + po::from_value(style, name, "janie@podunk.edu") + "\r\n";
      for (std::size_t at = 0; at < field.size();) {
        std::size_t end = field.find("\r\n", at);
        REQUIRE(end != std::string::npos);
        CHECK(end - at <= 78);
        if (at > 0) CHECK(field[at] == ' ');
        at = end + 2;
      }
      auto back = po::from_addresses(field);
      REQUIRE(back.has_value());
      REQUIRE(back->size() == 1);
      CHECK(back->front().canonical() == "janie@podunk.edu");
    }
  }
}

TEST_CASE("header: From rewritten in its block") {
  struct Row {
    const char *before, *after;
  };
  const char* f = "From: a@x.org (A B)\r\n";
  const Row rows[] = {
      {"To: t\r\nFrom: old\r\n more\r\nDate: d\r\n\r\n", "To: t\r\n@Date: d\r\n\r\n"},
      {"FROM : old\r\n\r\n", "@\r\n"},
      {"From: old\r\nFrom: older\r\nTo: t\r\n\r\n", "@To: t\r\n\r\n"},
      {"To: t\r\n\r\n", "To: t\r\n@\r\n"},
      {"To: t\r\n", "To: t\r\n@"},
      {"To: t", "To: t\r\n@"},
      {"", "@"},
      {"\r\n", "@\r\n"},
      {"Fromage: x\r\n\r\n", "Fromage: x\r\n@\r\n"},
  };
  for (const Row& row : rows) {
    INFO(row.before);
    std::string after = row.after;
    after.replace(after.find('@'), 1, f);
    CHECK(po::rewrite_from(row.before, FromStyle::kComment, "A B", "a@x.org") == after);
    CHECK(po::rewrite_from(row.before, FromStyle::kNone, "A B", "a@x.org") == row.before);
  }
}

TEST_CASE("header: address lists that are understood") {
  struct Row {
    const char *value, *mailboxes;
  };
  const Row rows[] = {
      {" janie@podunk.edu", "janie@podunk.edu"},
      {"Janie Lee <janie@podunk.edu>", "janie@podunk.edu"},
      {"\"Lee, Janie\" <janie@podunk.edu>", "janie@podunk.edu"},
      {"janie@podunk.edu (Janie Lee)", "janie@podunk.edu"},
      {"(c) janie (c) @ (c) podunk . (c) edu (c)", "janie@podunk.edu"},
      {"J. R. \"Bob\" Dobbs <bob@x.org>", "bob@x.org"},
      {"<janie@podunk.edu>", "janie@podunk.edu"},
      {"a@x.org, B <b@x.org>,, c@x.org,", "a@x.org b@x.org c@x.org"},
      {"Team: a@x.org, B <b@x.org>;", "a@x.org b@x.org"},
      {"Team: a@x.org;, c@x.org", "a@x.org c@x.org"},
      {"<@r.org,@s.org:a@x.org>", "a@x.org"},
      {"\"a b\"@x.org", "\"a b\"@x.org"},
      {"\"a\".b@x.org", "a.b@x.org"},
      {"\"<other@y.org>\" <a@x.org>", "a@x.org"},
      {"(<other@y.org>) a@x.org", "a@x.org"},
      {"(a (nested) \\) comment) a@x.org", "a@x.org"},
      {"a@x.org\r\n (folded)", "a@x.org"},
      {"\"folded\r\n name\" <a@x.org>", "a@x.org"},
      {"a@[192.0.2.1]", "a@[192.0.2.1]"},
      {"=?utf-8?Q?J=C3=BCrgen?= <j@x.org>", "j@x.org"},
      {"Jürgen <jürgen@bücher.example>", "jürgen@xn--bcher-kva.example"},
      {"janie", "janie"},
      {"janie.lee", "janie.lee"},
      {"Janie <janie>", "janie"},
      {"A@X.ORG", "A@x.org"},
  };
  for (const Row& row : rows) {
    INFO(row.value);
    CHECK(list(row.value) == row.mailboxes);
  }
}

TEST_CASE("header: address lists that fail closed") {
  for (const std::string& value : {std::string(""),
                                   std::string("  "),
                                   std::string(","),
                                   std::string("()"),
                                   std::string("Team:;"),
                                   std::string("<>"),
                                   std::string("Janie Lee"),
                                   std::string("a@x.org b@x.org"),
                                   std::string("a@x.org <b@x.org>"),
                                   std::string("<a@x.org> <b@x.org>"),
                                   std::string("<a@x.org> b@x.org"),
                                   std::string("a@x.org Janie"),
                                   std::string("a@x.org@y.org"),
                                   std::string("<a@x.org"),
                                   std::string("a@x.org>"),
                                   std::string("\"Janie <a@x.org>"),
                                   std::string("(Janie a@x.org"),
                                   std::string("Janie) a@x.org"),
                                   std::string("a@x.org (\\"),
                                   std::string("@x.org"),
                                   std::string("a@"),
                                   std::string("a..b@x.org"),
                                   std::string(".a@x.org"),
                                   std::string("a b@x.org"),
                                   std::string("a@x..org"),
                                   std::string("a@[192.0.2.1"),
                                   std::string("Team: a@x.org"),
                                   std::string("Team: Sub: a@x.org;;"),
                                   std::string("a@x.org;"),
                                   std::string("Team: a@x.org; b@x.org"),
                                   std::string("a\\@x.org"),
                                   std::string("a@x.org\r\nb@x.org"),
                                   std::string("a@x.org\rb"),
                                   std::string("a\0@x.org", 8),
                                   std::string("\"\0\" <a@x.org>", 13),
                                   std::string("(\0) a@x.org", 11),
                                   std::string("a@x\xff.org"),
                                   std::string("<@r.org a@x.org>"),
                                   std::string("<a@x.org:b@y.org>")}) {
    INFO(value);
    CHECK(list(value) == "!");
  }
  std::string many;
  for (int i = 0; i < 101; ++i) many += "a@x.org,";
  CHECK(list(many) == "!");
  CHECK(list(std::string(100000, '(')) == "!");
}

TEST_CASE("header: whose message it is") {
  auto one = po::from_addresses("To: t@x.org\r\nFrom: Janie\r\n <janie@podunk.edu>\r\n\r\n");
  REQUIRE(one.has_value());
  CHECK(one->front().key() == "janie@podunk.edu");
  for (const char* bad : {"", "\r\n", "To: t@x.org\r\n\r\n", "From: a@x.org\r\nFROM: b@x.org\r\n\r\n",
                          "From:\r\n\r\n", "\r\nFrom: a@x.org\r\n"}) {
    INFO(bad);
    auto r = po::from_addresses(bad);
    REQUIRE(!r.has_value());
    CHECK(!r.error().text.empty());
  }
}

TEST_CASE("header: date and message id") {
  CHECK(po::format_date(0) == "Thu, 1 Jan 1970 00:00:00 +0000");
  CHECK(po::format_date(1795400882) == "Mon, 23 Nov 2026 02:28:02 +0000");
  CHECK(po::format_date(951782400) == "Tue, 29 Feb 2000 00:00:00 +0000");
  CHECK(po::format_date(951782400, -90) == "Mon, 28 Feb 2000 22:30:00 -0130");
  CHECK(po::format_date(951782400, 345) == "Tue, 29 Feb 2000 05:45:00 +0545");
  CHECK(po::make_message_id("abc", "x.org") == "<abc@x.org>");
}

TEST_CASE("header: addresses without a domain get one, and nothing else changes") {
  struct Row {
    std::string value, completed;
  };
  const std::vector<Row> rows = {
      {" root", " root@x.org"},
      {" root (Cron Daemon)", " root@x.org (Cron Daemon)"},
      {" \"J. Lee\" <jane>, joe@y.org,\r\n\tann", " \"J. Lee\" <jane@x.org>, joe@y.org,\r\n\tann@x.org"},
      {" (a, b) \"q r\"", " (a, b) \"q r\"@x.org"},
      {" team: ann, bob;, c@y.org", " team: ann@x.org, bob@x.org;, c@y.org"},
      {" undisclosed-recipients:;", " undisclosed-recipients:;"},
      {"", ""},
      {" a b", " a b"},
      {" <>", " <>"},
      {" a, b@", " a, b@"},
  };
  for (const Row& row : rows) {
    INFO(row.value);
    CHECK(po::complete_address_list(row.value, "x.org") == row.completed);
  }
  CHECK(po::complete_addresses("FROM: a\r\nTo:b\r\nSubject: c\r\nResent-Cc: d,\r\n e\r\nX-To: f\r\n\r\n",
                               "x.org") ==
        "FROM: a@x.org\r\nTo:b@x.org\r\nSubject: c\r\nResent-Cc: d@x.org,\r\n e@x.org\r\nX-To: f\r\n\r\n");
  CHECK(po::complete_addresses("To: a\r\nno field\r\nTo: b\r\n", "x.org") ==
        "To: a@x.org\r\nno field\r\nTo: b\r\n");
}

TEST_CASE("header: the Message-ID for the log") {
  struct Row {
    std::string content, id;
  };
  const std::vector<Row> rows = {
      {"Message-ID: <a@b>\r\n\r\n", "<a@b>"},
      {"message-id:\r\n <a@b>\r\nTo: x\r\n\r\n", "<a@b>"},
      {"Message-Id: <a@b> \r\nMessage-ID: <c@d>\r\n\r\n", "<a@b>"},
      {"Message-ID: <a b>\r\n\r\n", ""},
      {"Message-ID: <\xc3\xa4@b>\r\n\r\n", ""},
      {"Message-ID:\r\n\r\n", ""},
      {"To: x\r\n\r\nMessage-ID: <a@b>\r\n", ""},
      {"Message-ID: " + std::string(400, 'x') + "\r\n\r\n", std::string(250, 'x')},
  };
  for (const Row& row : rows) {
    for (std::size_t step : {1U, 3U, 1000U}) {
      HeaderScanner s;
      for (std::size_t at = 0; at < row.content.size(); at += step) s.feed(row.content.substr(at, step));
      s.finish();
      INFO(row.content);
      CHECK(s.message_id() == row.id);
    }
  }
}
