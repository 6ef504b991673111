#include "accounts/import_commands.h"

#include <fstream>

#include "accounts/password.h"
#include "lib/directory/reader.h"
#include "tests/unit/accounts/fixture.h"

using Catch::Contains;
using List = std::vector<std::string>;

namespace {

/// Without the comments at its head, which tell the time.
std::string body(const std::string& text) {
  return text.substr(text.find("\n====="));
}

void fill(Office& office) {
  office.good({"form", "set", "mail-routing", "Local-Mail-Domains=podunk.edu",
               "Address-Completion-Domain=podunk.edu", "Unknown-Local-Users=deliver",
               "Catch-All-Address=postmaster@mail.podunk.edu"});
  office.good({"form", "set", "channel-aliases", "Aliases=<a> <b@x.org>"});
  office.good({"form", "set", "system-security", "Minimum-Password-Length=8"});
  office.good(
      {"form", "set", "greeting", "Send-Greeting=yes", "Greeting-Text=Hello", "Greeting-Text= you ]"});
  office.good({"form", "set", "default-account", "From-Address-Rewrite=quoted"});
  office.good({"account", "add", "--address", "gone@podunk.edu", "--name", "Gone"});
  office.good({"account", "add", "--address", "jane@podunk.edu", "--name", "J\xc3\xa4ne", "--login", "jane",
               "--password", "{crypt}$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", "Finger-Information=a]b"});
  office.good({"account", "add", "--address", "des@podunk.edu", "--name", "Des", "--password",
               "{crypt}abJnggxhB/yWI", "Account-Locked=yes"});
  office.good({"account", "remove", "gone@podunk.edu", "--delete-mail"});
}

}  // namespace

TEST_CASE("what is exported is read back into an empty system to the same state") {
  Office office;
  fill(office);
  std::string all = office.good({"export", "--passwords"});
  Office other;
  std::string dry = other.good({"import"}, all);
  CHECK_THAT(dry, Contains("new account jane@podunk.edu") && Contains("this was a dry run"));
  CHECK_THAT(dry, Contains("Local-Mail-Domains: [] -> [podunk.edu]"));
  CHECK(other.admin->directory().generation() == 1);
  CHECK_THAT(other.good({"import", "--yes"}, all), Contains("2 new accounts") && Contains("imported"));
  CHECK(other.admin->directory().generation() == 2);
  CHECK(body(other.good({"export", "--passwords"})) == body(all));
  CHECK(other.admin->secrets().password(4).value() == "abJnggxhB/yWI");
  CHECK(other.admin->directory().account(3).value()->pop_login == "jane");
  // who comes back is not greeted
  auto reader = directory::Reader::open(other.folder + "/directory", "mail.podunk.edu");
  CHECK(reader->errands({}, 10)->empty());
  // once more: nothing is to be done
  CHECK_THAT(other.good({"import", "--yes"}, all), Contains("nothing was changed"));
  CHECK(other.admin->directory().generation() == 2);
  CHECK_THAT(other.good({"account", "history", "jane"}), Contains("(import)"));
  CHECK_THAT(other.good({"form", "history", "mail-routing"}), Contains("root (import)"));
}

TEST_CASE("without passwords: those that are there stay") {
  Office office;
  fill(office);
  std::string all = office.good({"export"});
  CHECK_THAT(all, !Contains("$1$") && !Contains("{crypt}"));
  std::string changed = all;
  changed.replace(changed.find("[a]]b]"), 6, "[new]");
  std::string out = office.good({"import", "--yes"}, changed);
  CHECK_THAT(out, Contains("account 3 (jane@podunk.edu)\n    Finger-Information: [a]]b] -> [new]\n"));
  CHECK(office.admin->directory().account(3).value()->finger == List{"new"});
  CHECK(office.admin->secrets().password(3).value() == "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0");
}

TEST_CASE("hashes are for administrators of the machine alone") {
  Office office;
  office.caller.administrator = false;
  CHECK(office.run({"export", "--passwords"}).exit_code == 1);
  CHECK(office.good({"export"}).size() > 100);
  CHECK(office.run({"export", "all"}).exit_code == 64);
}

TEST_CASE("all or nothing, and everything wrong is told with its line") {
  Office office;
  auto result = office.run({"import", "--yes"},
                           "===== Mail Routing =====\n"                    // 1
                           "Relay-Domains: [not a domain]\n"               // 2
                           "===== Account Data =====\n"                    // 3
                           "User's-Real-Name: [A]\n"                       // 4
                           "Internet-Addresses: [a@x.org]\n"               // 5
                           "===== Account Data =====\n"                    // 6
                           "User's-Real-Name: [B]\n"                       // 7
                           "Internet-Addresses: [b@x.org] [A@x.org]\n"     // 8
                           "===== Individual Account Information =====\n"  // 9
                           "Forwarding-Addresses: [x@y.org]\n"             // 10
                           "===== Mail Routing =====\n"                    // 11
                           "Plus-Addresses: [no]\n"                        // 12
                           "===== Nonsense =====\n"                        // 13
                           "===== Account Data =====\n"                    // 14
                           "POP3-Delivery: [no]\n");                       // 15
  CHECK(result.exit_code == 1);
  for (const char* line : {"line 2: Relay-Domains: [not a domain]",
                           "line 8: Internet-Addresses: [A@x.org]: belongs to the form in line 4 already",
                           "line 10: of an account, only its Account Data form",
                           "line 12: a second form mail-routing, the first is in line 2",
                           "line 13: [Nonsense]: there is no such form",
                           "line 15: User's-Real-Name: this field must be given", "nothing was imported"})
    CHECK_THAT(result.err, Contains(line));
  CHECK(office.admin->directory().generation() == 1);
  CHECK(office.run({"import"}, "").exit_code == 1);
  CHECK(office.run({"import", "--yes", "--dry-run"}, "").exit_code == 64);
  CHECK(office.run({"import", "now"}, "").exit_code == 64);
}

TEST_CASE("which account a form of the file means") {
  Office office;
  office.good({"account", "add", "--address", "a@x.org", "--name", "A"});
  office.good({"account", "add", "--address", "b@x.org", "--name", "B"});
  struct Row {
    const char* form;
    std::uint64_t id;  // whose name becomes N
  };
  const Row rows[] = {
      {"User's-Real-Name: [N]\nInternet-Addresses: [a@x.org]\n", 2},
      {"User's-Real-Name: [N]\nAccount-Number: [3]\nInternet-Addresses: [new@x.org] [b@x.org]\n", 3},
      {"User's-Real-Name: [N]\nAccount-Number: [3]\nInternet-Addresses: [A@x.org]\n", 2},
      {"User's-Real-Name: [N]\nAccount-Number: [1]\nInternet-Addresses: [root@y.org]\n", 1},
      {"User's-Real-Name: [N]\nAccount-Number: [77]\nInternet-Addresses: [n@y.org]\n", 77},
      {"User's-Real-Name: [N]\nAccount-Number: [50]\nInternet-Addresses: [o@y.org]\n", 78},
      {"User's-Real-Name: [N]\nAccount-Number: [18446744073709551615]\nInternet-Addresses: [p@y.org]\n", 79},
  };
  for (const Row& row : rows) {
    CAPTURE(row.form);
    office.good({"import", "--yes"}, std::string("===== Account Data =====\n") + row.form);
    auto account = office.admin->directory().account(row.id).value();
    REQUIRE(account);
    CHECK(account->name == "N");
    office.good({"account", "set", "#" + std::to_string(row.id), "User's-Real-Name=M"});
  }
  auto twice = office.run({"import", "--yes"},
                          "===== Account Data =====\nUser's-Real-Name: [1]\nInternet-Addresses: [a@x.org]\n"
                          "===== Account Data =====\nUser's-Real-Name: [2]\nInternet-Addresses: [a@x.org]\n");
  CHECK(twice.exit_code == 1);
  CHECK_THAT(twice.err, Contains("a second form of the account a@x.org"));
}

TEST_CASE("a form that says its revision is not imported over a later change") {
  Office office;
  office.good({"account", "add", "--address", "a@x.org", "--name", "A"});
  std::string account = office.good({"account", "show", "a@x.org"}),
              routing = office.good({"form", "show", "mail-routing"});
  CHECK(office.run({"import"}, account + routing).exit_code == 0);
  office.good({"account", "set", "a@x.org", "User's-Real-Name=B"});
  office.good({"form", "set", "mail-routing", "Relay-Domains=x.org"});
  auto result = office.run({"import", "--yes"}, account + routing);
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, Contains("Account Data") || Contains("Form-Revision"));
  CHECK(office.admin->directory().account(2).value()->name == "B");
}

TEST_CASE("accounts are completed and checked by the settings of the same file, wherever they stand in it") {
  Office office;
  office.good(
      {"import", "--yes"},
      "===== Account Data =====\nUser's-Real-Name: [A]\nInternet-Addresses: [a]\n"
      "===== Mail Routing =====\nAddress-Completion-Domain: [new.org]\nUnknown-Local-Users: [deliver]\n"
      "Catch-All-Address: [a]\n");
  CHECK(office.admin->directory().account(2).value()->addresses == List{"a@new.org"});
  CHECK(office.admin->directory().settings().value()->catch_all == "a@new.org");
  auto result = office.run({"import", "--yes"}, "===== Mail Routing =====\n\nCatch-All-Address: [nobody]\n");
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, Contains("line 3: Catch-All-Address: [nobody@new.org]: no account has"));
}

TEST_CASE("what would change, as JSON") {
  Office office;
  CHECK(
      office.good({"import", "--json"},
                  "===== Account Data =====\nUser's-Real-Name: [A]\nInternet-Addresses: [a@x.org]\n"
                  "===== Mail Routing =====\nPlus-Addresses: [no]\n") ==
      R"({"done": false, "forms": 1, "added": 1, "changed": 0, "same": 0, "effects": [{"form": "Mail Routing", )"
      R"("changes": [{"field": "Plus-Addresses", "before": ["yes"], "after": ["no"]}]}, )"
      R"({"form": "new account a@x.org", "changes": []}]})"
      "\n");
}

TEST_CASE("many accounts, there and back") {
  Office office;
  std::string file;
  constexpr int kCount = 10'000;
  for (int i = 0; i < kCount; ++i) {
    std::string n = std::to_string(i);
    file += "===== Account Data =====\nUser's-Real-Name: [User " + n +
            "]\nMail-Account-Password: [{crypt}$1$abcdefgh$irWbblnpmw.5z7wgBnprh0]\n" +
            "Internet-Addresses: [user" + n + "@x.org]\nPOP-Login-Name: [user" + n + "]\n";
  }
  std::string out = office.good({"import", "--yes"}, file);
  CHECK_THAT(out, Contains("and 9000 more") && Contains("10000 new accounts"));
  std::string all = office.good({"export", "--passwords"});
  CHECK_THAT(office.good({"import", "--yes"}, all), Contains("10001 as they are"));
}
