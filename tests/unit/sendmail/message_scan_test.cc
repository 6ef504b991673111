#include "smtpd/sendmail/message_scan.h"

#include <catch2/catch.hpp>

using namespace sendmail;

namespace {

struct Scanned {
  std::string header, body;
  bool ended = false, too_large = false, eight_bit = false;
  bool operator==(const Scanned&) const = default;
};

std::string joined(const std::vector<Field>& fields) {
  std::string out;
  for (const Field& f : fields) out += f.whole;
  return out;
}

Scanned scan(std::string_view in, bool dot_ends, std::size_t step) {
  MessageScan s(dot_ends);
  Scanned out;
  for (std::size_t at = 0; at < in.size(); at += step) s.feed(in.substr(at, step), out.body);
  out.ended = s.ended();
  s.finish(out.body);
  out.header = joined(s.fields());
  out.too_large = s.header_too_large();
  out.eight_bit = s.eight_bit();
  return out;
}

std::vector<Field> fields_of(std::string_view in) {
  MessageScan s(false);
  std::string body;
  s.feed(in, body);
  s.finish(body);
  return s.fields();
}

std::vector<std::string> recipients_of(std::string_view in) {
  auto found = header_recipients(fields_of(in));
  if (!found) return {"error: " + found.error().text};
  std::vector<std::string> out;
  for (const po::Mailbox& m : *found) out.push_back(m.canonical());
  return out;
}

using Names = std::vector<std::string>;
const Additions kAdditions{"J <j>", "today", "<id@host>"};

}  // namespace

TEST_CASE("lines, dots, header and body; however they are cut") {
  using std::string_literals::operator""s;
  struct Row {
    std::string in;
    bool dot_ends;
    std::string header, body;
    bool ended = false;
  };
  const std::vector<Row> rows = {
      {"", true, "", ""},
      {"a: b\n\nc\n", true, "a: b\r\n", "c\r\n"},
      {"a: b\r\n\r\nc\r\n", true, "a: b\r\n", "c\r\n"},
      {"a: b\r\r\n\r\r\nc\r\r\n", true, "a: b\r\n", "c\r\n"},
      {"a: b\n\nc", true, "a: b\r\n", "c\r\n"},
      {"a: b", true, "a: b\r\n", ""},
      {"a: b\n c\n\td\n\n", true, "a: b\r\n c\r\n\td\r\n", ""},
      {"\nbody: x\n", true, "", "body: x\r\n"},
      {"no header here\nx: y\n", true, "", "no header here\r\nx: y\r\n"},
      {"a: b\nno field\n\nc\n", true, "a: b\r\n", "no field\r\n\r\nc\r\n"},
      {" indented\n", true, "", " indented\r\n"},
      {"Subject\n\nx\n", true, "", "Subject\r\n\r\nx\r\n"},
      {"Subject", true, "", "Subject\r\n"},
      {"Subject : x\n", true, "Subject : x\r\n", ""},
      {": x\n", true, "", ": x\r\n"},
      {"From jane Thu Nov 26\na: b\n\nc\n", true, "a: b\r\n", "c\r\n"},
      {">From jane\nFrom jane\na: b\n", true, "", "From jane\r\na: b\r\n"},
      {"From \n\nx\n", true, "", "From \r\n\r\nx\r\n"},
      {"a: b\n\nc\n.\nd\n", true, "a: b\r\n", "c\r\n", true},
      {"a: b\n\nc\n.\r\nd\n", true, "a: b\r\n", "c\r\n", true},
      {"a: b\n\nc\n.", true, "a: b\r\n", "c\r\n", false},
      {"a: b\n.\nc\n", true, "a: b\r\n", "", true},
      {"a: b\n\nc\n.\nd\n", false, "a: b\r\n", "c\r\n.\r\nd\r\n"},
      {"a: b\n\n..\n.x\n. \n", true, "a: b\r\n", "..\r\n.x\r\n. \r\n"},
      // NUL vanishes; a CR alone ends a line of the body and is a space in the header
      {"a: \0b\n\n\0c\0\n\0"s, true, "a: b\r\n", "c\r\n"},
      {"a: b\n\n10%\r20%\rdone\n", true, "a: b\r\n", "10%\r\n20%\r\ndone\r\n"},
      {"a: b\rBcc: c\n\n", true, "a: b Bcc: c\r\n", ""},
      {"a: b\n\rBcc: c\n\n", true, "a: b\r\n Bcc: c\r\n", ""},
      {"a: b\n\nx\n.\r.\n", true, "a: b\r\n", "x\r\n", true},
  };
  for (const Row& row : rows) {
    for (std::size_t step : {1000U, 1U, 2U, 3U}) {
      INFO(row.in << " cut by " << step);
      Scanned got = scan(row.in, row.dot_ends, step);
      CHECK(got.header == row.header);
      CHECK(got.body == row.body);
      CHECK(got.ended == row.ended);
      CHECK_FALSE(got.too_large);
    }
  }
}

TEST_CASE("8-bit octets are seen in header and body") {
  CHECK_FALSE(scan("a: b\n\nc\n", true, 9).eight_bit);
  CHECK(scan("a: \xc3\xa4\n\nc\n", true, 9).eight_bit);
  CHECK(scan("a: b\n\n\xe4\n", true, 9).eight_bit);
}

TEST_CASE("the header is bounded, a line of the body is not") {
  std::string field = "a: " + std::string(60000, 'x') + "\n";
  CHECK_FALSE(scan(field + "\nb\n", true, 4096).too_large);
  CHECK(scan(field + field, true, 4096).too_large);
  CHECK(scan(field + " " + field, true, 1).too_large);
  std::string line(200000, 'x');
  Scanned got = scan(line, true, 4096);
  CHECK_FALSE(got.too_large);
  CHECK(got.body == line + "\r\n");
}

TEST_CASE("recipients of the header") {
  CHECK(
      recipients_of("To: a@x.org, B <b@x.org>\nCC: c\nBcc: d@x.org (D)\nSubject: e@x.org\n\nTo: f@x.org\n") ==
      Names{"a@x.org", "b@x.org", "c", "d@x.org"});
  CHECK(recipients_of("to: a@x.org,\n b@x.org\n") == Names{"a@x.org", "b@x.org"});
  CHECK(recipients_of("To: undisclosed-recipients:;\nBcc: a@x.org\n") == Names{"a@x.org"});
  CHECK(recipients_of("To:\nCc: a@x.org\n") == Names{"a@x.org"});
  CHECK(recipients_of("To: h1!h2!u\n") == Names{"u%h2@h1"});
  CHECK(recipients_of("To: a@x.org\nResent-To: b@x.org\nResent-Bcc: c@x.org\n") ==
        Names{"b@x.org", "c@x.org"});
  CHECK(recipients_of("To: a@x.org\nResent-From: b@x.org\n").empty());
  CHECK(recipients_of("To: a b@x.org\n").front().starts_with("error: the field To is not understood: "));
  CHECK(recipients_of("Cc: \"a@x.org\n").front().starts_with("error: "));
  std::string many = "To: a0@x.org";
  for (int i = 1; i < 1000; ++i) many += ",\n a" + std::to_string(i) + "@x.org";
  CHECK(recipients_of(many).size() == 1000);
}

TEST_CASE("the header that is sent") {
  CHECK(finished_header(fields_of("Subject: s\n"), kAdditions) ==
        "Date: today\r\nMessage-ID: <id@host>\r\nFrom: J <j>\r\nSubject: s\r\n\r\n");
  CHECK(finished_header(fields_of("FROM: x\ndate: y\nmessage-id: z\nBcc: a,\n b\nReturn-Path: <q>\nTo: c\n"
                                  "Content-Length: 9\n"),
                        kAdditions) == "FROM: x\r\ndate: y\r\nmessage-id: z\r\nTo: c\r\n\r\n");
  CHECK(finished_header({}, kAdditions) == "Date: today\r\nMessage-ID: <id@host>\r\nFrom: J <j>\r\n\r\n");
  CHECK(finished_header(
            fields_of("From: x\nDate: y\nMessage-ID: z\nResent-To: a\nResent-Bcc: b\nResent-Date: d\n"),
            kAdditions) ==
        "Resent-Message-ID: <id@host>\r\nResent-From: J <j>\r\nFrom: x\r\nDate: y\r\nMessage-ID: z\r\n"
        "Resent-To: a\r\nResent-Date: d\r\n\r\n");
}
