#include "queue/mailboxes.h"

#include <catch2/catch.hpp>

using namespace queue;
using po::Kind;
using po::Ticket;

static const po::messages::Key kKey = {1, 2, 3};
static constexpr std::uint64_t kStart = 1'000'000, kNow = kStart + 10'000;

static std::string ticket(std::uint64_t nonce, std::uint64_t issued = kNow, std::uint64_t account = 7) {
  return po::seal_ticket(kKey, {account, issued, nonce, "s-1"});
}

TEST_CASE("a ticket is good once, for its session, for 30 seconds, from this start on") {
  Tickets tickets(kKey, kStart);
  auto kind = [&](const std::string& sealed, const char* session, std::uint64_t now) {
    auto r = tickets.redeem(sealed, session, now);
    return r ? Kind::kDone : r.error().kind;
  };
  CHECK(tickets.redeem(ticket(1), "s-1", kNow) == 7);
  CHECK(kind(ticket(1), "s-1", kNow) == Kind::kPermanent);           // again
  CHECK(kind(ticket(1), "s-1", kNow + 30'000) == Kind::kPermanent);  // and at its end
  CHECK(kind(ticket(2), "s-1", kNow + 30'000) == Kind::kDone);
  CHECK(kind(ticket(3), "s-1", kNow + 30'001) == Kind::kTemporary);       // too old
  CHECK(kind(ticket(4, kStart - 1), "s-1", kStart) == Kind::kTemporary);  // of before this start
  CHECK(kind(ticket(5, kNow + 60'000), "s-1", kNow) == Kind::kTemporary);
  CHECK(kind(ticket(6), "s-2", kNow) == Kind::kPermanent);  // another session's
  CHECK(kind(ticket(6), "s-1", kNow) == Kind::kPermanent);  // is used up by that
  CHECK(kind(ticket(7, kNow, 0), "s-1", kNow) == Kind::kPermanent);
}

TEST_CASE("a ticket that was changed or sealed with another key is none") {
  Tickets tickets(kKey, kStart);
  std::string good = ticket(1);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    auto r = tickets.redeem(bad, "s-1", kNow);
    REQUIRE_FALSE(r);
    CHECK(r.error().kind == Kind::kPermanent);
  }
  CHECK_FALSE(tickets.redeem("", "s-1", kNow));
  CHECK_FALSE(tickets.redeem(std::string(1000, 'x'), "s-1", kNow));
  po::messages::Key other = {9};
  CHECK_FALSE(tickets.redeem(po::seal_ticket(other, {7, kNow, 5, "s-1"}), "s-1", kNow));
  CHECK(tickets.redeem(good, "s-1", kNow) == 7);
}

TEST_CASE("used tickets are remembered for as long as they could be used again") {
  Tickets tickets(kKey, kStart);
  for (std::uint64_t n = 0; n < 100; ++n) REQUIRE(tickets.redeem(ticket(n), "s-1", kNow));
  CHECK(tickets.remembered() == 100);
  std::uint64_t later = kNow + 60'000;
  REQUIRE(tickets.redeem(ticket(1000, later), "s-1", later));
  CHECK(tickets.remembered() == 1);
}

TEST_CASE("handles are never used again, and bounded") {
  Handles handles;
  auto a = handles.add(7), b = handles.add(8);
  CHECK(a != b);
  CHECK(handles.account_of(*a) == 7);
  CHECK(handles.account_of(*b) == 8);
  handles.remove(*a);
  CHECK_FALSE(handles.account_of(*a));
  CHECK_FALSE(handles.account_of(0));
  CHECK(handles.add(9) != a);
  while (handles.size() < kMaxHandles) REQUIRE(handles.add(1));
  CHECK_FALSE(handles.add(1));
}
