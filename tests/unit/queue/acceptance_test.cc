#include "queue/acceptance.h"

#include <catch2/catch.hpp>

#include "lib/checksum.h"

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
  s.recipients = {{"lee@podunk.edu", 2, "rfc822;lee@podunk.edu"}, {"Kim@podunk.edu", 0, ""}};
  return s;
}

static po::Result<directory::Routed> route(std::string_view address) {
  directory::Routed routed;
  if (address.starts_with("down")) return po::temporary("no directory");
  if (address.starts_with("gone")) return routed;
  routed.route = address.starts_with("far") ? directory::Route::kForwarding : directory::Route::kMailbox;
  routed.account.emplace();
  routed.account->id = 100 + address.size();
  return routed;
}

TEST_CASE("a submission becomes one delivery for each recipient, with its own lines") {
  auto accept = make_accept(good(), route, 1234);
  REQUIRE(accept);
  CHECK(accept->arrival_ms == 1234);
  CHECK(accept->body == good().body);
  CHECK(accept->envelope.sender == "jane@example.org");
  CHECK(accept->envelope.session == "00001-1");
  REQUIRE(accept->deliveries.size() == 2);
  CHECK(accept->deliveries[0].account == 114);
  CHECK(accept->deliveries[0].notify == 2);
  CHECK(accept->deliveries[0].orcpt == "rfc822;lee@podunk.edu");
  CHECK(accept->deliveries[0].prefix ==
        "Return-Path: <jane@example.org>\r\nDelivered-To: lee@podunk.edu\r\n");
  CHECK(accept->deliveries[1].prefix ==
        "Return-Path: <jane@example.org>\r\nDelivered-To: Kim@podunk.edu\r\n");

  Submit bounce = good();
  bounce.sender.clear();
  CHECK(make_accept(std::move(bounce), route, 1)->deliveries[0].prefix.starts_with("Return-Path: <>\r\n"));
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
    auto accept = make_accept(std::move(s), route, 1);
    REQUIRE_FALSE(accept);
    CHECK(accept.error().kind == Kind::kPermanent);
  }
}

TEST_CASE("recipients that are no mailboxes any more, and a directory that is away, are for later") {
  for (const char* address : {"gone@podunk.edu", "far@podunk.edu", "down@podunk.edu"}) {
    INFO(address);
    Submit s = good();
    s.recipients[1].address = address;
    auto accept = make_accept(std::move(s), route, 1);
    REQUIRE_FALSE(accept);
    CHECK(accept.error().kind == Kind::kTemporary);
  }
}
