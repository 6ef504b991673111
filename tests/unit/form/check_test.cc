#include "lib/form/check.h"

#include <catch2/catch.hpp>

#include "lib/directory/settings_table.h"
#include "lib/form/changes.h"
#include "lib/form/forms.h"
#include "lib/form/json.h"
#include "lib/form/settings_form.h"

namespace {

using List = std::vector<std::string>;

struct Outcome {
  form::Values values;
  std::vector<form::Problem> problems;
};

Outcome check_text(const form::Form& f, std::string_view text, form::CheckContext context = {}) {
  if (context.completion_domain.empty()) context.completion_domain = "podunk.edu";
  Outcome outcome;
  form::Parser parser(f, text);
  if (auto parsed = parser.next()) outcome.values = form::check(f, *parsed, context, outcome.problems);
  return outcome;
}

/// As the commands do with `Field=value`.
form::Values check_words(const form::Form& form, const std::vector<std::string>& words,
                         const form::Values& current, const form::CheckContext& context,
                         std::vector<form::Problem>& problems) {
  return form::check(form, form::read_words(form, words, current, context), context, problems);
}

}  // namespace

TEST_CASE("values come into their one right form, or are refused with the rule") {
  struct Row {
    const form::Form& f;
    std::string field, brackets;
    List values;
    std::string rule;  // empty: accepted
  };
  const auto& account = form::account_data();
  const auto& system = form::system_configuration();
  const auto& security = form::system_security();
  const auto& routing = form::mail_routing();
  const auto& aliases = form::channel_aliases();
  const auto& queue = form::mail_queue();
  const Row rows[] = {
      {account, "User's-Real-Name", "[ Janie Lee ]", {"Janie Lee"}, ""},
      {account, "Account-Name", "[a] [b]", {}, "takes one value"},
      {account, "User's-Real-Name", "[]", {}, "may not be empty"},
      {account, "User's-Real-Name", "[a\\x07]", {}, "control characters"},
      {account, "User's-Real-Name", "[a\xff]", {}, "UTF-8"},
      {account,
       "Internet-Addresses",
       "[Jane@X.Podunk.EDU] [jane@x.podunk.edu] [joe]",
       {"Jane@x.podunk.edu", "joe@podunk.edu"},
       ""},
      {account, "Internet-Addresses", "[a b@c]", {}, "?"},
      {account, "Internet-Addresses", "[<a@b>]", {}, "?"},
      {account, "POP3-Delivery", "[ POP ]", {"yes"}, ""},
      {account, "POP3-Delivery", "[NO]", {"no"}, ""},
      {account, "POP3-Delivery", "[]", {"yes"}, ""},
      {account, "POP3-Delivery", "[maybe]", {}, "give yes or no"},
      {account, "Lock-Account", "[yes]", {"yes"}, ""},
      {account, "From-Address-Rewrite", "[Quoted]", {"quoted"}, ""},
      {account, "From-Address-Rewrite", "[loud]", {}, "give none, comment or quoted"},
      {account, "POP3-Login-Name", "[two words]", {}, "one word"},
      {account, "Maximum-POP3-Mailbox-Size", "[100]", {"100"}, ""},
      {account, "Maximum-POP3-Mailbox-Size", "[-1]", {}, "give a number from 0"},
      {account, "Maximum-POP3-Mailbox-Size", "[10 MB]", {}, "give a number"},
      {account, "Maximum-POP3-Mailbox-Size", "[99999999999999999999999]", {}, "give a number"},
      {account, "Access-Restrictions", "[199.17.234.0] [Software.com]", {"199.17.234.0", "software.com"}, ""},
      {account, "Access-Restrictions", "[300.1.1.1/99]", {}, "?"},
      {account, "Finger-Information", "[  a] [] [b] []", {"  a", "", "b"}, ""},
      {account, "Mail-Account-Password", "[secret]", {"secret"}, ""},
      {account, "Mail-Account-Password", "[secret] [secret]", {"secret"}, ""},
      {account, "Mail-Account-Password", "[secret] [Secret]", {}, "not the same"},
      {account,
       "Mail-Account-Password",
       "[\xc3\xa4\xc3\xb6\xc3\xbc"
       "12]",
       {},
       "at least 6"},
      {account, "Mail-Account-Password", "[ secret]", {}, "first or last"},
      {account, "Mail-Account-Password", "[]", {}, ""},
      {system, "Maximum-Message-Size", "[]", {"51200"}, ""},
      {system, "Maximum-Recipients", "[99]", {}, "from 100"},
      {system, "POP3-Clear-Text-Log-In", "[Loopback]", {"loopback"}, ""},
      {security, "Relay-Networks", "[10.0.0.0/8] [2001:db8::/32]", {"10.0.0.0/8", "2001:db8::/32"}, ""},
      {routing,
       "Local-Mail-Domains",
       "[Podunk.EDU] [b\xc3\xbc"
       "cher.example]",
       {"podunk.edu", "xn--bcher-kva.example"},
       ""},
      {routing, "Local-Mail-Domains", "[not a domain]", {}, "?"},
      {routing, "Address-Completion-Domain", "[]", {}, ""},
      // figures 2-11 and 2-13 of the Guide
      {routing,
       "Mail-Routing-Table",
       "[podunk.edu:*] [*.podunk.edu:*] [*:firewall.podunk.edu]",
       {"podunk.edu:*", "*.podunk.edu:*", "*:firewall.podunk.edu"},
       ""},
      {routing,
       "Mail-Routing-Table",
       "[Podunk.EDU:[10.0.0.1]]:2525  TLS=none]",
       {"podunk.edu:[10.0.0.1]:2525 tls=none"},
       ""},
      {routing, "Mail-Routing-Table", "[a.org:*] [A.org: *]", {}, "PATTERN:HOST"},
      {routing, "Mail-Routing-Table", "[a.org:b] [A.org:*]", {}, "an entry for a.org stands before this one"},
      {routing, "Mail-Routing-Table", "[a.org:b] [A.ORG:b]", {"a.org:b"}, ""},
      {routing, "Sender-Options", "[A.org helo=M.a.org]", {"a.org helo=m.a.org"}, ""},
      {routing, "Sender-Options", "[a.org]", {}, "source=ADDRESS, helo=NAME or both"},
      {routing, "Plus-Addresses", "[]", {"yes"}, ""},
      {routing, "Unknown-Local-Users", "[Hold]", {"hold"}, ""},
      {routing, "Unknown-Local-Users", "[]", {"refuse"}, ""},
      {routing, "Unknown-Local-Users", "[bounce]", {}, "give refuse, hold or deliver"},
      {routing, "Catch-All-Address", "[all]", {"all@podunk.edu"}, ""},
      // figure 2-9
      {aliases,
       "Aliases",
       "[<janie@podunk.edu> <janie@xanadu.podunk.edu>]",
       {"<janie@podunk.edu> <janie@xanadu.podunk.edu>"},
       ""},
      {aliases, "Aliases", "[<a> <B@X.org>]", {"<a@podunk.edu> <B@x.org>"}, ""},
      {aliases, "Aliases", "[a@x.org b@x.org]", {}, "<INCOMING ADDRESS> <OUTGOING ADDRESS>"},
      {aliases, "Aliases", "[<a@x.org> <a@x.org>]", {}, "leads to itself"},
      {aliases, "Aliases", "[<a@x.org> <b@x.org>] [<A@x.org> <c@x.org>]", {}, "an entry for a@x.org"},
      {queue, "Message-Lifetime", "[]", {"120"}, ""},
      {queue, "Message-Lifetime", "[0]", {}, "from 1"},
      {queue, "Delay-Warning", "[0]", {"0"}, ""},
      {queue, "Bounce-Full-Message-Size", "[]", {"37"}, ""},
      {queue, "Bounce-Full-Message-Size", "[38]", {}, "to 37"},
      {security, "Trusted-UNIX-Users", "[www-data] [list]", {"www-data", "list"}, ""},
      {security, "Trusted-UNIX-Users", "[two words]", {}, "one word"},
      {security,
       "Queue-Start-Permissions",
       "[Podunk.EDU  192.0.2.0/24] [podunk.edu 199.17.234.0] [x.org Mail.X.org]",
       {"podunk.edu 192.0.2.0/24", "podunk.edu 199.17.234.0", "x.org mail.x.org"},
       ""},
      {security, "Queue-Start-Permissions", "[podunk.edu]", {}, "DOMAIN RESTRICTION"},
      {security, "Queue-Start-Permissions", "[podunk.edu 300.1.1.1]", {}, "four numbers"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.field, row.brackets);
    Outcome got = check_text(row.f, row.field + ": " + row.brackets);
    if (row.rule.empty()) {
      REQUIRE(got.problems.empty());
      CHECK(got.values.begin()->second == row.values);
    } else {
      REQUIRE(got.problems.size() == 1);
      CHECK(got.problems[0].line == 1);
      if (row.rule != "?") CHECK_THAT(got.problems[0].rule, Catch::Contains(row.rule));
    }
  }
}

TEST_CASE("all that is wrong is told at once, and a new account names what it needs") {
  Outcome got = check_text(form::account_data(), "POP3-Delivery: [x]\nAccount-Locked: [y]\nBogus: [z]\n",
                           {.completion_domain = {}, .whole = true});
  REQUIRE(got.problems.size() == 5);
  CHECK(got.problems[0].text() == "line 3: Bogus: the Account Data form has no such field");
  CHECK(got.problems[1].text() == "line 1: POP3-Delivery: [x]: give yes or no");
  CHECK(got.problems[3].field == "User's-Real-Name");
  CHECK(got.problems[4].field == "Internet-Addresses");
}

TEST_CASE("an owner changes only what is his") {
  form::CheckContext owner{.completion_domain = "x.org", .who = form::Who::kOwner};
  CHECK(check_text(form::account_data(), "Finger-Information: [hi]\n", owner).problems.empty());
  CHECK(check_text(form::account_data(), "Account-Locked: [no]\n", owner).problems.size() == 1);
}

TEST_CASE("words set, empty and edit lists") {
  struct Row {
    std::vector<std::string> words;
    List values;
    std::string rule;
  };
  const Row rows[] = {
      {{"Local-Mail-Domains=a.org", "Local-Mail-Domains=b.org"}, {"a.org", "b.org"}, ""},
      {{"Local-Mail-Domains="}, {}, ""},
      {{"local mail domains+=C.org"}, {"x.org", "y.org", "c.org"}, ""},
      {{"Local-Mail-Domains-=X.ORG", "Local-Mail-Domains+=z.org"}, {"y.org", "z.org"}, ""},
      {{"Local-Mail-Domains-=q.org"}, {}, "not in the list"},
      {{"Address-Completion-Domain+=q.org"}, {}, "are for lists"},
      {{"Nothing=1"}, {}, "no such field"},
      {{"nothing"}, {}, "give Field-Name=value"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.words);
    std::vector<form::Problem> problems;
    auto values = check_words(form::mail_routing(), row.words, {{"Local-Mail-Domains", {"x.org", "y.org"}}},
                              {.completion_domain = "x.org"}, problems);
    if (!row.rule.empty()) {
      REQUIRE(problems.size() == 1);
      CHECK_THAT(problems[0].rule, Catch::Contains(row.rule));
    } else {
      CHECK(problems.empty());
      CHECK(values["Local-Mail-Domains"] == row.values);
    }
  }
}

TEST_CASE("every setting is one field of one form, and its form says what the system does") {
  std::map<std::string, int> fields;
  for (const form::Form* f : form::all_forms())
    if (form::is_of_settings(*f))
      for (const auto& section : f->sections)
        for (const auto& field : section.fields)
          if (field.type != form::Type::kReadOnly) ++fields[std::string(field.name)];
  directory::Settings settings;
  std::size_t count = 0;
  directory::for_each_setting(settings, [&](const char* name, const auto& member) {
    ++count;
    CAPTURE(name);
    CHECK(fields[name] == 1);
    using Member = std::decay_t<decltype(member)>;
    for (const form::Form* f : form::all_forms()) {
      if (!form::is_of_settings(*f) || !f->find(name)) continue;
      if constexpr (std::is_same_v<Member, std::uint64_t>) CHECK(f->find(name)->scale == 1024);
      if constexpr (std::is_same_v<Member, std::uint32_t>) CHECK(f->find(name)->scale == 1);
    }
  });
  CHECK(count == fields.size());
}

TEST_CASE("settings survive the way through the forms") {
  directory::Settings settings;
  settings.max_message_size = 10 << 20;
  settings.over_quota_permanent = true;
  settings.pop3_clear_text = directory::ClearText::kAlways;
  settings.relay_networks = {"10.0.0.0/8"};
  settings.local_domains = {"a.org", "b.org"};
  settings.completion_domain = "a.org";
  settings.routes = {"*:[192.0.2.1]:587 tls=verified user=a"};
  settings.sender_routes = {"a.org source=192.0.2.9"};
  settings.plus_addresses = false;
  settings.unknown_users = directory::UnknownUsers::kDeliver;
  settings.catch_all = "all@a.org";
  settings.channel_aliases = {"<a@a.org> <\"b ] c\"@b.org>"};
  settings.message_lifetime = 7;
  settings.bounce_full_size = 20 << 10;
  settings.trusted_users = {"list"};
  settings.queue_start = {"a.org 10.0.0.0"};
  directory::Settings back;
  for (const form::Form* f : form::all_forms()) {
    if (!form::is_of_settings(*f)) continue;
    Outcome got = check_text(*f, form::render(*f, form::settings_values(settings)));
    CHECK(got.problems.empty());
    form::apply_settings(got.values, back);
  }
  CHECK(po::wire::encode(back) == po::wire::encode(settings));
  CHECK_FALSE(form::apply_settings(form::settings_values(settings), back));
}

TEST_CASE("JSON is legal whatever the values are") {
  form::Values values{{"Relay-Domains", {"a.org"}}, {"Address-Completion-Domain", {}}};
  CHECK_THAT(form::to_json(form::mail_routing(), values),
             Catch::StartsWith("{\"Local-Mail-Domains\": [], \"Relay-Domains\": [\"a.org\"], "
                               "\"Address-Completion-Domain\": null, "));
}

TEST_CASE("aliases are printed as the Guide prints them") {
  directory::Settings settings;
  settings.channel_aliases = {"<janie@podunk.edu> <janie@xanadu.podunk.edu>"};
  CHECK(form::render(form::channel_aliases(), form::settings_values(settings)) ==
        "===== SMTP Channel Aliases =====\n\nAliases: [<janie@podunk.edu> <janie@xanadu.podunk.edu>]\n");
  settings.channel_aliases.push_back("<j@podunk.edu> <janie@xanadu.podunk.edu>");
  CHECK_THAT(form::render(form::channel_aliases(), form::settings_values(settings)),
             Catch::EndsWith(">]\n         [<j@podunk.edu> <janie@xanadu.podunk.edu>]\n"));
}

TEST_CASE("forms are found by name and by title") {
  CHECK(form::find_form("System Security") == &form::system_security());
  CHECK(form::find_form("mail-routing") == &form::mail_routing());
  CHECK(form::find_form("MAILROUTING") == &form::mail_routing());
  CHECK(form::find_form("SMTP Aliases") == &form::channel_aliases());
  CHECK(form::find_form("channel-aliases") == &form::channel_aliases());
  CHECK(form::find_form("Mail Queue") == &form::mail_queue());
  CHECK(form::find_form("") == nullptr);
  CHECK(form::find_form("no such form") == nullptr);
  // as the Guide calls them
  CHECK(form::find_form("queue") == &form::mail_queue());
  CHECK(form::find_form("Local mail domains") == &form::mail_routing());
  CHECK(form::find_form("Information") == &form::individual_account_information());
  CHECK(form::find_form("Licensing/Configuration Form") == &form::system_information());
  CHECK(form::find_form("List of Accounts") == &form::list_of_accounts());
  std::map<std::string, const form::Form*> names;
  for (const form::Form* f : form::all_forms()) {
    std::vector<std::string_view> own{f->name, f->title};
    own.insert(own.end(), f->also.begin(), f->also.end());
    for (std::string_view name : own) CHECK(names.emplace(form::name_key(name), f).first->second == f);
  }
}

TEST_CASE("a field is found by each of its names, and by nothing else") {
  for (const form::Form* f : form::all_forms()) {
    for (const auto& section : f->sections) {
      for (const auto& field : section.fields) {
        std::vector<std::string_view> own{field.name};
        own.insert(own.end(), field.also.begin(), field.also.end());
        for (std::string_view name : own) {
          CAPTURE(f->name, name);
          CHECK(f->find(name) == &field);
          CHECK(f->find(form::name_key(name)) == &field);
          CHECK(f->find(" -" + std::string(name) + "!") == &field);
          CHECK(f->find(std::string(name) + "x") == nullptr);
          auto shorter = form::name_key(name.substr(0, name.size() - 1));
          if (!field.is_named(shorter)) CHECK(f->find(shorter) == nullptr);
        }
      }
    }
    CHECK(f->find("") == nullptr);
    CHECK(f->find(" -!") == nullptr);
  }
}

TEST_CASE("what an owner sees is made from Account Data: he changes what is his, the rest is shown") {
  const form::Form& all = form::account_data();
  const form::Form& own = form::individual_account_information();
  std::size_t changeable = 0;
  for (const auto& section : all.sections) {
    for (const auto& field : section.fields) {
      CAPTURE(field.name);
      const form::Field* seen = own.find(field.name);
      bool his = field.change == form::Who::kOwner;
      REQUIRE((seen != nullptr) == (his || field.read == form::Who::kOwner));
      if (!seen) continue;
      CHECK((seen->type == form::Type::kReadOnly) == !his);
      CHECK(seen->help == field.help);
      if (his) CHECK(seen->type == field.type);
      changeable += his ? 1U : 0U;
    }
  }
  CHECK(changeable > 3);
  CHECK(own.find("Account-Locked") == nullptr);
  CHECK(own.find("Mail-Account-Password") != nullptr);
}

TEST_CASE("what all accounts may begin with is no account's own") {
  for (const char* name : {"User's-Real-Name", "Account-Number", "Internet-Addresses", "POP-Login-Name",
                           "Mail-Account-Password", "System-User-Name"}) {
    CHECK(form::account_data().find(name) != nullptr);
    CHECK(form::default_account().find(name) == nullptr);
  }
  CHECK(form::default_account().find("From-Address-Rewrite") != nullptr);
}

TEST_CASE("a password has as many characters as the system wants") {
  form::CheckContext context{.completion_domain = "x.org", .min_password = 9};
  std::vector<form::Problem> problems;
  (void)check_words(form::account_data(), {"Mail-Account-Password=12345678"}, {}, context, problems);
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0].rule, Catch::Contains("at least 9"));
  problems.clear();
  (void)check_words(form::account_data(), {"Mail-Account-Password=123456789"}, {}, context, problems);
  CHECK(problems.empty());
}

TEST_CASE("what changed, in one line each") {
  struct Row {
    List before, after;
    const char* text;
  };
  List many;
  for (char c = 'a'; c < 'k'; ++c) many.emplace_back(1, c);
  List more = many;
  more.erase(more.begin());
  more.push_back("z]");
  List turned(many.rbegin(), many.rend());
  const Row rows[] = {
      {{}, {"a.org"}, "Relay-Domains: [] -> [a.org]"},
      {{"a.org"}, {"a.org", "b.org"}, "Relay-Domains: [a.org] -> [a.org] [b.org]"},
      {{"a.org"}, {}, "Relay-Domains: [a.org] -> []"},
      {many, more, "Relay-Domains: + [z]]] - [a]"},
      {many, turned, "Relay-Domains: (in another order)"},
  };
  for (const Row& row : rows) {
    auto lines = form::changes_between(form::mail_routing(), {{"Relay-Domains", row.before}},
                                       {{"Relay-Domains", row.after}});
    REQUIRE(lines.size() == 1);
    CHECK(form::change_text(lines[0]) == row.text);
  }
  CHECK(form::changes_between(form::mail_routing(), {{"Relay-Domains", {"a"}}}, {}).empty());
  CHECK(form::change_json({"F", {"a\"b"}, {}}) == R"({"field": "F", "before": ["a\"b"], "after": []})");
}
