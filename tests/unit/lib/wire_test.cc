#include "lib/wire.h"

#include <time.h>

#include <catch2/catch.hpp>

#include "lib/channel.h"
#include "lib/checksum.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/messages.h"
#include "lib/net_address.h"
#include "lib/notice.h"
#include "lib/ticket.h"

using namespace po;

TEST_CASE("wire: what is encoded decodes to the same, and to nothing else") {
  messages::Submit in;
  in.id = IdMaker(7).next(1'700'000'000'000);
  in.sender = "a@b.example";
  in.recipients = {{"c@d.example", messages::kNotifyDelay, "rfc822;c"}, {"e@f.example", 0, ""}};
  in.size = 5;
  in.body = std::string("a\0b\r\n", 5);
  std::string bytes = wire::encode(in);
  messages::Submit out;
  REQUIRE(wire::decode(bytes, out));
  CHECK(out.id == in.id);
  CHECK(out.recipients[0].orcpt == "rfc822;c");
  CHECK(out.body == in.body);
  for (std::size_t n = 0; n < bytes.size(); ++n) CHECK_FALSE(wire::decode(bytes.substr(0, n), out));
  CHECK_FALSE(wire::decode(bytes + "x", out));
}

TEST_CASE("wire: hostile counts, bools and enums are refused before memory is taken") {
  std::vector<std::uint64_t> v;
  CHECK_FALSE(wire::decode(std::string("\xff\xff\xff\xff", 4), v));
  bool b = false;
  CHECK_FALSE(wire::decode(std::string("\2", 1), b));
  Kind kind = Kind::kDone;
  CHECK_FALSE(wire::decode(std::string("\3", 1), kind));
  CHECK(wire::decode(std::string("\2", 1), kind));
}

TEST_CASE("id: text form and back, never the same twice") {
  IdMaker maker(0x123456);
  MessageId a = maker.next(1'700'000'000'000);
  MessageId b = maker.next(1'700'000'000'000);
  CHECK(a < b);
  CHECK(a.text().size() == 20);
  CHECK(MessageId::parse(a.text()) == a);
  CHECK_FALSE(MessageId::parse("short"));
  CHECK_FALSE(MessageId::parse(std::string(20, 'u')));
  CHECK_FALSE(MessageId::parse(std::string(20, 'z')));  // non-zero bits behind the last octet
  CHECK(maker.next_session() != maker.next_session());
}

TEST_CASE("checksum: any way of cutting gives the same, any change another") {
  std::string text = "The quick brown fox jumps over the lazy dog, twice or more.";
  Checksum whole;
  whole.add(text);
  CHECK(whole.value() == 0x72db021eb80ba057);  // stands in stores: it is the same for ever
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t j = i; j <= text.size(); ++j) {
      Checksum cut;
      cut.add(std::string_view(text).substr(0, i));
      cut.add(std::string_view(text).substr(i, j - i));
      cut.add(std::string_view(text).substr(j));
      REQUIRE(cut.value() == whole.value());
    }
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] ^= 1;
    Checksum c;
    c.add(other);
    CHECK(c.value() != whole.value());
  }
  Checksum longer;
  longer.add(text + std::string(1, '\0'));
  CHECK(longer.value() != whole.value());
}

TEST_CASE("notice: only its sender, only newer, only unchanged") {
  messages::Key key{};
  key[0] = 9;
  NoticeWriter writer(5, key);
  NoticeReader reader(5, key);
  messages::Notice notice;
  notice.sessions = 3;
  std::string one = writer.seal(notice);
  std::string two = writer.seal(notice);
  REQUIRE(reader.open(one));
  CHECK_FALSE(reader.open(one));  // repeated
  REQUIRE(reader.open(two));
  CHECK_FALSE(reader.open(one));  // late
  std::string three = writer.seal(notice);
  for (std::size_t i = 0; i < three.size(); ++i) {
    std::string bad = three;
    bad[i] ^= 1;
    CHECK_FALSE(reader.open(bad));
  }
  CHECK(reader.open(three));
  NoticeReader stranger(6, key);
  CHECK_FALSE(stranger.open(writer.seal(notice)));
  CHECK(notice_sender(one) == 5U);
  CHECK_FALSE(notice_sender("abc"));
}

TEST_CASE("ticket: its clock is not the time of day, which may be stepped back") {
  timespec boot{};
  REQUIRE(::clock_gettime(CLOCK_BOOTTIME, &boot) == 0);
  CHECK(ticket_now_ms() / 1000 - static_cast<std::uint64_t>(boot.tv_sec) <= 1);
}

TEST_CASE("ticket: opens with its key, unchanged") {
  messages::Key key{};
  key[31] = 1;
  std::string sealed = seal_ticket(key, Ticket{12, 34, 56, "s-1"});
  auto ticket = open_ticket(key, sealed);
  REQUIRE(ticket);
  CHECK(ticket->account == 12);
  CHECK(ticket->session == "s-1");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string bad = sealed;
    bad[i] ^= 1;
    CHECK_FALSE(open_ticket(key, bad));
  }
  CHECK_FALSE(open_ticket(messages::Key{}, sealed));
}

TEST_CASE("seal: opens for its own purpose") {
  messages::Key key{};
  std::string sealed = seal(key, "a purpose", "words");
  CHECK(sealed == "words" + hmac_sha256(key, "a purposewords"));
  CHECK(unseal(key, "a purpose", sealed) == "words");
  CHECK_FALSE(unseal(key, "another purpose", sealed));
  CHECK(unseal(key, "a purpose", seal(key, "a purpose", "")) == "");
  CHECK_FALSE(unseal(key, "a purpose", sealed.substr(0, 31)));
  CHECK_FALSE(unseal(key, "a purpose", ""));
}

TEST_CASE("log: a value cannot end its line or look like another") {
  std::string out;
  append_log_value(out, "a b\r\nevent=forged \"x\" \\ \xff");
  CHECK(out == "\"a b\\x0d\\x0aevent=forged \\\"x\\\" \\\\ \\xff\"");
  out.clear();
  append_log_value(out, "jane@podunk.edu");
  CHECK(out == "jane@podunk.edu");
  out.clear();
  append_log_value(out, "");
  CHECK(out == "\"\"");
}

TEST_CASE("addresses: text, loopback, what limits count by") {
  struct Row {
    const char *text, *printed, *key;
    bool loopback;
  };
  for (const Row& row :
       {Row{"192.0.2.1", "192.0.2.1", "192.0.2.1", false}, Row{"127.9.0.1", "127.9.0.1", "127.9.0.1", true},
        Row{"::1", "::1", "::/64", true}, Row{"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", false},
        Row{"2001:db8:1:2:3::4", "2001:db8:1:2:3::4", "2001:db8:1:2::/64", false}}) {
    auto a = parse_address(row.text);
    REQUIRE(a);
    CHECK(address_text(*a) == row.printed);
    CHECK(limit_key(*a) == row.key);
    CHECK(is_loopback(*a) == row.loopback);
  }
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "gg::", "1.2.3.4 ", "localhost"})
    CHECK_FALSE(parse_address(bad));
}
