#include "deliver/unix/mbox.h"

#include <catch2/catch.hpp>

using namespace unix_deliver;

static std::string encoded(std::string_view message, std::size_t piece) {
  MboxEncoder encoder;
  std::string out;
  for (std::size_t at = 0; at < message.size(); at += piece) encoder.add(message.substr(at, piece), out);
  encoder.finish(out);
  return out;
}

TEST_CASE("mbox: the first line names the sender and the time") {
  std::tm at{};
  at.tm_year = 126;
  at.tm_mon = 10;
  at.tm_mday = 6;
  at.tm_wday = 5;
  at.tm_hour = 7;
  at.tm_min = 5;
  at.tm_sec = 9;
  CHECK(from_line("jane@podunk.edu", at) == "From jane@podunk.edu  Fri Nov  6 07:05:09 2026\n");
  CHECK(from_line("", at) == "From MAILER-DAEMON  Fri Nov  6 07:05:09 2026\n");
  CHECK(from_line("\"jane lee\"@podunk.edu", at) ==
        "From \"jane-lee\"@podunk.edu  Fri Nov  6 07:05:09 2026\n");
  CHECK(from_line("a\nFrom b@c.org", at).find('\n') == from_line("a\nFrom b@c.org", at).size() - 1);
}

TEST_CASE("mbox: line ends are the host's, From is quoted, a blank line ends it") {
  struct {
    const char *message, *wanted;
  } const cases[] = {
      {"Subject: x\r\n\r\nbody\r\n", "Subject: x\n\nbody\n\n"},
      {"From here on\r\nFrom\r\nFromage\r\n From x\r\n>From y\r\n",
       ">From here on\nFrom\nFromage\n From x\n>From y\n\n"},
      {"a\r\n\r\nFrom me\r\n", "a\n\n>From me\n\n"},
      {"no end", "no end\n\n"},
      {"a From b\r\n", "a From b\n\n"},
      {"lone\rcr\r\n", "lone\rcr\n\n"},
      {"ends with cr\r", "ends with cr\r\n\n"},
      {"\r\r\nFrom x", "\r\n>From x\n\n"},
      {"Fro", "Fro\n\n"},
      {"From ", ">From \n\n"},
      {"", "\n"},
      {"Status: RO\r\nX-UID: 7\r\nstatus : x\r\nStatusquo: y\r\n\r\nStatus: z\r\n",
       "X-Old-Status: RO\nX-Old-X-UID: 7\nstatus : x\nStatusquo: y\n\nStatus: z\n\n"},
      {"A: b\r\nCONTENT-LENGTH:\r\n 5\r\nX-IMAPbase: 1 2\r\nX-IMAP: 3\r\n\r\n",
       "A: b\nX-Old-CONTENT-LENGTH:\n 5\nX-Old-X-IMAPbase: 1 2\nX-Old-X-IMAP: 3\n\n\n"},
      {"Sta", "Sta\n\n"},
  };
  for (const auto& c : cases) {
    for (std::size_t piece : {1, 2, 3, 1000}) {
      CAPTURE(c.message, piece);
      CHECK(encoded(c.message, piece) == c.wanted);
    }
  }
}

TEST_CASE("mbox: what stands before the message") {
  CHECK(trace_lines("jane@podunk.edu", "bob@podunk.edu") ==
        "Return-Path: <jane@podunk.edu>\nDelivered-To: bob@podunk.edu\n");
  CHECK(trace_lines("", "bob@podunk.edu") == "Return-Path: <>\nDelivered-To: bob@podunk.edu\n");
}
