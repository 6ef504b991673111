// Strangers send to nobody elsewhere, however they write it. Each row is a way that once made somebody's
// server a relay. What is taken must be for a local address or a relay domain's own user, as the Submit says.
#include <catch2/catch.hpp>

#include "tests/unit/smtpd/player.h"

using po::messages::Protocol;
using smtpd::test::Player;

namespace {

/// The reply to RCPT after this MAIL, from a stranger on port 25.
std::string rcpt(std::string_view mail, std::string_view rcpt, Player& p) {
  p.world.settings_value.smtp_error_limit = 0;
  p.connect();
  p.say("EHLO client.example.net\r\n");
  p.say("MAIL FROM:" + std::string(mail) + "\r\n");
  return p.say("RCPT TO:" + std::string(rcpt) + "\r\n");
}

const std::vector<const char*> kSenders = {
    "<a@remote.net>",    "<>",
    "<jane@podunk.edu>", "<postmaster@mx.example.org>",
    "<a@[192.0.2.25]>",  "<a@localhost>",
    "<x@backup.net>",    "<\"jane@podunk.edu\"@remote.net>",
};

const std::vector<const char*> kTricks = {
    "<x@elsewhere.net>",
    "<x@ELSEWHERE.NET>",
    "<\"x\"@elsewhere.net>",
    // literals of others, and of this host's neighbours and loopback
    "<x@[198.51.100.7]>",
    "<x@[127.0.0.1]>",
    "<x@[IPv6:2001:db8::7]>",
    "<x@[IPv6:::1]>",
    "<x@198.51.100.7>",
    // source routes
    "<@podunk.edu:x@elsewhere.net>",
    "<@mx.example.org:x@elsewhere.net>",
    "<@[192.0.2.25]:x@elsewhere.net>",
    "<@podunk.edu,@mx.example.org:x@elsewhere.net>",
    "<@backup.net:x@elsewhere.net>",
    // the percent hack
    "<x%elsewhere.net@podunk.edu>",
    "<x%elsewhere.net@mx.example.org>",
    "<x%elsewhere.net@[192.0.2.25]>",
    "<x%elsewhere.net@backup.net>",
    "<x%elsewhere.net%podunk.edu@mx.example.org>",
    "<\"x%elsewhere.net\"@podunk.edu>",
    "<x%elsewhere.net>",
    "<x%[198.51.100.7]@podunk.edu>",
    // bang paths
    "<elsewhere.net!x@podunk.edu>",
    "<elsewhere.net!x@[192.0.2.25]>",
    "<elsewhere.net!x@backup.net>",
    "<podunk.edu!elsewhere.net!x>",
    "<elsewhere.net!x>",
    "<podunk.edu!x@elsewhere.net>",
    // an @ in quotes, escaped, doubled
    "<\"x@elsewhere.net\"@podunk.edu>",
    "<\"x@elsewhere.net\"@backup.net>",
    "<\"x@elsewhere.net\">",
    "<x\\@elsewhere.net@podunk.edu>",
    "<\"x\\@elsewhere.net\"@podunk.edu>",
    "<x@elsewhere.net@podunk.edu>",
    "<x@podunk.edu@elsewhere.net>",
    "<\"x@podunk.edu\"@elsewhere.net>",
    "<x@elsewhere.net@[192.0.2.25]>",
    "<<x@elsewhere.net>@podunk.edu>",
    "<x@elsewhere.net>@podunk.edu",
    // what looks local and is not
    "<x@podunk.edu.elsewhere.net>",
    "<x@notpodunk.edu>",
    "<x@sub.podunk.edu>",
    "<x@sub.backup.net>",
    "<x@xbackup.net>",
    "<x@podunk.edu.>",
    "<x@.podunk.edu>",
    "<jane@podunk.edu,x@elsewhere.net>",
    "<jane@podunk.edu x@elsewhere.net>",
    "<jane@podunk.edu;x@elsewhere.net>",
    "<jane@podunk.edu\\0x@elsewhere.net>",
    "<postmaster@elsewhere.net>",
    "<abuse@elsewhere.net>",
    "<jane+x@elsewhere.net>",
    "<jane+elsewhere.net!x@elsewhere.net>",
    // without a domain
    "<jane>",
    "<x>",
    "<@elsewhere.net>",
    "<>",
    // without brackets, with spaces, with another keyword's syntax
    "x@elsewhere.net",
    " x@elsewhere.net",
    "\"<x@elsewhere.net>\"",
    "<x@elsewhere.net",
    "< x@elsewhere.net>",
    "<mailto:x@elsewhere.net>",
    "<SMTP:x@elsewhere.net>",
    "<IMCEASMTP-x+40elsewhere+2Enet@podunk.edu>",
};

}  // namespace

TEST_CASE("no trick makes a relay") {
  for (const char* sender : kSenders) {
    for (const char* trick : kTricks) {
      Player p;
      std::string reply = rcpt(sender, trick, p);
      INFO(sender << " " << trick << " " << reply);
      CHECK(reply.substr(0, 1) == "5");
    }
  }
}

TEST_CASE("what strangers may send to is local or a relay domain's") {
  for (const char* taken : {"<jane@podunk.edu>", "<\"jane\"@podunk.edu>", "<@elsewhere.net:jane@podunk.edu>",
                            "<jane+elsewhere.net@podunk.edu>", "<x@backup.net>", "<x+y@BACKUP.NET>",
                            "<postmaster>", "<postmaster@[192.0.2.25]>"}) {
    Player p;
    INFO(taken);
    CHECK(rcpt("<a@remote.net>", taken, p).substr(0, 3) == "250");
  }
}

TEST_CASE("a plus part with a way in it stays in its mailbox") {
  Player p;
  CHECK(rcpt("<a@remote.net>", "<jane+x%elsewhere.net@podunk.edu>", p).substr(0, 3) == "250");
  p.say("DATA\r\n.\r\n");
  REQUIRE(p.taken.size() == 1);
  CHECK(p.taken[0].recipients == std::vector<std::string>{"jane+x%elsewhere.net@podunk.edu"});
}

TEST_CASE("who may relay writes to everybody, but to nobody unknown here") {
  struct Row {
    Protocol protocol;
    bool relay_network;
  };
  for (const Row& row : {Row{Protocol::kSmtp, true}, Row{Protocol::kLocalSubmission, false}}) {
    Player p(row.protocol);
    if (row.relay_network) p.world.networks = smtpd::RelayNetworks({"192.0.2.0/24"});
    CHECK(rcpt("<jane@podunk.edu>", "<x@elsewhere.net>", p).substr(0, 3) == "250");
    CHECK(p.say("RCPT TO:<x@[198.51.100.7]>\r\n").substr(0, 3) == "250");
    CHECK(p.say("RCPT TO:<x%y@backup.net>\r\n").substr(0, 3) == "250");
    CHECK(p.say("RCPT TO:<x%elsewhere.net@podunk.edu>\r\n").substr(0, 9) == "550 5.1.1");
  }
}

TEST_CASE("STARTTLS alone, and a failed log-in, change nothing") {
  Player p;
  p.connect();
  p.say("EHLO x\r\nSTARTTLS\r\n");
  p.handshake();
  p.say("EHLO x\r\nAUTH PLAIN AGphbmVAcG9kdW5rLmVkdQB3cm9uZw==\r\nMAIL FROM:<jane@podunk.edu>\r\n");
  CHECK(p.say("RCPT TO:<x@elsewhere.net>\r\n").substr(0, 9) == "550 5.7.1");
}
