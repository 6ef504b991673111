#include "wwwd/words.h"

#include <catch2/catch.hpp>

using namespace wwwd;

TEST_CASE("words: numbers, sizes, spans") {
  CHECK(count_text(0) == "0");
  CHECK(count_text(999) == "999");
  CHECK(count_text(1000) == "1,000");
  CHECK(count_text(1234567) == "1,234,567");
  CHECK(count_text(UINT64_MAX) == "18,446,744,073,709,551,615");
  CHECK(count_of(0, "message") == "0 messages");
  CHECK(count_of(1, "message") == "1 message");
  CHECK(count_of(2000, "reply", "replies") == "2,000 replies");
  CHECK(octets_text(1) == "1 octet");
  CHECK(octets_text(9999) == "9,999 octets");
  CHECK(octets_text(10'240) == "10.0 KiB");
  CHECK(octets_text(300'000) == "293 KiB");
  CHECK(octets_text(5ULL << 30) == "5.0 GiB");
  CHECK(octets_text(UINT64_MAX) == "16384 PiB");
  CHECK(span_text(-5) == "0 s");
  CHECK(span_text(99) == "99 s");
  CHECK(span_text(100) == "1 min");
  CHECK(span_text(6000) == "1 h");
  CHECK(span_text(47 * 3600) == "47 h");
  CHECK(span_text(48 * 3600) == "2 days");
}

TEST_CASE("words: a sentence") {
  CHECK(sentence("give a number") == "Give a number.");
  CHECK(sentence("Is it so?") == "Is it so?");
  CHECK(sentence("no!") == "No!");
  CHECK(sentence("it is.") == "It is.");
  CHECK(sentence("\u00e9") == "\u00e9.");
  CHECK(sentence("").empty());
}

TEST_CASE("words: times") {
  CHECK(time_text(1795659900) == "2026-11-26 02:25:00");
  CHECK(time_text(1795659900, false) == "2026-11-26 02:25");
  CHECK(clock_text(1795659900) == "02:25");
  CHECK(machine_time(1795659900) == "2026-11-26T02:25:00Z");
  CHECK(parse_time("2026-11-26T02:25:00Z") == 1795659900);
  CHECK(parse_time("2026-11-26T02:25:00.999999Z") == 1795659900);
  for (const char* bad : {"", "2026-11-26T02:25:00", "2026-11-26 02:25:00Z", "2026-02-31T00:00:00Z",
                          "2026-11-26T24:00:00Z", "2026-11-26T02:25:00.Zx", "2026-11-26T02:25:00+01:00",
                          "2026-13-26T02:25:00Z", "x026-11-26T02:25:00Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_time(bad));
  }
}

TEST_CASE("words: what is too long or no UTF-8") {
  CHECK(shortened("abc", 3) == "abc");
  CHECK(shortened("abcd", 3) == "abc\u2026");
  CHECK(shortened("a\u20acb", 3) == "a\u2026");
  CHECK(shortened("a\u20acb", 5) == "a\u20acb");
  CHECK(shortened("\xff\xe2\x82", 100) == "\ufffd\ufffd\ufffd");
  CHECK(shortened("", 0).empty());
}
