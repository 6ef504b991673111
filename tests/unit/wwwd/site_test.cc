#include "wwwd/site.h"

#include <catch2/catch.hpp>

#include "lib/form/forms.h"
#include "office.h"
#include "wwwd/static_files.h"

using namespace wwwd_test;

namespace {

template <class A>
A good() {
  A answer;
  answer.standing = WebStanding::kGood;
  answer.kind = po::Kind::kDone;
  return answer;
}

void show_forms(Office& office) {
  office.accounts->answers<WebShowForm, WebForm>([](const WebShowForm&) {
    WebForm form = good<WebForm>();
    form.revision = 12;
    form.values = {{"Message-Lifetime", {"120"}}, {"Internet-Addresses", {"jane@podunk.edu"}}};
    return form;
  });
}

}  // namespace

TEST_CASE("style sheet and script come with a path that changes with them") {
  Office office;
  for (const std::string& path : {wwwd::style_path(), wwwd::script_path()}) {
    wwwd::Response response = office.get(path, false);
    CHECK(response.status == 200);
    CHECK(response.cache == wwwd::Cache::kVersioned);
    CHECK(response.body.size() > 1000);
  }
  CHECK(office.get("/static/0000000000000000/style.css", false).status == 404);
  CHECK(office.accounts->asked.empty());
}

TEST_CASE("what is not there, and what cannot be sent anything") {
  Office office;
  CHECK(office.get("/nothing").status == 404);
  CHECK(office.get("/settings/no-such-form").status == 404);
  CHECK(office.post("/accounts", {{"seal", "s"}}).status == 405);
}

TEST_CASE("what accounts says of the caller decides, whatever the page") {
  struct Case {
    WebStanding standing;
    int status;
  };
  for (Case c : {Case{WebStanding::kNobody, 403}, Case{WebStanding::kNotAllowed, 403},
                 Case{WebStanding::kForged, 403}, Case{WebStanding::kUnavailable, 503}}) {
    Office office;
    office.accounts->answers<WebAskAccounts, WebAccounts>([&](const WebAskAccounts&) {
      WebAccounts list;
      list.standing = c.standing;
      list.rows.push_back({1, "secret name", "secret@podunk.edu", 1, false, true, false});
      return list;
    });
    wwwd::Response response = office.get("/accounts");
    CHECK(response.status == c.status);
    CHECK_FALSE(has(response.body, "secret"));
  }
}

TEST_CASE(
    "what is longer than anything that could be right is not asked of accounts, and costs nobody a pipe") {
  Office office;
  const std::string cookie = std::exchange(office.cookie, "__Host-post.office=" + std::string(2048, 't'));
  CHECK(office.get("/accounts").status == 403);
  const std::string address = "jane@podunk.edu", password(10240, 'p');
  wwwd::Response denied = office.post("/log-in", {{"login", address}, {"password", password}}, false);
  CHECK(denied.status == 403);
  CHECK(has(denied.body, "Access denied"));
  CHECK(office.post("/log-in", {{"login", std::string(321, 'l')}, {"password", "p"}}, false).status == 403);
  CHECK(office.accounts->asked.empty());

  office.cookie = cookie;
  show_forms(office);
  office.accounts->answers<WebAskAccess, WebAccess>([](const WebAskAccess&) { return good<WebAccess>(); });
  std::string seal = "none";
  office.accounts->answers<WebLogOut, WebDone>([&](const WebLogOut& out) {
    seal = out.caller.seal;
    return good<WebDone>();
  });
  CHECK(office.post("/log-out", {{"seal", std::string(2048, 's')}}).status == 303);
  CHECK(seal.empty());
  for (const auto& [path, field] : {std::pair{"/account/passwords", "name"}, {"/accounts/9/remove", "to"}}) {
    wwwd::Response page =
        office.post(path, {{"seal", "s"}, {"mail", "hand"}, {field, std::string(3000, 'x')}});
    CHECK(page.status == 422);
    CHECK(page.body.size() < 20'000);
    CHECK(has(page.body, "class=\"error\""));
  }
  std::vector<std::string> words;
  office.accounts->answers<WebAskOrder, WebOrder>([&](const WebAskOrder& ask) {
    words = ask.words;
    return WebOrder{WebStanding::kGood, "sealed"};
  });
  office.queue->hears<CarryOut>([&](std::uint32_t serial, const CarryOut&) {
    office.queue->send(serial, CommandOutput{"{\"recipients\": 2, \"messages\": 1}", {}, true, 0});
  });
  wwwd::Response again = office.post("/queue/act", {{"seal", "s"},
                                                    {"action", "reroute"},
                                                    {"scope", "matching"},
                                                    {"confirmed", "yes"},
                                                    {"to", std::string(70'000, 'h')}});
  CHECK(again.status == 422);
  CHECK(has(again.body, "class=\"error\""));
  CHECK(words == std::vector<std::string>{"queue", "summary", "--json", "--limit=1"});
  for (std::uint16_t kind : office.accounts->asked)
    CHECK((kind != WebLogIn::kType && kind != WebMakePassword::kType && kind != WebRemove::kType));
  CHECK(office.get("/account/passwords").status == 200);
}

TEST_CASE("a form goes to accounts with token, seal and revision, then its page says what was done") {
  Office office;
  std::vector<WebSubmitForm> sent;
  office.accounts->answers<WebSubmitForm, WebDone>([&](const WebSubmitForm& form) {
    sent.push_back(form);
    WebDone done = good<WebDone>();
    done.revision = 13;
    return done;
  });
  wwwd::Response response = office.post(
      "/settings/mail-queue", {{"seal", "s"}, {"revision", "12"}, {"Message-Lifetime", "96"}, {"Evil", "x"}});
  CHECK(response.status == 303);
  CHECK(response.location == "/settings/mail-queue?changed=13");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].caller.token == "t");
  CHECK(sent[0].caller.seal == "s");
  CHECK(sent[0].what == WebSubmit::kSet);
  CHECK(sent[0].form == "mail-queue");
  CHECK(sent[0].revision == 12);
  REQUIRE(sent[0].values.size() == 1);
  CHECK(sent[0].values[0].values == std::vector<std::string>{"96"});
}

TEST_CASE("the page after a change says what was changed, from the history, and offers to undo it") {
  Office office;
  show_forms(office);
  office.accounts->answers<WebAskHistory, WebHistory>([](const WebAskHistory& ask) {
    CHECK(ask.before == 14);
    WebHistory history = good<WebHistory>();
    WebRevision revision;
    revision.revision = 13;
    revision.lines = {{"Message-Lifetime", {"120"}, {"96"}}};
    revision.can_undo = true;
    history.entries = {revision};
    return history;
  });
  wwwd::Response response = office.get("/settings/mail-queue?changed=13");
  CHECK(has(response.body, "Saved"));
  CHECK(has(response.body, "action=\"/settings/mail-queue/undo\""));
  CHECK(has(response.body, "name=\"revision\" value=\"13\""));
  // A made-up number says nothing.
  office.accounts->answers<WebAskHistory, WebHistory>(
      [](const WebAskHistory&) { return good<WebHistory>(); });
  CHECK_FALSE(has(office.get("/settings/mail-queue?changed=99").body, "Saved"));
}

TEST_CASE("a form that is not right comes back with what was typed and what is wrong") {
  Office office;
  show_forms(office);
  office.accounts->answers<WebSubmitForm, WebDone>([](const WebSubmitForm&) {
    WebDone done = good<WebDone>();
    done.kind = po::Kind::kPermanent;
    done.problems = {{"Message-Lifetime", "soon", "give a number"}};
    return done;
  });
  wwwd::Response response =
      office.post("/settings/mail-queue", {{"seal", "s"}, {"revision", "12"}, {"Message-Lifetime", "soon"}});
  CHECK(response.status == 422);
  CHECK(has(response.body, "value=\"soon\""));
  CHECK(has(response.body, "Give a number."));
  CHECK(has(response.body, "name=\"revision\" value=\"12\""));
}

TEST_CASE("a conflict tells who and what, keeps what was typed, and can be sent again") {
  Office office;
  office.accounts->answers<WebShowForm, WebForm>([](const WebShowForm&) {
    WebForm form = good<WebForm>();
    form.revision = 14;
    form.values = {{"Message-Lifetime", {"48"}}};
    return form;
  });
  office.accounts->answers<WebSubmitForm, WebDone>([](const WebSubmitForm&) {
    WebDone done = good<WebDone>();
    done.kind = po::Kind::kPermanent;
    done.conflict = true;
    WebRevision revision;
    revision.who = "root";
    revision.way = "command";
    revision.lines = {{"Message-Lifetime", {"120"}, {"48"}}};
    done.since = {revision};
    return done;
  });
  wwwd::Response response =
      office.post("/settings/mail-queue", {{"seal", "s"}, {"revision", "12"}, {"Message-Lifetime", "96"}});
  CHECK(response.status == 409);
  CHECK(has(response.body, "root, by command"));
  CHECK(has(response.body, "value=\"96\""));
  CHECK(has(response.body, "<pre>48</pre>"));
  CHECK(has(response.body, "name=\"revision\" value=\"14\""));
}

TEST_CASE("a conflict with many changes makes no long page, and says where all of them are") {
  Office office;
  show_forms(office);
  office.accounts->answers<WebSubmitForm, WebDone>([](const WebSubmitForm&) {
    WebDone done = good<WebDone>();
    done.kind = po::Kind::kPermanent;
    done.conflict = true;
    WebRevision revision;
    revision.lines = {{"Message-Lifetime", {std::string(250, 'a')}, {std::string(250, 'b')}}};
    done.since.assign(1000, revision);
    return done;
  });
  wwwd::Response response =
      office.post("/settings/mail-queue", {{"seal", "s"}, {"revision", "1"}, {"Message-Lifetime", "96"}});
  CHECK(response.status == 409);
  CHECK(response.body.size() < 80'000);
  CHECK(has(response.body, " changes before. <a href=\"/settings/mail-queue/history\">"));
}

TEST_CASE("a sentence crosses a redirect in a cookie and is said once") {
  Office office;
  office.accounts->answers<WebUndo, WebDone>([](const WebUndo&) {
    WebDone done = good<WebDone>();
    done.kind = po::Kind::kPermanent;
    done.text = "changed <again>";
    return done;
  });
  wwwd::Response undone = office.post("/settings/mail-queue/undo", {{"seal", "s"}, {"revision", "12"}});
  CHECK(undone.status == 303);
  CHECK(undone.location == "/settings/mail-queue/history");
  REQUIRE(undone.cookies.size() == 1);
  office.accounts->answers<WebAskHistory, WebHistory>(
      [](const WebAskHistory&) { return good<WebHistory>(); });
  office.cookie += "; " + undone.cookies[0].name + "=" + undone.cookies[0].value;
  wwwd::Response page = office.get("/settings/mail-queue/history");
  CHECK(has(page.body, "Not undone: changed &lt;again&gt;"));
  REQUIRE(page.cookies.size() == 1);
  CHECK(page.cookies[0].name == undone.cookies[0].name);
  CHECK(page.cookies[0].max_age == std::chrono::seconds(0));
  office.cookie = "__Host-post.office=t; " + undone.cookies[0].name + "=bm9uc2Vuc2U";
  CHECK(office.get("/settings/mail-queue/history").status == 200);
}

TEST_CASE("a long list is searched, added to and taken from without a long page") {
  Office office;
  std::vector<std::string> aliases, sent;
  for (int i = 0; i < 3000; ++i)
    aliases.push_back("<user" + std::to_string(i) + "@podunk.edu> <u" + std::to_string(i) +
                      "@xanadu.podunk.edu>");
  office.accounts->answers<WebShowForm, WebForm>([&](const WebShowForm&) {
    WebForm form = good<WebForm>();
    form.revision = 12;
    form.values = {{"Aliases", aliases}};
    return form;
  });
  office.accounts->answers<WebSubmitForm, WebDone>([&](const WebSubmitForm& form) {
    sent = form.values.at(0).values;
    WebDone done = good<WebDone>();
    done.revision = 13;
    return done;
  });
  const std::string path = "/settings/channel-aliases/list/Aliases";
  wwwd::Response page = office.get(path + "?find=user299@");
  CHECK(page.body.size() < 8000);
  CHECK(has(page.body, "value=\"&lt;user299@podunk.edu&gt;"));
  CHECK_FALSE(has(page.body, "user298@"));
  CHECK(office.get(path).body.size() < 60 * 1024);
  CHECK(office.post(path, {{"seal", "s"}, {"remove", aliases[299]}, {"remove", aliases[7]}}).status == 303);
  CHECK(sent.size() == 2998);
  CHECK(office.post(path, {{"seal", "s"}, {"add", "<a@b> <c@d>\r\n\r\n<e@f> <g@h>"}}).status == 303);
  CHECK(sent.size() == 3002);
  CHECK(sent.back() == "<e@f> <g@h>");
  CHECK(office.get("/settings/mail-queue/list/Message-Lifetime").status == 404);
}

TEST_CASE("the list of accounts: search, order and page go to accounts, and into its links") {
  Office office;
  WebAskAccounts asked;
  office.accounts->answers<WebAskAccounts, WebAccounts>([&](const WebAskAccounts& ask) {
    asked = ask;
    WebAccounts list = good<WebAccounts>();
    list.total = 120;
    list.all = 1000;
    list.rows.push_back({9, "<Jane>", "jane@podunk.edu", 2, true, true, false});
    return list;
  });
  wwwd::Response page = office.get("/accounts?find=ja%26n*&sort=name&down=1&page=2");
  CHECK(asked.search == "ja&n*");
  CHECK(asked.sort == WebSort::kName);
  CHECK(asked.descending);
  CHECK(asked.offset == 50);
  CHECK(asked.limit == 50);
  CHECK(has(page.body, "aria-sort=\"descending\""));
  CHECK(has(page.body, "&lt;Jane&gt;"));
  CHECK(has(page.body, "href=\"/accounts?sort=name&amp;down=1&amp;find=ja%26n%2A&amp;page=3\">Next"));
  CHECK(has(page.body, "Page 2 of 3"));
  office.get("/accounts?sort=nonsense&page=-4");
  CHECK(asked.sort == WebSort::kAddress);
  CHECK(asked.offset == 0);
}

TEST_CASE("removal asks what becomes of the mail before anything is sent") {
  Office office;
  show_forms(office);
  std::vector<WebRemove> sent;
  office.accounts->answers<WebRemove, WebDone>([&](const WebRemove& remove) {
    sent.push_back(remove);
    return good<WebDone>();
  });
  CHECK(office.post("/accounts/9/remove", {{"seal", "s"}}).status == 422);
  CHECK(office.post("/accounts/9/remove", {{"seal", "s"}, {"mail", "hand"}}).status == 422);
  CHECK(sent.empty());
  wwwd::Response gone =
      office.post("/accounts/9/remove", {{"seal", "s"}, {"mail", "hand"}, {"to", "bill@podunk.edu"}});
  CHECK(gone.status == 303);
  CHECK(gone.location == "/accounts?removed=9");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].subject == 9);
  CHECK(sent[0].mail == MailOf::kHandOver);
  CHECK(sent[0].to == "bill@podunk.edu");
}

TEST_CASE("what cannot be had just now is not said to be missing, wrong or refused") {
  Office office(true);
  po::Kind kind = po::Kind::kTemporary;
  office.accounts->answers<WebShowForm, WebForm>([&](const WebShowForm&) {
    WebForm form = good<WebForm>();
    form.kind = kind;
    return form;
  });
  const std::vector<std::pair<std::string, std::string>> lock = {{"seal", "s"}, {"locked", "yes"}};
  SECTION("the form") {
    CHECK(office.post("/accounts/9/lock", lock).status == 503);
    CHECK(office.get("/accounts/9/remove").status == 503);
    CHECK(office.get("/setup").status == 503);
    CHECK(office.get("/story").status == 503);
    CHECK(office.get("/settings/channel-aliases/list/Aliases").status == 503);
    kind = po::Kind::kPermanent;
    CHECK(office.post("/accounts/9/lock", lock).status == 404);
    CHECK(office.get("/accounts/9/remove").status == 404);
  }
  SECTION("the change") {
    kind = po::Kind::kDone;
    auto busy = [] {
      WebDone done = good<WebDone>();
      done.kind = po::Kind::kTemporary;
      done.text = "the databases are busy";
      return done;
    };
    office.accounts->answers<WebRemove, WebDone>([&](const WebRemove&) { return busy(); });
    office.accounts->answers<WebMakePassword, WebDone>([&](const WebMakePassword&) { return busy(); });
    for (const auto& response : {office.post("/accounts/9/remove", {{"seal", "s"}, {"mail", "delete"}}),
                                 office.post("/account/passwords", {{"seal", "s"}, {"name", "phone"}})}) {
      CHECK(response.status == 503);
      CHECK(has(response.body, "the databases are busy"));
    }
  }
  SECTION("the state of the system") {
    kind = po::Kind::kDone;
    WebStatus status = good<WebStatus>();
    office.accounts->answers<WebAskStatus, WebStatus>([&](const WebAskStatus&) { return status; });
    CHECK_FALSE(has(office.get("/setup").body, "goes without TLS"));
    status.text = R"({"processes":[{"name":"smtpd.1"}]})";
    CHECK(has(office.get("/setup").body, "goes without TLS"));
  }
}

TEST_CASE("a new application password is shown in the answer, and nowhere else") {
  Office office;
  office.accounts->answers<WebAskAccess, WebAccess>([](const WebAskAccess& ask) {
    CHECK(ask.subject == 7);
    return good<WebAccess>();
  });
  office.accounts->answers<WebMakePassword, WebDone>([](const WebMakePassword& make) {
    CHECK(make.name == "the phone");
    WebDone done = good<WebDone>();
    done.secret = "abcd-efgh";
    return done;
  });
  CHECK(office.post("/account/passwords", {{"seal", "s"}, {"name", " "}}).status == 422);
  wwwd::Response made = office.post("/account/passwords", {{"seal", "s"}, {"name", "the phone"}});
  CHECK(made.status == 200);
  CHECK(has(made.body, "abcd-efgh"));
  CHECK(made.cookies.empty());
}

TEST_CASE("a number that is no application password's is not cut to one that is") {
  Office office;
  std::vector<std::uint32_t> revoked;
  office.accounts->answers<WebRevokePassword, WebDone>([&](const WebRevokePassword& ask) {
    revoked.push_back(ask.id);
    return good<WebDone>();
  });
  CHECK(office.post("/account/passwords/4294967303/revoke", {{"seal", "s"}}).status == 404);
  CHECK(revoked.empty());
  CHECK(office.post("/account/passwords/7/revoke", {{"seal", "s"}}).status == 303);
  CHECK(revoked == std::vector<std::uint32_t>{7});
}

TEST_CASE("every form has its page, and links lead where routes are") {
  Office office;
  office.who.postmaster = true;
  show_forms(office);
  wwwd::Response index = office.get("/settings");
  for (const form::Form* form : form::all_forms()) {
    std::string path = "/settings/" + std::string(form->name);
    if (!has(index.body, "href=\"" + path + "\"")) continue;
    INFO(path);
    wwwd::Response page = office.get(path);
    CHECK(page.status == 200);
    CHECK(page.body.size() < 60 * 1024);
    CHECK(has(page.body, "name=\"seal\" value=\"s\""));
    CHECK(office.get(path + "/undo").status == 303);
  }
}

TEST_CASE("relay passwords are listed, set and removed by the command, and never shown") {
  Office office;
  std::vector<WebCommand> sent;
  office.accounts->answers<WebCommand, CommandOutput>([&](const WebCommand& command) {
    sent.push_back(command);
    if (command.words[1] == "list")
      return CommandOutput{"smtp.example.org jane\nold.example <b>  (in no route)\n", {}, true, 0};
    if (command.words[2] == "a host")
      return CommandOutput{{}, "post.office: a host and a log-in name are one word each\n", true, 65};
    return CommandOutput{"password set\n", {}, true, 0};
  });
  const char* path = "/settings/relay-passwords";
  CHECK(office.get(path).status == 403);
  CHECK(office.post(path, {{"seal", "s"}, {"what", "set"}, {"host", "a"}, {"user", "b"}}).status == 403);
  CHECK(sent.empty());
  office.who.postmaster = true;
  wwwd::Response page = office.get(path);
  CHECK(page.status == 200);
  CHECK(has(page.body, "by a route"));
  CHECK(has(page.body, "by no route"));
  CHECK(has(page.body, "&lt;b&gt;"));
  CHECK(has(office.get("/settings").body, "href=\"/settings/relay-passwords\""));

  sent.clear();
  wwwd::Response set = office.post(
      path,
      {{"seal", "s"}, {"what", "set"}, {"host", " a.example"}, {"user", "jo"}, {"password", "Sur Fer"}});
  CHECK(set.status == 303);
  CHECK(set.location == path);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].words == std::vector<std::string>{"relay-password", "set", "a.example", "jo"});
  CHECK(sent[0].input == "Sur Fer\n");
  CHECK(sent[0].caller.seal == "s");
  CHECK(
      office.post(path, {{"seal", "s"}, {"what", "remove"}, {"host", "a.example"}, {"user", "jo"}}).status ==
      303);
  CHECK(sent.back().words[1] == "remove");
  CHECK(sent.back().input.empty());

  wwwd::Response refused = office.post(
      path, {{"seal", "s"}, {"what", "set"}, {"host", "a host"}, {"user", "jo"}, {"password", "x"}});
  CHECK(refused.status == 422);
  CHECK(has(refused.body, "A host and a log-in name are one word each."));
  CHECK(has(refused.body, "value=\"a host\""));
  CHECK_FALSE(has(refused.body, "value=\"x\""));
  sent.clear();
  CHECK(office.post(path, {{"seal", "s"}, {"what", "set"}, {"host", std::string(2000, 'a')}, {"user", "jo"}})
            .status == 422);
  CHECK(sent.at(0).words[1] == "list");
}

TEST_CASE("a long list of an account is worked on at its own place, for that account") {
  Office office;
  std::vector<std::string> addresses;
  for (int i = 0; i < 1000; ++i) addresses.push_back("jane" + std::to_string(i) + "@podunk.edu");
  office.accounts->answers<WebShowForm, WebForm>([&](const WebShowForm& ask) {
    CHECK(ask.subject == 9);
    WebForm form = good<WebForm>();
    form.values = {{"Internet-Addresses", addresses}};
    return form;
  });
  wwwd::Response page = office.get("/accounts/9");
  CHECK(page.body.size() < 60 * 1024);
  CHECK(has(page.body, "href=\"/accounts/9/list/Internet-Addresses\">1000 entries"));
  CHECK(has(office.get("/accounts/9/list/Internet-Addresses?find=jane77@").body,
            "value=\"jane77@podunk.edu\""));
  CHECK(office.get("/accounts/9/list/Account-Number").status == 404);
}

TEST_CASE("a thousand mistakes make no long page") {
  Office office;
  show_forms(office);
  office.accounts->answers<WebSubmitForm, WebDone>([](const WebSubmitForm&) {
    WebDone done = good<WebDone>();
    done.kind = po::Kind::kPermanent;
    for (int i = 0; i < 1000; ++i)
      done.problems.push_back({"Relay-Networks", "x" + std::to_string(i), "give a network"});
    return done;
  });
  wwwd::Response response =
      office.post("/settings/system-security", {{"seal", "s"}, {"revision", "12"}, {"Relay-Networks", "x0"}});
  CHECK(response.status == 422);
  CHECK(response.body.size() < 60 * 1024);
  CHECK(has(response.body, "and 950 more"));
}

TEST_CASE("an export goes on when the client has taken what there is, and ends when the client goes") {
  Office office;
  std::uint32_t serial = 0;
  int more = 0, abandoned = 0;
  office.accounts->hears<WebCommand>([&](std::uint32_t s, const auto&) { serial = s; });
  office.accounts->hears<WebMoreOutput>([&](std::uint32_t s, const auto&) { more += s == serial ? 1 : 100; });
  office.accounts->hears<Abandon>([&](std::uint32_t s, const auto&) { abandoned += s == serial ? 1 : 100; });
  auto exchange = office.begin(Office::request_for("/export"));
  office.turn([&] { return serial != 0; });
  const CommandOutput piece{"abc", {}, false, 0};
  office.accounts->send(serial, piece);
  office.turn([&] { return more == 1; });
  CHECK(more == 1);
  exchange->waiting = 1 << 20;
  office.accounts->send(serial, piece);
  office.turn([&] { return exchange->response.body == "abcabc"; });
  CHECK(exchange->response.body == "abcabc");
  CHECK(more == 1);
  exchange->drain();
  office.turn([&] { return more == 2; });
  CHECK(more == 2);
  SECTION("it comes to its end") {
    office.accounts->send(serial, CommandOutput{"d", {}, true, 0});
    office.turn([&] { return exchange->ended; });
    CHECK(exchange->response.body == "abcabcd");
    office.get("/accounts/9/remove");
    CHECK(abandoned == 0);
  }
  SECTION("the client goes") {
    exchange->leave();
    office.turn([&] { return abandoned == 1; });
    CHECK(abandoned == 1);
  }
  CHECK(more == 2);
}

namespace {

/// Accounts seals every order; queue and story begin with it and are silent.
struct SilentOffice : Office {
  std::uint32_t serial = 0;
  int abandoned = 0;
  SilentOffice() {
    accounts->answers<WebAskOrder, WebOrder>([](const WebAskOrder&) {
      return WebOrder{WebStanding::kGood, "sealed"};
    });
    for (Played* there : {queue.get(), story.get()}) {
      there->hears<CarryOut>([this](std::uint32_t s, const CarryOut&) { serial = s; });
      there->hears<Abandon>([this](std::uint32_t s, const Abandon&) { abandoned += s == serial ? 1 : 100; });
    }
    who.postmaster = true;
  }
};

}  // namespace

TEST_CASE("what is looked up for a page ends when nobody waits for the page, what a form asks for does not") {
  SilentOffice office;
  SECTION("a page") {
    auto exchange = office.begin(Office::request_for("/story?about=jane@podunk.edu"));
    office.turn([&] { return office.serial != 0; });
    exchange->leave();
    office.turn([&] { return office.abandoned != 0; });
    CHECK(office.abandoned == 1);
  }
  SECTION("a page that was shown") {
    auto exchange = office.begin(Office::request_for("/story?about=jane@podunk.edu"));
    office.turn([&] { return office.serial != 0; });
    office.story->send(office.serial, CommandOutput{{}, {}, true, 1});
    office.turn([&] { return exchange->answered; });
    CHECK(exchange->response.status == 200);
    office.get("/queue/act");
    CHECK(office.abandoned == 0);
  }
  SECTION("a form") {
    auto exchange = office.begin(Office::form_for(
        "/queue/act", {{"seal", "s"}, {"action", "hold"}, {"scope", "matching"}, {"confirmed", "yes"}}));
    office.turn([&] { return office.serial != 0; });
    exchange->leave();
    office.get("/queue/act");
    CHECK(office.abandoned == 0);
  }
}

TEST_CASE("the output of a command of accounts is asked for piece by piece") {
  Office office;
  office.who.postmaster = true;
  std::uint32_t serial = 0;
  office.accounts->hears<WebCommand>([&](std::uint32_t s, const WebCommand&) {
    serial = s;
    office.accounts->send(serial, CommandOutput{"a.example jane\nb.exa", {}, false, 0});
  });
  office.accounts->hears<WebMoreOutput>([&](std::uint32_t s, const auto&) {
    CHECK(s == serial);
    office.accounts->send(serial, CommandOutput{"mple jo\n", {}, true, 0});
  });
  wwwd::Response page = office.get("/settings/relay-passwords");
  CHECK(page.status == 200);
  CHECK(has(page.body, "a.example"));
  CHECK(has(page.body, "b.example"));
}

TEST_CASE("what prints more than is shown is given up, and shown") {
  SilentOffice office;
  auto exchange = office.begin(Office::request_for("/queue/0123456789abcdefghj0/content"));
  office.turn([&] { return office.serial != 0; });
  REQUIRE(office.serial != 0);
  for (int i = 0; i < 9; ++i)
    office.queue->send(office.serial, CommandOutput{std::string(512 << 10, 'x'), {}, false, 0});
  office.turn([&] { return exchange->answered && office.abandoned != 0; });
  CHECK(office.abandoned == 1);
  CHECK(exchange->response.status == 200);
  CHECK(has(exchange->response.body, "The first "));
}

TEST_CASE("what broke off is not shown as if it were all") {
  SilentOffice office;
  struct Row {
    std::string path, out, broken;
  };
  const Row rows[] = {
      {"/queue/0123456789abcdefghj0/content", "Subject: x\r\n", "This is not all of it"},
      {"/story?about=jane@podunk.edu", "{\"time\":\"2026-11-26T02:25:00Z\",\"event\":\"x\"}\n",
       "The log could not be read to its end"}};
  for (const Row& row : rows) {
    CAPTURE(row.path);
    for (bool breaks_off : {false, true}) {
      office.serial = 0;
      auto exchange = office.begin(Office::request_for(row.path));
      office.turn([&] { return office.serial != 0; });
      CommandOutput output{row.out, {}, true, 0};
      if (breaks_off) {
        output.err = "post.office: the disk cannot be read\n";
        output.exit_code = 75;
      }
      (row.path[1] == 'q' ? office.queue : office.story)->send(office.serial, output);
      office.turn([&] { return exchange->answered; });
      const std::string& body = exchange->response.body;
      CHECK(has(body, row.broken) == breaks_off);
      CHECK(has(body, "The disk cannot be read.") == breaks_off);
      if (row.path[1] == 'q') CHECK(has(body, "All of it") != breaks_off);
    }
  }
}
