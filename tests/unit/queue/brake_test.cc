#include "queue/brake.h"

#include <catch2/catch.hpp>

#include "lib/net_address.h"

using namespace queue;

namespace {

constexpr std::uint64_t kHour = 3'600'000, kDay = 24 * kHour;
constexpr std::uint64_t kStart = 20'000 * kDay;  // midnight somewhere
const BrakedSender kJane{BrakedSender::Kind::kAccount, 7, 0};

store::Envelope from_client(std::string_view address) {
  store::Envelope e;
  e.client = po::parse_address(address).value();
  return e;
}

}  // namespace

TEST_CASE("brake: who is counted together") {
  store::Envelope account = from_client("192.0.2.1");
  account.account = 7;
  account.local_uid = 1000;
  store::Envelope user;
  user.local_uid = 1000;
  CHECK(sender_text(*braked_sender(account)) == "account 7");
  CHECK(sender_text(*braked_sender(user)) == "local user 1000");
  CHECK(sender_text(*braked_sender(from_client("192.0.2.1"))) == "client 192.0.2.1");
  CHECK(sender_text(*braked_sender(from_client("2001:db8:1:2:3::4"))) == "network 2001:db8:1:2::/64");
  CHECK(braked_sender(from_client("2001:db8:1:2::1")) == braked_sender(from_client("2001:db8:1:2:f::")));
  CHECK(braked_sender(from_client("192.0.2.1")) != braked_sender(from_client("192.0.2.2")));
  CHECK_FALSE(braked_sender(store::Envelope{}));
}

TEST_CASE("brake: windows of an hour and a day") {
  struct Step {
    std::uint64_t at;
    std::uint32_t recipients;
    bool allowed, tell;
  };
  const Step steps[] = {
      {0, 100, true, false},
      {1000, 1, false, true},                      // over the hour; the Postmaster hears
      {2000, 1, false, false},                     // and once is enough
      {kHour / 2, 1, false, false},                //
      {kHour + 6 * 60'000, 100, true, false},      // the hour is over
      {2 * kHour + 12 * 60'000, 50, true, false},  //
      {3 * kHour + 18 * 60'000, 1, false, false},  // over the day: 250
      {20 * kHour, 1, false, false},               //
      {kDay + kHour / 2, 1, false, true},          // another day, another notice
      {kDay + kHour, 100, true, false},            // the first hundred is forgotten
      {kDay + kHour, 1, false, false},             //
  };
  Brake brake;
  for (const Step& s : steps) {
    CAPTURE(s.at);
    BrakeVerdict v = brake.ask(kJane, s.recipients, {100, 250}, kStart + s.at);
    CHECK(v.allowed == s.allowed);
    CHECK(v.tell == s.tell);
  }
}

TEST_CASE("brake: no limit, nobody remote, a clock that goes back") {
  Brake brake;
  CHECK(brake.ask(kJane, 1'000'000, {0, 0}, kStart).allowed);
  CHECK(brake.ask(kJane, 0, {1, 1}, kStart).allowed);
  CHECK(brake.size() == 0);
  CHECK(brake.ask(kJane, 1, {1, 0}, kStart + kDay).allowed);
  CHECK_FALSE(brake.ask(kJane, 1, {1, 0}, kStart).allowed);
  CHECK(brake.ask({BrakedSender::Kind::kUser, 7, 0}, 1, {1, 0}, kStart).allowed);  // another sender
  BrakeVerdict v = brake.ask(kJane, 3, {2, 2}, kStart + kDay);
  CHECK_FALSE(v.hourly);
  CHECK(v.in_day == 1);
}

TEST_CASE("brake: memory is bounded, and who is active is not forgotten") {
  Brake brake;
  for (std::uint64_t i = 0; i < 3 * Brake::kMostSenders; ++i) {
    CHECK_FALSE((i > 0 && brake.ask(kJane, 1, {1, 0}, kStart).allowed));
    if (i == 0) CHECK(brake.ask(kJane, 1, {1, 0}, kStart).allowed);
    (void)brake.ask({BrakedSender::Kind::kNetwork, i, 4}, 1, {1, 0}, kStart);
  }
  CHECK(brake.size() == Brake::kMostSenders);
}

TEST_CASE("brake: what is said") {
  Brake brake;
  CHECK(brake.ask(kJane, 9, {10, 0}, kStart).allowed);
  BrakeVerdict v = brake.ask(kJane, 5, {10, 0}, kStart);
  CHECK(brake_text(v) == "too many recipients: at most 10 within an hour, 9 were taken; try later");
  std::string text = brake_notice({kJane, "jane@podunk.edu", "x\r\ny@z", "192.0.2.1", v}, "mail.podunk.edu",
                                  "Thu, 26 Nov 2026 00:00:00 +0000", {});
  for (std::string_view part :
       {"To: Postmaster <postmaster@mail.podunk.edu>\r\n", "Subject: Too many recipients from account 7",
        "<jane@podunk.edu> has sent mail to 9 recipients", "named: <x??y@z>\r\n", "came from: 192.0.2.1\r\n",
        "post.office account passwd", "Recipients-per-Hour-per-Account"}) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    CHECK(text[at - 1] == '\r');
  }
}
