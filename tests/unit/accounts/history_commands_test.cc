#include "accounts/history_commands.h"

#include "tests/unit/accounts/fixture.h"

using Catch::Contains;
using Words = std::vector<std::string>;

TEST_CASE("history and undo on the command line") {
  Office office;
  office.good({"account", "add", "--address", "jane@podunk.edu", "--name", "Jane"});
  office.good({"account", "set", "jane@podunk.edu", "Forwarding-Addresses=a@x.org", "Account-Locked=yes"});
  std::string history = office.good({"account", "history", "jane@podunk.edu"});
  CHECK_THAT(history, Catch::Matches("revision 3  20..-..-.. ..:..:.. UTC  root \\(command\\)\n"
                                     "    Forwarding-Addresses: \\[\\] -> \\[a@x.org\\]\n"
                                     "    Account-Locked: \\[no\\] -> \\[yes\\]\n"
                                     "revision 2  .* root \\(command\\)\n    added\n"));
  CHECK(office.good({"form", "history", "account-data", "jane@podunk.edu"}) == history);
  CHECK_THAT(office.good({"account", "history", "jane@podunk.edu", "--limit", "1"}), !Contains("added"));
  CHECK_THAT(
      office.good({"account", "history", "jane@podunk.edu", "--json"}),
      Catch::StartsWith("[{\"revision\": 3, \"at\": 1") &&
          Contains("\"who\": \"root\", \"from\": null, \"way\": \"command\", \"kind\": \"changed\", "
                   "\"undoes\": null, \"changes\": [{\"field\": \"Forwarding-Addresses\", \"before\": [], "
                   "\"after\": [\"a@x.org\"]}"));
  CHECK(office.good({"account", "undo", "jane@podunk.edu", "3"}) == "account 2 changed\n");
  CHECK_THAT(office.good({"account", "history", "#2"}), Contains("takes back revision 3"));
  CHECK_THAT(office.good({"form", "history", "greeting"}), Contains("nothing was changed in this form yet"));
  CHECK(office.run({"account", "undo", "2"}).exit_code == 64);
  CHECK(office.run({"account", "undo", "2", "x"}).exit_code == 64);
  CHECK(office.run({"account", "undo", "2", "99"}).exit_code == 1);
  CHECK(office.run({"account", "history", "77"}).exit_code == 1);
}

TEST_CASE("a form on standard input that is not the newest is refused, and names who changed what") {
  Office office;
  office.good({"account", "add", "--address", "jane@podunk.edu", "--name", "Jane"});
  std::string account = office.good({"account", "show", "jane@podunk.edu"});
  std::string routing = office.good({"form", "show", "mail-routing"});
  CHECK_THAT(account, Contains("\nForm-Revision: [2]"));
  CHECK_THAT(routing, Contains("\nForm-Revision: [0]"));
  office.caller.who = "uid 1000";
  office.good({"account", "set", "jane@podunk.edu", "User's-Real-Name=Roe"});
  office.good({"form", "set", "mail-routing", "Plus-Addresses=no"});
  struct Row {
    Words words;
    const std::string& text;
    const char* change;
  };
  const Row rows[] = {{{"account", "set", "jane@podunk.edu"}, account, "User's-Real-Name: [Jane] -> [Roe]"},
                      {{"form", "set", "mail-routing"}, routing, "Plus-Addresses: [yes] -> [no]"}};
  for (const Row& row : rows) {
    auto result = office.run(row.words, row.text);
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, Contains("changed since you saw it") && Contains("uid 1000 (command)") &&
                               Contains(row.change) && Contains("nothing was changed"));
  }
  CHECK(
      office.run({"account", "set", "jane@podunk.edu", "User's-Real-Name=X", "--revision", "2"}).exit_code ==
      1);
  office.good({"account", "set", "jane@podunk.edu", "User's-Real-Name=X", "--revision", "3"});
  CHECK_THAT(office.run({"form", "set", "mail-routing", "--json"}, routing).out,
             Contains("\"outcome\": \"conflict\"") && Contains("\"since\": [{\"revision\""));
}

TEST_CASE("check and diff change nothing") {
  Office office;
  office.good({"account", "add", "--address", "jane@podunk.edu", "--name", "Jane"});
  std::uint64_t generation = office.admin->directory().generation();
  CHECK(office.good({"account", "check", "jane@podunk.edu", "Account-Locked=yes"}) ==
        "nothing would be refused\n");
  CHECK(office.good({"account", "diff", "jane@podunk.edu", "Account-Locked=yes"}) ==
        "Account-Locked: [no] -> [yes]\n");
  CHECK(office.good({"form", "diff", "mail-routing", "Relay-Domains+=a.org"}) ==
        "Relay-Domains: [] -> [a.org]\n");
  CHECK(office.good({"form", "diff", "mail-routing", "Plus-Addresses=yes"}) == "nothing would change\n");
  CHECK(office.good({"form", "diff", "mail-routing"}, "Plus-Addresses: [no]\n") ==
        "Plus-Addresses: [yes] -> [no]\n");
  for (const char* verb : {"check", "diff"}) {
    auto result = office.run({"account", verb, "jane@podunk.edu", "Account-Locked=perhaps"});
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, Contains("give yes or no") && Contains("would be refused"));
    result = office.run({"account", verb, "jane@podunk.edu", "Account-Locked=perhaps", "--json"});
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.out, Contains(R"("outcome": "refused")") && Contains(R"("rule": "give yes or no")"));
  }
  CHECK(office.run({"form", "check", "mail-routing"}, "nonsense").exit_code == 1);
  CHECK(office.run({"form", "check", "mail-routing"}, "").exit_code == 1);
  CHECK(office.run({"form", "check", "list-of-accounts", "Accounts=x"}).exit_code == 1);
  CHECK(office.run({"form", "set", "mail-routing", "--revision"}).exit_code == 64);
  CHECK(office.run({"form", "set", "mail-routing", "--revision", "x"}).exit_code == 64);
  CHECK(office.admin->directory().generation() == generation);
}

TEST_CASE("every form is shown") {
  Office office;
  office.admin->set_facts({.version = "1.2",
                           .program_directory = "/opt/po",
                           .spool_directory = "/s",
                           .mailbox_directory = "/m",
                           .log_directory = "/l",
                           .ports = {"smtp *:25", "pop3 *:110"},
                           .modules = {}});
  std::string names = office.good({"form", "list"});
  for (const char* name : {"account-data", "individual-account-information", "default-account",
                           "list-of-accounts", "system-information", "greeting", "channel-aliases"})
    CHECK_THAT(names, Contains(name));
  CHECK(office.good({"form", "show", "list of accounts"}) == office.good({"account", "list"}));
  std::string information = office.good({"form", "show", "system-information"});
  for (const char* value : {"[1.2]", "[/opt/po]", "[/s]", "[/m]", "[/l]", "[smtp *:25]", "[pop3 *:110]"})
    CHECK_THAT(information, Contains(value));
  office.good({"form", "set", "system-information"}, information);  // what is shown only may come back
  CHECK_THAT(office.good({"form", "show", "information", "postmaster"}),
             Contains("===== Individual Account Information =====") && !Contains("Account-Locked"));
  auto whose = office.run({"form", "show", "account-data"});
  CHECK(whose.exit_code == 1);
  CHECK_THAT(whose.err, Contains("say whose"));
  CHECK_THAT(office.good({"form", "show", "account-data", "postmaster", "--json"}),
             Contains("\"Account-Number\": 1") && Contains("\"Form-Revision\": 1}"));
  auto refused = office.run({"form", "set", "information", "postmaster", "User's-Real-Name=X"});
  CHECK(refused.exit_code == 1);
}

TEST_CASE("removal asks what becomes of the mail") {
  Office office;
  office.good({"account", "add", "--address", "jane@podunk.edu", "--name", "Jane"});
  office.good({"account", "add", "--address", "heir@podunk.edu", "--name", "Heir"});
  office.good({"account", "add", "--address", "f@podunk.edu", "--name", "F", "POP3-Delivery=no",
               "Forwarding-Addresses=x@y.org"});
  auto asked = office.run({"account", "remove", "jane@podunk.edu"});
  CHECK(asked.exit_code == 1);
  CHECK_THAT(asked.err, Contains("what becomes of the mail") && Contains("--delete-mail") &&
                            Contains("nothing was removed"));
  CHECK(office.run({"account", "remove", "jane@podunk.edu", "--delete-mail", "--hand-mail-to", "2"})
            .exit_code == 64);
  CHECK(office.run({"account", "remove", "jane@podunk.edu", "--hand-mail-to"}).exit_code == 64);
  CHECK(office.run({"account", "remove", "jane@podunk.edu", "--hand-mail-to", "nobody"}).exit_code == 1);
  CHECK(office.run({"account", "remove", "jane@podunk.edu", "--hand-mail-to", "f@podunk.edu"}).exit_code ==
        1);
  CHECK(office.run({"account", "remove", "jane@podunk.edu", "--hand-mail-to", "jane@podunk.edu"}).exit_code ==
        1);
  CHECK(office.good({"account", "remove", "jane@podunk.edu", "--hand-mail-to=heir@podunk.edu"}) ==
        "account 2 removed; its mail goes to account 3\n"
        "'post.office account undo 2 5' makes the account again\n");
  CHECK(
      office.good({"account", "undo", "2", "5"}) ==
      "account 2 is there again, without a password; its mail was handed to account 3 when it was removed\n");
  CHECK_THAT(office.good({"account", "remove", "f@podunk.edu"}), Catch::StartsWith("account 4 removed\n"));
}

TEST_CASE("routes: short ways to the Mail-Routing-Table") {
  Office office;
  office.good({"route", "add", "*:firewall.podunk.edu", "tls=required"});
  office.good({"route", "add", "podunk.edu:*", "--before", "*"});
  CHECK(office.good({"route", "list"}) == "podunk.edu:*\n*:firewall.podunk.edu tls=required\n");
  CHECK(office.good({"route", "list", "firewall"}) == "*:firewall.podunk.edu tls=required\n");
  CHECK(office.run({"route", "add", "x.org:y.org", "--before", "z.org"}).exit_code == 1);
  CHECK(office.run({"route", "add", "podunk.edu:elsewhere"}).exit_code == 1);
  CHECK(office.run({"route", "remove", "x.org"}).exit_code == 1);
  office.good({"route", "remove", "PODUNK.edu"});
  CHECK(office.good({"route", "list"}) == "*:firewall.podunk.edu tls=required\n");
  for (const Words& words : {Words{"route", "add"},
                             {"route", "remove"},
                             {"route", "list", "a", "b"},
                             {"route", "list", "--before", "x"},
                             {"route", "list", "--x"}})
    CHECK(office.run(words).exit_code == 64);
  CHECK(accounts::is_accounts_command({"route", "list"}));
  CHECK_FALSE(accounts::is_accounts_command({"route", "jane@podunk.edu"}));
  CHECK_FALSE(accounts::is_accounts_command({"route"}));
}
