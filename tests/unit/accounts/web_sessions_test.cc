#include "accounts/web_sessions.h"

#include <catch2/catch.hpp>
#include <map>

#include "lib/net_address.h"

using accounts::WebSession;
using accounts::WebSessions;
using std::chrono::seconds;

namespace {

constexpr seconds kIdle{300};

po::messages::NetAddress at(const char* text) {
  return po::parse_address(text).value();
}

struct Desk {
  std::map<std::uint64_t, std::string> ended;
  WebSessions sessions{
      [this](const WebSession& session, std::string_view why) { ended[session.id] = std::string(why); }};
  WebSessions::Time now{};

  WebSessions::Opened open(std::uint64_t account, const char* client = "192.0.2.1") {
    WebSession session;
    session.account = account;
    session.client = at(client);
    session.credentials = "c";
    return sessions.open(std::move(session), kIdle, now);
  }
  const WebSession* use(const std::string& token, const char* client = "192.0.2.1") {
    return sessions.use(token, at(client), kIdle, now);
  }
};

}  // namespace

TEST_CASE("a token is 43 characters of base64url and nothing else") {
  std::string good(43, 'A');
  struct Row {
    std::string token;
    bool good;
  };
  const Row rows[] = {
      {good, true},
      {std::string(42, '_') + "8", true},
      {std::string(42, '-') + "w", true},
      {"", false},
      {good.substr(1), false},
      {good + "A", false},
      {good.substr(1) + "B", false},  // bits beyond the 32 octets
      {good.substr(1) + "=", false},
      {"+" + good.substr(1), false},
      {"/" + good.substr(1), false},
      {" " + good.substr(1), false},
      {std::string(1, '\0') + good.substr(1), false},
      {"\xc3\xa4" + good.substr(2), false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.token);
    auto octets = accounts::token_octets(row.token);
    CHECK(octets.has_value() == row.good);
    if (octets) CHECK(octets->size() == 32);
  }
}

TEST_CASE("a session is found by its token, from its address, for as long as it is used") {
  Desk desk;
  auto opened = desk.open(7);
  CHECK(opened.token.size() == 43);
  const WebSession* session = desk.use(opened.token);
  REQUIRE(session);
  CHECK(session->account == 7);
  CHECK(session->id == opened.id);
  CHECK(session->seal.size() == 43);
  CHECK(session->seal != opened.token);
  CHECK_FALSE(desk.use(std::string(43, 'A')));
  CHECK_FALSE(desk.use(""));

  // Renewed by each question, over when none came for the limit, and then for good.
  for (int i = 0; i < 10; ++i) {
    desk.now += kIdle;
    CHECK(desk.use(opened.token));
  }
  desk.now += kIdle + seconds(1);
  CHECK_FALSE(desk.use(opened.token));
  CHECK(desk.ended[opened.id] == "idle");
  desk.now -= seconds(100);
  CHECK_FALSE(desk.use(opened.token));
}

TEST_CASE("the limit that holds is that of the question") {
  Desk desk;
  auto opened = desk.open(7);
  desk.now += seconds(61);
  CHECK_FALSE(desk.sessions.use(opened.token, at("192.0.2.1"), seconds(60), desk.now));
  CHECK(desk.sessions.size() == 0);
}

TEST_CASE("another address gets nothing, ends nothing and renews nothing") {
  struct Row {
    const char *log_in, *asks;
    bool good;
  };
  const Row rows[] = {
      {"192.0.2.1", "192.0.2.1", true},        {"192.0.2.1", "192.0.2.2", false},
      {"2001:db8::1", "2001:db8::ffff", true}, {"2001:db8::1", "2001:db8:0:1::1", false},
      {"192.0.2.1", "2001:db8::1", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.log_in, row.asks);
    Desk desk;
    auto opened = desk.open(7, row.log_in);
    desk.now += kIdle;
    CHECK((desk.use(opened.token, row.asks) != nullptr) == row.good);
    if (row.good) continue;
    CHECK(desk.ended.empty());
    CHECK(desk.use(opened.token, row.log_in));
    desk.now += kIdle;
    CHECK_FALSE(desk.use(opened.token, row.asks));
    desk.now += seconds(1);
    CHECK_FALSE(desk.use(opened.token, row.log_in));
  }
}

TEST_CASE("of one account the session goes that was used longest ago, and of all likewise") {
  Desk desk;
  auto first = desk.open(7), second = desk.open(7), other = desk.open(8);
  desk.now += seconds(1);
  CHECK(desk.use(first.token));
  for (std::size_t i = 2; i < WebSessions::kMostPerAccount; ++i) (void)desk.open(7);
  CHECK(desk.ended.empty());
  (void)desk.open(7);
  CHECK(desk.ended == std::map<std::uint64_t, std::string>{{second.id, "too many of the account"}});
  CHECK(desk.use(first.token));

  std::size_t before = desk.sessions.size();
  for (std::uint64_t account = 100; desk.sessions.size() < WebSessions::kMost; ++account)
    (void)desk.open(account);
  CHECK(desk.sessions.size() > before);
  CHECK(desk.ended.size() == 1);
  (void)desk.open(99);
  CHECK(desk.sessions.size() == WebSessions::kMost);
  CHECK(desk.ended[other.id] == "too many in all");
}

TEST_CASE("ended, expired and kept sessions") {
  Desk desk;
  auto first = desk.open(7), second = desk.open(7);
  desk.sessions.end(first.id, "logged out");
  desk.sessions.end(first.id, "again");
  CHECK(desk.ended[first.id] == "logged out");
  CHECK_FALSE(desk.use(first.token));
  desk.sessions.keep(second.id, "new");
  desk.sessions.keep(first.id, "nobody's");
  REQUIRE(desk.use(second.token));
  CHECK(desk.use(second.token)->credentials == "new");
  desk.now += kIdle;
  desk.sessions.expire(kIdle, desk.now);
  CHECK(desk.sessions.size() == 1);
  desk.now += seconds(1);
  desk.sessions.expire(kIdle, desk.now);
  CHECK(desk.sessions.size() == 0);
}
