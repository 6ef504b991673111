#include "wwwd/log_in.h"

#include <catch2/catch.hpp>

#include "lib/text.h"
#include "office.h"
#include "wwwd/visit.h"

using namespace wwwd_test;

namespace {

/// accounts, to whom "right" is the password and "t" the token.
void let_in(Office& office, std::vector<WebLogIn>* asked = nullptr) {
  office.accounts->answers<WebLogIn, WebLoggedIn>([asked](const WebLogIn& log_in) {
    if (asked != nullptr) asked->push_back(log_in);
    WebLoggedIn verdict;
    verdict.answer = log_in.password == "right" ? Answer::kGranted : Answer::kDenied;
    if (verdict.answer == Answer::kGranted) verdict.token = "t";
    return verdict;
  });
}

const wwwd::Cookie* find_cookie(const wwwd::Response& response, std::string_view name) {
  for (const wwwd::Cookie& cookie : response.cookies)
    if (cookie.name == name) return &cookie;
  return nullptr;
}

}  // namespace

TEST_CASE("without a session the authentication form stands in the place of every page") {
  Office office;
  CHECK(office.get("/", false).location == "/log-in");
  for (const char* path : {"/account", "/accounts?find=a%26b", "/settings/greeting"}) {
    INFO(path);
    wwwd::Response response = office.get(path, false);
    CHECK(response.status == 403);
    CHECK(has(response.body, "Authenticate"));
    CHECK(has(response.body, "name=\"then\" value=\"" + wwwd::html_escape(path) + "\""));
    CHECK_FALSE(has(response.body, "Log out"));
  }
  CHECK(office.accounts->asked.empty());
}

TEST_CASE("a token that is nobody's is told that the session is over") {
  Office office;
  office.cookie = "__Host-post.office=old";
  wwwd::Response response = office.get("/account");
  CHECK(response.status == 403);
  CHECK(has(response.body, "Please log in again"));
}

TEST_CASE("the right password gives a cookie that no script and no other site can use") {
  Office office;
  std::vector<WebLogIn> asked;
  let_in(office, &asked);
  wwwd::Response response =
      office.post("/log-in", {{"login", " jane@podunk.edu "}, {"password", "right"}}, false);
  CHECK(response.status == 303);
  CHECK(response.location == "/");
  const wwwd::Cookie* cookie = find_cookie(response, "__Host-post.office");
  REQUIRE(cookie != nullptr);
  CHECK(cookie->value == "t");
  CHECK(cookie->secure);
  CHECK(cookie->strict);
  CHECK(cookie->path == "/");
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].login == "jane@podunk.edu");
  CHECK(asked[0].password == "right");
  CHECK(asked[0].client.octets[0] == 192);
}

TEST_CASE("without TLS the cookie has a name that is allowed there") {
  CHECK(wwwd::session_cookie_name(false) == "post.office");
  CHECK(wwwd::session_cookie_name(true) == "__Host-post.office");
}

TEST_CASE("who is not let in is told what it may know") {
  struct Case {
    Answer answer;
    int status;
    const char* text;
  };
  const Case cases[] = {
      {Answer::kDenied, 403, "Access denied"},    {Answer::kNoMailbox, 403, "Access denied"},
      {Answer::kLocked, 403, "locked"},           {Answer::kNotFrom, 403, "192.0.2.1"},
      {Answer::kTooMany, 429, "Try again in 30"}, {Answer::kUnavailable, 503, "in a moment"},
  };
  for (const Case& c : cases) {
    Office office;
    office.accounts->answers<WebLogIn, WebLoggedIn>([&](const WebLogIn&) {
      WebLoggedIn verdict;
      verdict.answer = c.answer;
      verdict.retry_after = 30;
      return verdict;
    });
    wwwd::Response response = office.post("/log-in", {{"login", "<jane>"}, {"password", "pass-word"}}, false);
    INFO(c.text);
    CHECK(response.status == c.status);
    CHECK(has(response.body, c.text));
    CHECK(has(response.body, "value=\"&lt;jane&gt;\""));
    CHECK_FALSE(has(response.body, "pass-word"));
    CHECK(response.cookies.empty());
  }
}

TEST_CASE("a restriction by name: the client's is looked up, then it is asked again") {
  Office office;
  std::vector<std::string> names;
  office.accounts->answers<WebLogIn, WebLoggedIn>([&](const WebLogIn& log_in) {
    names.push_back(log_in.client_name);
    WebLoggedIn verdict;
    verdict.answer = Answer::kNeedName;
    return verdict;
  });
  CHECK(office.post("/log-in", {{"login", "jane"}, {"password", "x"}}, false).status == 403);
  CHECK(names == std::vector<std::string>{"", "desk.podunk.edu"});
}

TEST_CASE("where a log-in leads is a path of ours") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"/accounts/7?changed=9", "/accounts/7?changed=9"},
      {"", "/"},
      {"//evil.example/", "/"},
      {"/\\evil.example", "/"},
      {"https://evil.example/", "/"},
      {"/%2F/evil.example", "/"},
      {"/a?b=%zz", "/"},
      {"/log-in", "/"},
      {"/log-out", "/"},
      {"/a\r\nSet-Cookie: x", "/"},
  };
  for (auto [then, path] : cases) CHECK(wwwd::safe_path(then) == path);
  CHECK(wwwd::safe_path("/" + std::string(3000, 'a')) == "/");
}

TEST_CASE("what was typed into a form with a dead session is shown again after the log-in, not done") {
  Office office;
  let_in(office);
  office.cookie = "__Host-post.office=old";
  wwwd::Response late = office.post("/settings/greeting", {{"seal", "old seal"},
                                                           {"revision", "5"},
                                                           {"Greeting-Text", "Dear <you>,\r\nwelcome."},
                                                           {"Mail-Account-Password", "not to be kept"}});
  CHECK(late.status == 403);
  CHECK(has(late.body, "name=\"was.Greeting-Text\" value=\"Dear &lt;you&gt;,"));
  CHECK_FALSE(has(late.body, "not to be kept"));
  CHECK_FALSE(has(late.body, "old seal"));

  office.accounts->answers<WebShowForm, WebForm>([](const WebShowForm& ask) {
    CHECK(ask.caller.token == "t");
    WebForm form;
    form.standing = WebStanding::kGood;
    form.kind = po::Kind::kDone;
    form.revision = 6;
    return form;
  });
  office.cookie = "";
  wwwd::Response again = office.post("/log-in",
                                     {{"login", "jane"},
                                      {"password", "right"},
                                      {"then", "/settings/greeting"},
                                      {"was.revision", "5"},
                                      {"was.Greeting-Text", "Dear <you>,\r\nwelcome."}},
                                     false);
  CHECK(again.status == 200);
  CHECK(find_cookie(again, "__Host-post.office") != nullptr);
  CHECK(has(again.body, "Nothing was changed yet"));
  CHECK(has(again.body, "Dear &lt;you&gt;,\nwelcome."));
  // The revision that was seen goes back, so that a change since then is a conflict, and the new seal.
  CHECK(has(again.body, "name=\"revision\" value=\"5\""));
  CHECK(has(again.body, "name=\"seal\" value=\"s\""));
  for (std::uint16_t asked : office.accounts->asked) CHECK(asked != WebSubmitForm::kType);
}

TEST_CASE("an action with a dead session is not carried on") {
  Office office;
  office.cookie = "__Host-post.office=old";
  wwwd::Response late = office.post("/accounts/7/lock", {{"seal", "x"}, {"locked", "yes"}});
  CHECK(late.status == 403);
  CHECK_FALSE(has(late.body, "was.locked"));
}

TEST_CASE("logging out removes the cookie") {
  Office office;
  office.accounts->answers<WebLogOut, WebDone>([](const WebLogOut& ask) {
    WebDone done;
    done.standing = ask.caller.seal == "s" ? WebStanding::kGood : WebStanding::kForged;
    return done;
  });
  CHECK(office.post("/log-out", {{"seal", "wrong"}}).status == 403);
  wwwd::Response response = office.post("/log-out", {{"seal", "s"}});
  CHECK(response.status == 303);
  const wwwd::Cookie* cookie = find_cookie(response, "__Host-post.office");
  REQUIRE(cookie != nullptr);
  CHECK(cookie->value.empty());
  CHECK(cookie->max_age == std::chrono::seconds(0));
}
