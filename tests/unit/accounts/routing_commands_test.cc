#include "accounts/commands.h"
#include "lib/directory/next_hop.h"
#include "tests/unit/accounts/fixture.h"

using Catch::Contains;

namespace {

/// A command that must be refused; what it says.
std::string bad(Office& office, const std::vector<std::string>& words, std::string_view input = {}) {
  auto result = office.run(words, input);
  CAPTURE(words, result.out);
  CHECK(result.exit_code != 0);
  CHECK(result.out.empty());
  return result.err;
}

}  // namespace

TEST_CASE("the forms of mail routing, as the Guide's figures 2-9, 2-11 and 2-13 print them") {
  Office office;
  office.good({"form", "set", "SMTP Aliases"}, "Aliases: [<janie@podunk.edu> <janie@xanadu.podunk.edu>]\n");
  CHECK_THAT(office.good({"form", "show", "channel-aliases"}),
             Contains("\nAliases: [<janie@podunk.edu> <janie@xanadu.podunk.edu>]\n"));
  constexpr const char* kFirewall =
      "Mail-Routing-Table: [podunk.edu:*]\n                    [*.podunk.edu:*]\n"
      "                    [*:firewall.podunk.edu]\n";
  office.good({"form", "set", "mail-routing"}, kFirewall);
  auto settings = office.admin->directory().settings().value();
  CHECK(settings->routes ==
        std::vector<std::string>{"podunk.edu:*", "*.podunk.edu:*", "*:firewall.podunk.edu"});
  std::string shown = office.good({"form", "show", "mail-routing"});
  CHECK_THAT(office.good({"form", "set", "mail-routing"}, shown), Contains("already says so"));
  for (const char* name :
       {"system-configuration", "system-security", "mail-routing", "channel-aliases", "mail-queue"})
    CHECK_THAT(office.good({"form", "list"}), Contains(name));
}

TEST_CASE("settings that do not go together are refused") {
  Office office;
  office.good({"account", "add", "--address", "all@podunk.edu", "--name", "All"});
  CHECK_THAT(bad(office, {"form", "set", "mail-routing", "Unknown-Local-Users=deliver"}),
             Contains("Catch-All-Address: give an account's address: Unknown-Local-Users is deliver\n"));
  CHECK_THAT(bad(office, {"form", "set", "mail-routing", "Catch-All-Address=nobody@podunk.edu"}),
             Contains("Catch-All-Address: [nobody@podunk.edu]: no account has this address\n"));
  office.good(
      {"form", "set", "mail-routing", "Unknown-Local-Users=deliver", "Catch-All-Address=All@podunk.edu"});
  CHECK_THAT(bad(office, {"form", "set", "channel-aliases", "Aliases=<a@x.org> <b@x.org>",
                          "Aliases=<b@x.org> <A@x.org>", "Aliases=<c@x.org> <d@x.org>"}),
             Contains("Aliases: [<a@x.org> <b@x.org>]: the aliases lead in a circle, back to a@x.org\n"
                      "Aliases: [<b@x.org> <A@x.org>]: the aliases lead in a circle, back to b@x.org\n"
                      "nothing was changed\n"));
  std::vector<std::string> long_way{"form", "set", "channel-aliases"};
  for (int i = 0; i < 60; ++i)
    long_way.push_back("Aliases=<a" + std::to_string(i) + "@x.org> <a" + std::to_string(i + 1) + "@x.org>");
  CHECK_THAT(bad(office, long_way), Contains("more than 50 aliases stand behind one another"));
}

TEST_CASE("alias: short ways to the form") {
  Office office;
  office.good({"alias", "add", "janie@podunk.edu", "<janie@xanadu.podunk.edu>"});
  office.good({"alias", "add", "J", "janie@podunk.edu"});
  CHECK(office.good({"alias", "list"}) ==
        "<janie@podunk.edu> <janie@xanadu.podunk.edu>\n<J@mail.podunk.edu> <janie@podunk.edu>\n");
  CHECK(office.good({"alias", "list", "xanadu"}) == "<janie@podunk.edu> <janie@xanadu.podunk.edu>\n");
  CHECK_THAT(bad(office, {"alias", "add", "Janie@podunk.edu", "x@y.org"}),
             Contains("an entry for janie@podunk.edu"));
  CHECK_THAT(bad(office, {"alias", "add", "janie@xanadu.podunk.edu", "j@mail.podunk.edu"}),
             Contains("circle"));
  CHECK_THAT(bad(office, {"alias", "add", "a b", "x@y.org"}), Contains("\"a b\": "));
  CHECK_THAT(bad(office, {"alias", "remove", "nobody@podunk.edu"}),
             Contains("no alias for nobody@podunk.edu"));
  office.good({"alias", "remove", "JANIE@podunk.edu", "j"});
  CHECK(office.good({"alias", "list"}).empty());
  CHECK_THAT(bad(office, {"alias"}), Contains("usage: post.office alias list"));
  CHECK(office.run({"alias", "add", "x"}).exit_code == accounts::kExitUsage);
}

TEST_CASE("domain: short ways to the form") {
  Office office;
  office.good({"domain", "add", "Podunk.edu", "x.org"});
  office.good({"domain", "add", "--relay", "backup.example"});
  CHECK(office.good({"domain", "list"}) == "podunk.edu\nx.org\n");
  CHECK(office.good({"domain", "list", "--relay"}) == "backup.example\n");
  office.good({"domain", "remove", "PODUNK.EDU"});
  CHECK(office.good({"domain", "list"}) == "x.org\n");
  CHECK_THAT(bad(office, {"domain", "remove", "podunk.edu"}), Contains("not in the list"));
  CHECK_THAT(bad(office, {"domain", "add", "no domain"}), Contains("Local-Mail-Domains"));
  CHECK_THAT(bad(office, {"domain", "add"}), Contains("usage: post.office domain list"));
}

TEST_CASE("relay passwords are kept, listed by name and removed, and never shown") {
  Office office;
  auto kept = [&](const char* host, const char* user) {
    return office.admin->secrets().relay_password(host, user).value();
  };
  CHECK(office.good({"relay-password", "set", "Relay.Example:587", "janie"}, "Sur Fer!\n") ==
        "password of janie at relay.example set\n");
  office.good({"relay-password", "set", "[192.0.2.1]", "Janie"}, "other\r\n");
  CHECK(kept("relay.example", "janie") == "Sur Fer!");
  CHECK(kept("RELAY.example", "janie") == "Sur Fer!");
  CHECK(kept("[192.0.2.1]", "Janie") == "other");
  CHECK(kept("[192.0.2.1]", "janie").empty());
  CHECK(kept("relay.exampl", "ejanie").empty());
  office.good({"form", "set", "mail-routing", "Mail-Routing-Table=*:relay.example:587 user=janie"});
  std::string listed = office.good({"relay-password", "list"});
  CHECK(listed == "[192.0.2.1] Janie  (in no route)\nrelay.example janie\n");
  office.good({"relay-password", "set", "relay.example", "janie"}, "changed");
  CHECK(kept("relay.example", "janie") == "changed");
  office.good({"relay-password", "remove", "relay.example", "janie"});
  CHECK(kept("relay.example", "janie").empty());
  CHECK_THAT(bad(office, {"relay-password", "remove", "relay.example", "janie"}),
             Contains("no password is kept for janie at relay.example"));
  office.admin.reset();
  office.open();
  CHECK(kept("[192.0.2.1]", "Janie") == "other");

  struct Row {
    std::vector<std::string> words;
    std::string input, why;
  };
  const Row rows[] = {
      {{"set", "relay.example", "janie"}, "", "give the password on standard input"},
      {{"set", "relay.example", "janie"}, "\n", "give the password on standard input"},
      {{"set", "relay.example", "janie"}, "a\nb\n", "one line"},
      {{"set", "relay.example", "janie"}, std::string(1025, 'x'), "at most 1024"},
      {{"set", "relay.example", "janie"}, std::string("a\0b", 3), "NUL"},
      {{"set", "relay.example tls=none", "janie"}, "x", "one word each"},
      {{"set", "relay.example", "janie tls=none"}, "x", "one word each"},
      {{"set", "*", "janie"}, "x", "user= needs a host"},
      {{"set", "192.0.2.1", "janie"}, "x", "stands in brackets"},
      {{"set", "relay.example", ""}, "x", "log-in name of 1 to 255"},
      {{"set", "relay.example", "janie", "secret"}, "", "give HOST and USER"},
      {{"set"}, "", "give HOST and USER"},
      {{"show"}, "", "usage: post.office relay-password list"},
  };
  for (Row row : rows) {
    row.words.insert(row.words.begin(), "relay-password");
    CHECK_THAT(bad(office, row.words, row.input), Contains(row.why));
  }
}

TEST_CASE("a route whose password is missing is told") {
  Office office;
  auto result =
      office.run({"form", "set", "mail-routing", "Mail-Routing-Table=a.org:relay.example user=a",
                  "Mail-Routing-Table=b.org:relay.example user=a", "Mail-Routing-Table=*:relay.example"});
  CHECK(result.exit_code == 0);
  CHECK(result.err ==
        "no password is kept for a at relay.example: 'post.office relay-password set relay.example a'\n");
}

TEST_CASE("which of these commands read standard input") {
  using accounts::reads_input;
  using accounts::reads_password;
  CHECK(reads_password({"relay-password", "set", "h", "u"}));
  CHECK(reads_input({"relay-password", "set", "h", "u"}));
  CHECK(reads_password({"account", "passwd", "x"}));
  CHECK_FALSE(reads_password({"account", "set", "x"}));
  CHECK_FALSE(reads_password({"form", "set", "x"}));
  for (const char* word : {"alias", "domain", "relay-password"}) {
    CHECK(accounts::is_accounts_command({word}));
    CHECK_FALSE(reads_input({word, "list"}));
    CHECK_FALSE(reads_input({word, "add", "x"}));
    CHECK_FALSE(reads_input({word, "remove", "x"}));
  }
  CHECK_FALSE(accounts::is_accounts_command({"queue"}));
}
