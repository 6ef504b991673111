#include "accounts/form_service.h"

#include "accounts/password.h"
#include "lib/directory/reader.h"
#include "lib/form/forms.h"
#include "tests/unit/accounts/fixture.h"

using accounts::Caller;
using accounts::Outcome;
using accounts::Subject;
using accounts::Submission;
using Catch::Contains;
using What = Outcome::What;
using List = std::vector<std::string>;
using Kind = directory::Revision::Kind;

namespace {

/// Jane has account 2.
struct Desk : Office {
  Desk() {
    good({"account", "add", "--address", "jane@podunk.edu", "--name", "Jane Doe", "--login", "jane",
          "--password", "{crypt}$1$abcdefgh$irWbblnpmw.5z7wgBnprh0"});
    caller = {.who = "Postmaster", .from = "192.0.2.1", .way = "web"};
  }
  Caller owner() const {
    return {.rights = form::Who::kOwner,
            .account = 2,
            .who = "jane@podunk.edu",
            .from = "192.0.2.7",
            .way = "web"};
  }
  using Fields = std::vector<std::pair<const char*, List>>;
  Submission submission(const Subject& subject, const Fields& fields) const {
    Submission s;
    for (const auto& [name, values] : fields) {
      REQUIRE(subject.form->find(name));
      s.given.fields.push_back({subject.form->find(name), 0, values});
    }
    return s;
  }
  Outcome submit(const Caller& who, const Subject& subject, const Fields& fields,
                 std::optional<std::uint64_t> seen = {}, bool check_only = false) {
    Submission s = submission(subject, fields);
    s.seen = seen;
    s.check_only = check_only;
    auto outcome = accounts::submit(*admin, who, subject, s);
    REQUIRE(outcome);
    return *outcome;
  }
  directory::Account account(std::uint64_t id) const { return *admin->directory().account(id).value(); }

  Subject jane{&form::account_data(), 2};
  Subject own{&form::individual_account_information(), 2};
  Subject routing{&form::mail_routing(), 0};
};

}  // namespace

TEST_CASE("a change of an account: revision, history, undo") {
  Desk desk;
  auto shown = show(*desk.admin, desk.caller, desk.jane);
  REQUIRE(shown);
  CHECK(shown->values["User's-Real-Name"] == List{"Jane Doe"});
  CHECK(shown->values.count("Mail-Account-Password") == 0);
  Outcome outcome =
      desk.submit(desk.caller, desk.jane, {{"User's-Real-Name", {"Jane Roe"}}, {"Account-Locked", {"yes"}}},
                  shown->revision);
  CHECK(outcome.what == What::kChanged);
  CHECK(outcome.revision == desk.account(2).revision);
  REQUIRE(outcome.changes.size() == 2);
  CHECK(desk.account(2).name == "Jane Roe");

  auto rows = history(*desk.admin, desk.caller, desk.jane, 0, 10);
  REQUIRE(rows);
  REQUIRE(rows->size() == 2);
  CHECK(rows->at(0).revision == outcome.revision);
  CHECK(rows->at(0).who == "Postmaster");
  CHECK(rows->at(0).from == "192.0.2.1");
  CHECK(rows->at(0).way == "web");
  CHECK(rows->at(0).at > 1'700'000'000);
  CHECK(rows->at(0).lines[0].before == List{"Jane Doe"});
  CHECK(rows->at(0).lines[0].after == List{"Jane Roe"});
  CHECK(rows->at(1).kind == Kind::kAdded);

  auto undone = undo(*desk.admin, desk.caller, desk.jane, outcome.revision);
  REQUIRE(undone);
  CHECK(undone->what == What::kChanged);
  CHECK(desk.account(2).name == "Jane Doe");
  CHECK_FALSE(desk.account(2).locked);
  rows = history(*desk.admin, desk.caller, desk.jane, 0, 1);
  CHECK(rows->at(0).undoes == outcome.revision);
  auto again = undo(*desk.admin, desk.caller, desk.jane, outcome.revision);
  REQUIRE(again);
  CHECK(again->what == What::kSame);
  CHECK_FALSE(undo(*desk.admin, desk.caller, desk.jane, 9999));
  CHECK_FALSE(undo(*desk.admin, desk.caller, desk.jane, rows->at(0).revision - 2));  // that added it
}

TEST_CASE("two who change one form: the second is told what the first did") {
  Desk desk;
  for (const Subject& subject : {desk.jane, desk.routing}) {
    CAPTURE(subject.form->name);
    bool is_account = subject.account != 0;
    const char* field = is_account ? "Finger-Information" : "Relay-Domains";
    std::uint64_t seen = show(*desk.admin, desk.caller, subject)->revision;
    Outcome first = desk.submit(desk.caller, subject, {{field, {"a.org"}}}, seen);
    CHECK(first.what == What::kChanged);
    Outcome second = desk.submit(desk.caller, subject, {{field, {"b.org"}}}, seen);
    CHECK(second.what == What::kConflict);
    CHECK(second.revision == first.revision);
    REQUIRE(second.since.size() == 1);
    CHECK(second.since[0].lines[0].after == List{"a.org"});
    CHECK(desk.submit(desk.caller, subject, {{field, {"b.org"}}}, seen, true).what == What::kConflict);
    CHECK(show(*desk.admin, desk.caller, subject)->values[field] == List{"a.org"});
    CHECK(desk.submit(desk.caller, subject, {{field, {"b.org"}}}, first.revision).what == What::kChanged);
    CHECK(desk.submit(desk.caller, subject, {{field, {"c.org"}}}).what == What::kChanged);
    // a form that another change of the directory did not touch is no conflict
    std::uint64_t now = show(*desk.admin, desk.caller, subject)->revision;
    desk.good(
        {"form", "set", "system-security", std::string("Web-Idle-Limit=") + (is_account ? "20" : "30")});
    CHECK(desk.submit(desk.caller, subject, {{field, {"d.org"}}}, now).what == What::kChanged);
  }
}

TEST_CASE("what was changed again since is not taken back") {
  Desk desk;
  Outcome first = desk.submit(desk.caller, desk.routing,
                              {{"Relay-Domains", {"a.org"}}, {"Local-Mail-Domains", {"x.org"}}});
  Outcome second = desk.submit(desk.caller, desk.routing, {{"Relay-Domains", {"b.org"}}});
  Outcome third = desk.submit(desk.caller, desk.routing, {{"Plus-Addresses", {"no"}}});
  auto undone = undo(*desk.admin, desk.caller, desk.routing, first.revision);
  REQUIRE(undone);
  CHECK(undone->what == What::kConflict);
  REQUIRE(undone->since.size() == 1);
  CHECK(undone->since[0].revision == second.revision);
  auto settings = desk.admin->directory().settings().value();
  CHECK(settings->local_domains == List{"x.org"});
  REQUIRE(undo(*desk.admin, desk.caller, desk.routing, second.revision)->what == What::kChanged);
  REQUIRE(undo(*desk.admin, desk.caller, desk.routing, first.revision)->what == What::kChanged);
  settings = desk.admin->directory().settings().value();
  CHECK(settings->local_domains.empty());
  CHECK(settings->relay_domains.empty());
  CHECK_FALSE(settings->plus_addresses);
  CHECK(third.what == What::kChanged);
}

TEST_CASE("an undo goes through the checks: an address that another has now does not come back") {
  Desk desk;
  Outcome gone = desk.submit(desk.caller, desk.jane, {{"Internet-Addresses", {"roe@podunk.edu"}}});
  desk.good({"account", "add", "--address", "jane@podunk.edu", "--name", "Other"});
  auto undone = undo(*desk.admin, desk.caller, desk.jane, gone.revision);
  REQUIRE(undone);
  CHECK(undone->what == What::kRefused);
  REQUIRE_FALSE(undone->problems.empty());
  CHECK_THAT(undone->problems[0].rule, Contains("belongs to account number 3"));
}

TEST_CASE("passwords: a revision of their own, never shown, never brought back") {
  Desk desk;
  Outcome set = desk.submit(desk.caller, desk.jane, {{"Mail-Account-Password", {"geheim123"}}});
  CHECK(set.what == What::kChanged);
  CHECK(set.revision == desk.account(2).revision);
  auto rows = history(*desk.admin, desk.caller, desk.jane, 0, 1);
  REQUIRE(rows->at(0).lines.size() == 1);
  CHECK(rows->at(0).lines[0].field == "Mail-Account-Password");
  CHECK(rows->at(0).lines[0].before.empty());
  CHECK(rows->at(0).lines[0].after == List{"(changed)"});
  auto undone = undo(*desk.admin, desk.caller, desk.jane, set.revision);
  REQUIRE(undone);
  CHECK(undone->what == What::kRefused);
  CHECK(accounts::password::check(desk.admin->secrets().password(2).value(), "geheim123").right);
  // the hash that is there already is no change
  std::string hash = desk.admin->secrets().password(2).value();
  CHECK(desk.submit(desk.caller, desk.jane, {{"Mail-Account-Password", {hash}}}).what == What::kSame);
}

TEST_CASE("the least length of a password holds for every way") {
  Desk desk;
  desk.good({"form", "set", "system-security", "Minimum-Password-Length=10"});
  for (const Subject& subject : {desk.jane, desk.own}) {
    Caller who = subject.form == desk.own.form ? desk.owner() : desk.caller;
    Outcome outcome = desk.submit(who, subject, {{"Mail-Account-Password", {"123456789"}}});
    CHECK(outcome.what == What::kRefused);
    REQUIRE(outcome.problems.size() == 1);
    CHECK(outcome.problems[0].field == "Mail-Account-Password");
    CHECK(outcome.problems[0].value.empty());
    CHECK_THAT(outcome.problems[0].rule, Contains("at least 10"));
  }
  CHECK(desk.run({"account", "passwd", "jane"}, "123456789\n").exit_code == 1);
  CHECK(desk.run({"account", "add", "--address", "b@x.org", "--name", "B", "--password", "123456789"})
            .exit_code == 1);
  CHECK(desk.run({"account", "add"},
                 "User's-Real-Name: [B]\nInternet-Addresses: [b@x.org]\nPassword: [123456789]\n")
            .exit_code == 1);
  CHECK(desk.run({"import", "--yes"},
                 "===== Account Data =====\nUser's-Real-Name: [B]\nInternet-Addresses: [b@x.org]\nPassword: "
                 "[123456789]\n")
            .exit_code == 1);
}

TEST_CASE("an owner reads and changes his own account, and only what its form lets him") {
  Desk desk;
  Caller jane = desk.owner();
  auto shown = show(*desk.admin, jane, desk.own);
  REQUIRE(shown);
  CHECK(shown->values["Internet-Addresses"] == List{"jane@podunk.edu"});
  for (const char* hidden : {"Account-Locked", "General-Access-Restrictions", "Send-From-Any-Address",
                             "Account-Number", "Mail-Account-Password"})
    CHECK(shown->values.count(hidden) == 0);

  Outcome outcome = desk.submit(jane, desk.own, {{"Finger-Information", {"hello"}}}, shown->revision);
  CHECK(outcome.what == What::kChanged);
  CHECK(desk.account(2).finger == List{"hello"});
  // what is only shown may come back as it was shown
  CHECK(desk.submit(jane, desk.own,
                    {{"User's-Real-Name", {"Jane Doe"}}, {"Internet-Addresses", {"jane@podunk.edu"}}})
            .what == What::kSame);
  outcome = desk.submit(jane, desk.own, {{"User's-Real-Name", {"Boss"}}, {"Finger-Information", {"x"}}});
  CHECK(outcome.what == What::kRefused);
  REQUIRE(outcome.problems.size() == 1);
  CHECK(outcome.problems[0].field == "User's-Real-Name");
  CHECK_THAT(outcome.problems[0].rule, Contains("only the Postmaster"));
  CHECK(desk.account(2).finger == List{"hello"});

  auto denied = [&](const Subject& subject) {
    CAPTURE(subject.form->name, subject.account);
    CHECK_FALSE(show(*desk.admin, jane, subject));
    CHECK_FALSE(history(*desk.admin, jane, subject, 0, 10));
    CHECK_FALSE(undo(*desk.admin, jane, subject, 2));
    Submission s;
    CHECK_FALSE(accounts::submit(*desk.admin, jane, subject, s));
  };
  for (const form::Form* f : form::all_forms()) {
    denied({f, 1});
    denied({f, 0});
  }
  denied(desk.jane);
  CHECK_FALSE(remove(*desk.admin, jane, {.account = 2, .hand_to = std::nullopt}));
  CHECK(accounts::run_command(*desk.admin, jane, {"account", "list"}, {}).exit_code == 1);
  Caller nobody = jane;
  nobody.account = 0;
  CHECK_FALSE(show(*desk.admin, nobody, {desk.own.form, 0}));
  CHECK_FALSE(show(*desk.admin, nobody, desk.own));
}

TEST_CASE("an owner's password is what he types, never a ready hash") {
  Desk desk;
  const std::string weak = "{crypt}$1$abcdefgh$irWbblnpmw.5z7wgBnprh0";
  CHECK(desk.submit(desk.owner(), desk.own, {{"Mail-Account-Password", {weak}}}).what == What::kChanged);
  CHECK(accounts::password::check(desk.admin->secrets().password(2).value(), weak).right);
}

TEST_CASE("a locked account's owner sees and changes nothing") {
  Desk desk;
  desk.good({"account", "lock", "jane"});
  CHECK_FALSE(show(*desk.admin, desk.owner(), desk.own));
  Submission s = desk.submission(desk.own, {{"Finger-Information", {"x"}}});
  CHECK_FALSE(accounts::submit(*desk.admin, desk.owner(), desk.own, s));
}

TEST_CASE("an owner's history tells of what he may see, and he takes back what he may change") {
  Desk desk;
  desk.submit(desk.caller, desk.jane, {{"Send-From-Any-Address", {"yes"}}});
  Outcome both = desk.submit(desk.caller, desk.jane,
                             {{"Send-From-Any-Address", {"no"}}, {"Forwarding-Addresses", {"j@a.org"}}});
  Outcome name = desk.submit(desk.caller, desk.jane, {{"User's-Real-Name", {"Jane Roe"}}});
  auto rows = history(*desk.admin, desk.owner(), desk.own, 0, 10);
  REQUIRE(rows);
  REQUIRE(rows->size() == 3);
  CHECK(rows->at(0).revision == name.revision);
  REQUIRE(rows->at(1).lines.size() == 1);
  CHECK(rows->at(1).lines[0].field == "Forwarding-Addresses");
  CHECK(history(*desk.admin, desk.owner(), desk.own, 0, 1)->size() == 1);
  CHECK(undo(*desk.admin, desk.owner(), desk.own, name.revision)->what == What::kRefused);
  CHECK(undo(*desk.admin, desk.owner(), desk.own, both.revision)->what == What::kChanged);
  CHECK(desk.account(2).forwarding.empty());
  CHECK_FALSE(desk.account(2).any_sender);
}

TEST_CASE("a new account begins as the Default Account says, by every way") {
  Desk desk;
  desk.good(
      {"form", "set", "default-account", "From-Address-Rewrite=comment", "Maximum-POP3-Mailbox-Size=100"});
  CHECK(show(*desk.admin, desk.caller, {&form::account_data(), 0})->values["From-Address-Rewrite"] ==
        List{"comment"});
  desk.good({"account", "add", "--address", "a@x.org", "--name", "A"});
  desk.good({"account", "add"}, "User's-Real-Name: [B]\nInternet-Addresses: [b@x.org]\n");
  desk.good({"import", "--yes"},
            "===== Account Data =====\nUser's-Real-Name: [C]\nInternet-Addresses: [c@x.org]\n"
            "From-Address-Rewrite: [quoted]\n");
  Outcome web = desk.submit(desk.caller, {&form::account_data(), 0},
                            {{"User's-Real-Name", {"D"}}, {"Internet-Addresses", {"d@x.org"}}});
  CHECK(web.what == What::kChanged);
  for (std::uint64_t id = 3; id <= 6; ++id) {
    CHECK(desk.account(id).mailbox_limit == 100 * 1024);
    CHECK(desk.account(id).from_rewrite ==
          (id == 5 ? directory::FromRewrite::kQuoted : directory::FromRewrite::kComment));
  }
  CHECK(web.account == 6);
  CHECK(desk.account(2).from_rewrite == directory::FromRewrite::kNone);
}

TEST_CASE("no more accounts than System Information allows") {
  Desk desk;
  desk.good({"form", "set", "system-information", "Maximum-Accounts=3"});
  desk.good({"account", "add", "--address", "a@x.org", "--name", "A"});
  auto result = desk.run({"account", "add", "--address", "b@x.org", "--name", "B"});
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, Contains("Maximum-Accounts"));
  desk.good({"account", "set", "a@x.org", "User's-Real-Name=AA"});
  desk.good({"account", "remove", "a@x.org", "--delete-mail"});
  desk.good({"account", "add", "--address", "b@x.org", "--name", "B"});
}

TEST_CASE("a check changes nothing and says what would change") {
  Desk desk;
  std::uint64_t generation = desk.admin->directory().generation();
  Outcome outcome = desk.submit(desk.caller, desk.jane, {{"User's-Real-Name", {"X"}}}, {}, true);
  CHECK(outcome.what == What::kChanged);
  CHECK(outcome.changes.size() == 1);
  outcome = desk.submit(desk.caller, {&form::account_data(), 0},
                        {{"User's-Real-Name", {"D"}}, {"Internet-Addresses", {"d@x.org"}}}, {}, true);
  CHECK(outcome.what == What::kChanged);
  CHECK(desk.submit(desk.caller, desk.routing, {{"Relay-Domains", {"x.org"}}}, {}, true).changes.size() == 1);
  CHECK(desk.submit(desk.caller, {&form::default_account(), 0}, {{"Account-Locked", {"yes"}}}, {}, true)
            .changes.size() == 1);
  CHECK(desk.admin->directory().generation() == generation);
}

TEST_CASE("removal: what becomes of the mail, and back again") {
  Desk desk;
  desk.good({"account", "add", "--address", "heir@x.org", "--name", "Heir"});
  auto reader = directory::Reader::open(desk.folder + "/directory", "mail.podunk.edu");
  REQUIRE(reader);
  for (std::optional<std::uint64_t> bad : {std::optional<std::uint64_t>(2), {99}})
    CHECK_FALSE(remove(*desk.admin, desk.caller, {.account = 2, .hand_to = bad}));
  CHECK_FALSE(remove(*desk.admin, desk.caller, {.account = 1, .hand_to = std::nullopt}));
  CHECK_FALSE(remove(*desk.admin, desk.caller, {.account = 99, .hand_to = std::nullopt}));
  CHECK(reader->errands({}, 10)->empty());

  auto removed = remove(*desk.admin, desk.caller, {.account = 2, .hand_to = 3});
  REQUIRE(removed);
  CHECK(removed->what == What::kChanged);
  auto errands = reader->errands({}, 10).value();
  REQUIRE(errands.size() == 1);
  CHECK(errands[0].kind == directory::Errand::Kind::kHandOver);
  CHECK(errands[0].account == 2);
  CHECK(errands[0].to == 3);
  CHECK(errands[0].address == "jane@podunk.edu");
  CHECK(errands[0].position.generation == removed->revision);
  CHECK(desk.admin->secrets().password(2).value().empty());
  auto rows = history(*desk.admin, desk.caller, desk.jane, 0, 1);
  CHECK(rows->at(0).kind == Kind::kRemoved);

  auto again = undo(*desk.admin, desk.caller, desk.jane, removed->revision);
  REQUIRE(again);
  CHECK(again->what == What::kChanged);
  CHECK(desk.account(2).name == "Jane Doe");
  CHECK(desk.account(2).pop_login == "jane");
  CHECK(desk.admin->secrets().password(2).value().empty());
  CHECK(reader->errands({}, 10)->empty());
  CHECK(undo(*desk.admin, desk.caller, desk.jane, removed->revision)->what == What::kConflict);

  removed = remove(*desk.admin, desk.caller, {.account = 2, .hand_to = std::nullopt});
  REQUIRE(removed);
  CHECK(reader->errands({}, 10)->at(0).kind == directory::Errand::Kind::kDeleteMailbox);
  desk.good({"account", "add", "--address", "jane@podunk.edu", "--name", "Other"});
  CHECK(undo(*desk.admin, desk.caller, desk.jane, removed->revision)->what == What::kRefused);
}

TEST_CASE("an account that is made again has nothing of what a cut-short removal left of its secrets") {
  Desk desk;
  auto removed = remove(*desk.admin, desk.caller, {.account = 2, .hand_to = std::nullopt});
  REQUIRE(removed);
  auto left = desk.admin->secrets().begin();
  REQUIRE(left);
  REQUIRE(left->set_password(2, "$7$hash"));
  accounts::AppPassword phone;
  phone.id = 1;
  REQUIRE(left->put_app_password(2, phone));
  REQUIRE(left->set_known(2, "192.0.2.7", 1'700'000'000));
  REQUIRE(left->set_sign_ins(2, {accounts::SignIn{}}));
  REQUIRE(left->commit());
  REQUIRE(undo(*desk.admin, desk.caller, desk.jane, removed->revision)->what == What::kChanged);
  const accounts::Secrets& secrets = desk.admin->secrets();
  CHECK(secrets.password(2).value().empty());
  CHECK(secrets.app_passwords(2)->empty());
  CHECK(secrets.known(2, "192.0.2.7", 1'700'000'000).value() == 0);
  CHECK(secrets.sign_ins(2)->empty());
}

TEST_CASE("a new account with a mailbox or a mail drop is greeted, if the Greeting says so") {
  Desk desk;
  auto reader = directory::Reader::open(desk.folder + "/directory", "mail.podunk.edu");
  REQUIRE(reader);
  desk.good({"account", "add", "--address", "a@x.org", "--name", "A"});
  CHECK(reader->errands({}, 10)->empty());
  desk.good({"form", "set", "greeting", "Send-Greeting=yes"});
  desk.good({"account", "add", "--address", "b@x.org", "--name", "B"});
  desk.good({"account", "add", "--address", "c@x.org", "--name", "C", "POP3-Delivery=no",
             "Forwarding-Addresses=x@y.org"});
  desk.good({"account", "add", "--address", "d@x.org", "--name", "D", "POP3-Delivery=no", "UNIX-Delivery=yes",
             "UNIX-Login-Name=d"});
  auto errands = reader->errands({}, 10).value();
  REQUIRE(errands.size() == 2);
  CHECK(errands[0].kind == directory::Errand::Kind::kGreet);
  CHECK(errands[0].account == 4);
  CHECK(errands[0].address == "b@x.org");
  CHECK(errands[1].address == "d@x.org");
}
