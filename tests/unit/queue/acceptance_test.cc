#include "queue/acceptance.h"

#include <catch2/catch.hpp>

#include "lib/checksum.h"
#include "tests/unit/queue/test_routing.h"

using namespace queue;
using po::Kind;
using po::messages::Submit;

static std::uint64_t checksum(std::string_view body) {
  po::Checksum sum;
  sum.add(body);
  return sum.value();
}

static Submit good() {
  Submit s;
  s.id.octets[11] = 1;
  s.sender = "jane@example.org";
  s.session = "00001-1";
  s.body = "Received: x\r\n\r\nhello\r\n";
  s.size = s.body.size();
  s.checksum = checksum(s.body);
  s.recipients = {{"u14@podunk.edu", 2, "rfc822;lee@podunk.edu"}, {"U15@podunk.edu", 0, ""}};
  return s;
}

static const Routing kRouting = queue::testing::routing({"*.hub.example:[192.0.2.1]:587"});

TEST_CASE("a submission becomes one delivery for each recipient, with its own lines") {
  auto accepted = make_accept(good(), kRouting, 1234);
  REQUIRE(accepted);
  const store::Accept* accept = &accepted->change;
  REQUIRE(accepted->reached.size() == 1);  // NOTIFY=SUCCESS
  CHECK(accepted->reached[0].address == "u14@podunk.edu");
  CHECK(accepted->reached[0].orcpt == "rfc822;lee@podunk.edu");
  CHECK(accept->waiting.empty());
  CHECK(accept->arrival_ms == 1234);
  CHECK(accept->body == good().body);
  CHECK(accept->envelope.sender == "jane@example.org");
  CHECK(accept->envelope.session == "00001-1");
  REQUIRE(accept->deliveries.size() == 2);
  CHECK(accept->deliveries[0].account == 14);
  CHECK(accept->deliveries[0].notify == 2);
  CHECK(accept->deliveries[0].orcpt == "rfc822;lee@podunk.edu");
  CHECK(accept->deliveries[0].prefix ==
        "Return-Path: <jane@example.org>\r\nDelivered-To: u14@podunk.edu\r\n");
  CHECK(accept->deliveries[1].prefix ==
        "Return-Path: <jane@example.org>\r\nDelivered-To: U15@podunk.edu\r\n");

  Submit bounce = good();
  bounce.sender.clear();
  CHECK(make_accept(std::move(bounce), kRouting, 1)
            ->change.deliveries[0]
            .prefix.starts_with("Return-Path: <>\r\n"));
}

TEST_CASE("what is wrong in a submission is refused for good") {
  struct {
    const char* what;
    void (*spoil)(Submit&);
  } const table[] = {
      {"zero id", [](Submit& s) { s.id = {}; }},
      {"no recipient", [](Submit& s) { s.recipients.clear(); }},
      {"empty recipient", [](Submit& s) { s.recipients[1].address.clear(); }},
      {"line end in a recipient", [](Submit& s) { s.recipients[0].address = "a@b\r\nX-Evil: 1"; }},
      {"NUL in a recipient", [](Submit& s) { s.recipients[0].address = std::string("a\0@b", 4); }},
      {"long recipient", [](Submit& s) { s.recipients[0].address = std::string(600, 'a'); }},
      {"line end in ORCPT", [](Submit& s) { s.recipients[0].orcpt = "rfc822;a\nb"; }},
      {"unknown NOTIFY bit", [](Submit& s) { s.recipients[0].notify = 16; }},
      {"line end in the sender", [](Submit& s) { s.sender = "a@b\nBcc: c@d"; }},
      {"long sender", [](Submit& s) { s.sender = std::string(600, 's'); }},
      {"RET", [](Submit& s) { s.ret = 3; }},
      {"ENVID", [](Submit& s) { s.envid = "a\x7f"; }},
      {"long session", [](Submit& s) { s.session = std::string(65, 's'); }},
      {"size", [](Submit& s) { ++s.size; }},
      {"checksum", [](Submit& s) { ++s.checksum; }},
      {"changed body", [](Submit& s) { s.body[0] = 'r'; }},
      {"body in two places", [](Submit& s) { s.in_file = true; }},
      {"large body in the frame",
       [](Submit& s) {
         s.body = std::string(65537, 'x');
         s.size = s.body.size();
         s.checksum = checksum(s.body);
       }},
  };
  for (const auto& row : table) {
    INFO(row.what);
    Submit s = good();
    row.spoil(s);
    auto accept = make_accept(std::move(s), kRouting, 1);
    REQUIRE_FALSE(accept);
    CHECK(accept.error().kind == Kind::kPermanent);
  }
}

TEST_CASE("recipients that nobody has any more, and a directory that is away, are for later") {
  for (const char* address : {"gone@podunk.edu", "down@podunk.edu"}) {
    INFO(address);
    Submit s = good();
    s.recipients[1].address = address;
    auto accept = make_accept(std::move(s), kRouting, 1);
    REQUIRE_FALSE(accept);
    CHECK(accept.error().kind == Kind::kTemporary);
  }
}

TEST_CASE("recipients elsewhere wait, each for its next hop") {
  Submit s = good();
  s.recipients = {{"far@a.example", 0, ""}, {"far@b.hub.example", 6, "rfc822;x"}, {"u2@podunk.edu", 0, ""}};
  auto accept = make_accept(std::move(s), kRouting, 77);
  REQUIRE(accept);
  CHECK(accept->change.deliveries.size() == 1);
  const auto& waiting = accept->change.waiting;
  REQUIRE(waiting.size() == 2);
  CHECK(waiting[0].address == "far@a.example");
  CHECK(waiting[0].original.empty());
  CHECK(waiting[0].hop == "a.example");
  CHECK(waiting[0].next_ms == 77);
  CHECK_FALSE(waiting[0].held);
  CHECK(waiting[1].hop == "[192.0.2.1]:587");
  CHECK(waiting[1].notify == 6);
  CHECK(waiting[1].orcpt == "rfc822;x");
  CHECK(waiting[0].lane == waiting[1].lane);
}

TEST_CASE("an address that leads to several places is expanded, and none of them twice") {
  Submit s = good();
  s.recipients = {{"two@podunk.edu", po::messages::kNotifySuccess | po::messages::kNotifyFailure,
                   "rfc822;two@podunk.edu"},
                  {"far@away.example", 0, ""}};
  auto accept = make_accept(std::move(s), kRouting, 1);
  REQUIRE(accept);
  REQUIRE(accept->change.deliveries.size() == 1);
  REQUIRE(accept->change.waiting.size() == 1);
  CHECK(accept->change.waiting[0].address == "far@away.example");
  CHECK(accept->change.waiting[0].original == "two@podunk.edu");
  CHECK(accept->change.waiting[0].notify == po::messages::kNotifyFailure);
  REQUIRE(accept->reached.size() == 1);
  CHECK(accept->reached[0].expanded);
  CHECK(accept->reached[0].address == "two@podunk.edu");
}

TEST_CASE("who wants to hear of success hears of a mailbox at once") {
  Submit s = good();
  s.recipients = {{"u3@podunk.edu", po::messages::kNotifySuccess, ""},
                  {"far@a.example", po::messages::kNotifySuccess, ""}};
  auto accept = make_accept(std::move(s), kRouting, 1);
  REQUIRE(accept);
  REQUIRE(accept->reached.size() == 1);
  CHECK(accept->reached[0].address == "u3@podunk.edu");
  CHECK_FALSE(accept->reached[0].expanded);
  CHECK(accept->change.waiting[0].notify == po::messages::kNotifySuccess);
}

TEST_CASE("what nobody has is held where the settings say so") {
  Submit s = good();
  s.recipients = {{"held@podunk.edu", 0, ""}};
  auto accept = make_accept(std::move(s), kRouting, 1);
  REQUIRE(accept);
  REQUIRE(accept->change.waiting.size() == 1);
  CHECK(accept->change.waiting[0].held);
  CHECK(accept->change.waiting[0].hop == kLocalHop);
}

TEST_CASE("a message that has been through too many hosts is not sent on") {
  std::string body;
  for (unsigned i = 0; i <= kMostHops; ++i) body += "Received: x\r\n";
  body += "\r\nhello\r\n";
  for (bool elsewhere : {true, false}) {
    Submit s = good();
    s.body = body;
    s.size = body.size();
    s.checksum = checksum(body);
    s.recipients = {{elsewhere ? "far@a.example" : "u2@podunk.edu", 0, ""}};
    auto accept = make_accept(std::move(s), kRouting, 1);
    CHECK(accept.has_value() == !elsewhere);
    if (elsewhere) CHECK(accept.error().kind == Kind::kPermanent);
  }
}
