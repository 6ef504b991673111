#include "fingerd/session.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "lib/net_address.h"

using namespace fingerd;

namespace {

/// What an action is, in a word, and what a refusal says.
std::string shown(const Action& action) {
  if (std::holds_alternative<Nothing>(action)) return "";
  if (std::holds_alternative<LookUpName>(action)) return "name";
  if (std::holds_alternative<FindAnswer>(action)) return "answer";
  return std::get<Refuse>(action).outcome;
}

Session session(const std::vector<std::string>& access = {}, const char* client = "192.0.2.7") {
  return {*po::parse_address(client), std::make_shared<const Access>(read_access(access))};
}

std::string after_line(const std::vector<std::string>& access, const char* client = "192.0.2.7") {
  Session s = session(access, client);
  return shown(s.on_input("jane\r\n"));
}

}  // namespace

TEST_CASE("however the line is cut, it is the same query") {
  struct Case {
    std::string octets, outcome, line;
  };
  const std::string longest(512, 'x');
  const Case cases[] = {
      {"jane\r\n", "answer", "jane"},
      {"\r\n", "answer", ""},
      {"jane\n", "answer", "jane"},
      {"/W jane\r\nbob\r\n", "answer", "/W jane"},
      {"jane\r\r\n", "bad-query", "jane\r"},
      {"ja\rne\r\n", "bad-query", "ja\rne"},
      {std::string("ja\0ne\r\n", 7), "bad-query", std::string("ja\0ne", 5)},
      {"jane@\r\n", "bad-query", "jane@"},
      {longest + "\r\n", "answer", longest},
      {longest + "\n", "answer", longest},
      {longest + "x\r\n", "too-long", longest},
      {longest + "\rx\r\n", "too-long", longest},
      {longest + "\r\r\n", "too-long", longest},
      {std::string(100'000, 'x'), "too-long", longest},
      {"jane", "", "jane"},
      {"jane\r", "", "jane\r"},
      {"", "", ""},
  };
  for (const Case& c : cases) {
    INFO(c.octets.substr(0, 40));
    for (std::size_t piece : {std::size_t(1), std::size_t(3), std::size_t(511), std::size_t(100'000)}) {
      Session s = session();
      std::string outcome;
      for (std::size_t at = 0; at < c.octets.size(); at += piece) {
        std::string now = shown(s.on_input(std::string_view(c.octets).substr(at, piece)));
        if (outcome.empty()) {
          outcome = now;
        } else {
          REQUIRE(now.empty());
        }
      }
      CHECK(outcome == c.outcome);
      CHECK(s.line() == c.line);
      CHECK(s.over() == !c.outcome.empty());
    }
  }
}

TEST_CASE("who may ask") {
  CHECK(after_line({}) == "answer");
  CHECK(after_line({"192.0.2.0"}) == "answer");
  CHECK(after_line({"192.0.2.0"}, "198.51.100.1") == "no-access");
  CHECK(after_line({"2001:db8::/32"}, "2001:db8::1") == "answer");
  CHECK(after_line({"2001:db8::/32"}) == "no-access");
  CHECK(after_line({"podunk.edu"}) == "name");
  CHECK(after_line({"podunk.edu", "192.0.2.0/24"}) == "answer");  // no name is asked for in vain
  CHECK(after_line({"not a rule"}) == "no-access");               // and not everybody
}

TEST_CASE("a name decides") {
  struct Case {
    const char* name;
    std::string outcome;
  };
  for (const auto& [name, outcome] : {Case{"pc.podunk.edu", "answer"}, Case{"PODUNK.EDU", "answer"},
                                      Case{"podunk.edu.example", "no-access"}, Case{"", "no-access"}}) {
    Session s = session({"podunk.edu"});
    CHECK(shown(s.on_input("jane\r\nmore")) == "name");
    CHECK(shown(s.on_input("more")).empty());
    CHECK(shown(s.on_end_of_input()).empty());  // it still waits for the answer
    CHECK(shown(s.on_name(name)) == outcome);
    CHECK(s.line() == "jane");
    CHECK(shown(s.on_name(name)).empty());
  }
  for (bool timeout : {false, true}) {
    Session s = session({"podunk.edu"});
    CHECK(shown(s.on_input("jane\r\n")) == "name");
    CHECK(shown(timeout ? s.on_timeout() : s.on_no_name()) == "no-name");
    CHECK(s.over());
  }
}

TEST_CASE("whether a query is a good one is told to those only who may ask") {
  Session s = session({"198.51.100.1"});
  CHECK(shown(s.on_input("jane@\r\n")) == "no-access");
}

TEST_CASE("lines that do not come") {
  Session silent = session();
  CHECK(shown(silent.on_timeout()) == "too-slow");
  Session half = session();
  CHECK(shown(half.on_input("jane")).empty());
  CHECK(shown(half.on_end_of_input()) == "no-line-end");
  Session nothing = session();
  Action action = nothing.on_end_of_input();
  CHECK(shown(action) == "no-query");
  CHECK(std::get<Refuse>(action).sentence.empty());
  Session stopped = session();
  CHECK(shown(stopped.on_stop()) == "stopping");
}

TEST_CASE("after the end nothing happens any more") {
  Session s = session();
  CHECK(shown(s.on_input("jane\r\n")) == "answer");
  CHECK(shown(s.on_input("bob\r\n")).empty());
  CHECK(shown(s.on_end_of_input()).empty());
  CHECK(shown(s.on_timeout()).empty());
  CHECK(shown(s.on_name("x")).empty());
  CHECK(shown(s.on_no_name()).empty());
  CHECK(shown(s.on_stop()).empty());
  CHECK(s.query().user == "jane");
}
