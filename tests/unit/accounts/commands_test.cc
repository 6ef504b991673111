#include "accounts/commands.h"

#include "accounts/command_words.h"
#include "accounts/password.h"
#include "tests/unit/accounts/fixture.h"

using Catch::Contains;

namespace {

constexpr const char* kJanie =
    "User's-Real-Name: [Janie Lee]\n"
    "Mail-Account-Password: [{crypt}$1$abcdefgh$irWbblnpmw.5z7wgBnprh0]\n"
    "Internet-Addresses: [Janie@podunk.edu] [janie]\n"
    "POP-Login-Name: [jlee]\n"
    "Maximum-POP3-Mailbox-Size: [2048]\n"
    "General-Access-Restrictions: [10.0.0.0]\n"
    "Finger-Information: [one]\n  []\n  [thr]]ee]\n";

}  // namespace

TEST_CASE("an account is added, shown, changed and removed") {
  Office office;
  CHECK(office.good({"account", "add"}, kJanie) == "account 2 added: Janie@podunk.edu\n");
  std::string shown = office.good({"account", "show", "JLEE"});
  for (const char* line :
       {"[Janie Lee]", "[janie@mail.podunk.edu]", "[2048]", "[thr]]ee]", "[2]", "[10.0.0.0]"})
    CHECK_THAT(shown, Contains(line));
  CHECK_THAT(shown, !Contains("$1$"));
  for (const char* who : {"janie@podunk.edu", "JANIE", "2", "#2"})
    CHECK(office.good({"account", "show", who}) == shown);

  CHECK_THAT(office.good({"account", "set", "jlee"}, shown), Contains("nothing was changed"));
  office.good({"account", "set", "jlee", "Account-Locked=yes", "Internet-Addresses+=j@podunk.edu"});
  CHECK(office.admin->directory().account(2).value()->locked);
  CHECK(office.admin->directory().account(2).value()->addresses.size() == 3);
  office.good({"account", "unlock", "j@podunk.edu"});
  office.good({"account", "set", "jlee"}, "Finger-Information: []\n");
  CHECK(office.admin->directory().account(2).value()->finger.empty());
  CHECK(office.admin->directory().account(2).value()->name == "Janie Lee");

  office.good({"account", "remove", "jlee", "--delete-mail"});
  CHECK(office.run({"account", "show", "jlee"}).exit_code == 1);
  CHECK(office.admin->secrets().password(2).value().empty());
}

TEST_CASE("what show prints, add reads") {
  Office office;
  office.good({"account", "add"}, kJanie);
  std::string shown = office.good({"account", "show", "jlee"});
  office.good({"account", "remove", "jlee", "--delete-mail"});
  office.good({"account", "add"}, shown);
  std::string again = office.good({"account", "show", "jlee"});
  again.replace(again.find("[3]"), 3, "[2]");
  auto without_revision = [](const std::string& text) { return text.substr(0, text.find("Form-Revision")); };
  CHECK(without_revision(again) == without_revision(shown));
}

TEST_CASE("passwords: ready, plain, by command") {
  Office office;
  auto stored = [&](std::uint64_t id) { return office.admin->secrets().password(id).value(); };
  office.good({"account", "add"}, kJanie);
  CHECK(stored(2) == "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0");
  CHECK(stored(1).empty());
  office.good({"account", "passwd", "postmaster"}, "Sur+Fer!\n");
  CHECK(accounts::password::check(stored(1), "Sur+Fer!").right);
  office.good({"account", "add", "--address", "b@x.org", "--name", "B", "--password", "geheim"});
  CHECK(accounts::password::check(stored(3), "geheim").right);
  struct Row {
    const char* input;
    const char* why;
  };
  const Row rows[] = {{"", "give the password"},
                      {"short\n", "at least 6"},
                      {"two\nlines\n", "one line"},
                      {" secret\n", "first or last"},
                      {"$scrypt$xx\n", "scrypt hash"}};
  for (const Row& row : rows) {
    auto result = office.run({"account", "passwd", "jlee"}, row.input);
    CHECK(result.exit_code == 1);
    CHECK_THAT(result.err, Contains(row.why));
    CHECK_THAT(result.err, !Contains(" secret"));
  }
}

TEST_CASE("a form with a wrong field is refused whole, everything wrong is named") {
  Office office;
  office.good({"account", "add"}, kJanie);
  auto result = office.run({"account", "add"},
                           "User's-Real-Name: [x]\n"
                           "Internet-Addresses: [new@podunk.edu] [JANIE@podunk.edu]\n"
                           "POP-Login-Name: [jlee]\n");
  CHECK(result.exit_code == 1);
  CHECK(result.err ==
        "line 2: Internet-Addresses: [JANIE@podunk.edu]: belongs to account number 2 already\n"
        "line 3: POP-Login-Name: [jlee]: belongs to account number 2 already\n"
        "nothing was added\n");
  result = office.run({"account", "add"},
                      "User's-Real-Name: [x]\nInternet-Addresses: [new@podunk.edu]\n"
                      "User's-Real-Name: [y]\nInternet-Addresses: [NEW@podunk.edu]\n");
  CHECK(result.err ==
        "line 4: Internet-Addresses: [NEW@podunk.edu]: belongs to the form in line 1 already\n"
        "nothing was added\n");
  result = office.run({"account", "set", "jlee", "POP3-Delivery=no"});
  CHECK_THAT(result.err, Contains("has to go somewhere"));
  result = office.run({"account", "set", "jlee", "Account-Locked=perhaps", "Finger-Information=x"});
  CHECK_THAT(result.err, Contains("Account-Locked: [perhaps]: give yes or no"));
  CHECK(office.admin->directory().account(2).value()->finger.size() == 3);
}

TEST_CASE("a file is added whole, or with --keep-going but for the bad ones") {
  Office office;
  std::string file;
  for (int i = 0; i < 30; ++i) {
    std::string n = std::to_string(i);
    file += "User's-Real-Name: [n" + n + "]\nInternet-Addresses: [a" + (i == 7 ? "6" : n) + "@x.org]\n";
    if (i == 20) file += "Account-Locked: [?]\n";
  }
  auto result = office.run({"account", "add"}, file);
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, Contains("line 16: Internet-Addresses: [a6@x.org]: belongs to"));
  CHECK_THAT(result.err, Contains("line 43: Account-Locked: [?]"));
  CHECK_THAT(result.err, Contains("nothing was added"));
  CHECK(office.admin->directory().generation() == 1);
  result = office.run({"account", "add", "--keep-going"}, file);
  CHECK(result.exit_code == 1);
  CHECK(result.out == "28 accounts added\n");
  CHECK_THAT(result.err, Contains("line 43") && Contains("2 of 30 forms were refused"));
}

TEST_CASE("many accounts in one transaction") {
  Office office;
  std::string file;
  constexpr int kCount = 20'000;
  for (int i = 0; i < kCount; ++i) {
    std::string n = std::to_string(i);
    file += "User's-Real-Name: [User " + n +
            "]\nMail-Account-Password: [$1$abcdefgh$irWbblnpmw.5z7wgBnprh0]\n" + "Internet-Addresses: [user" +
            n + "@x.org]\nPOP-Login-Name: [user" + n + "]\n";
  }
  CHECK(office.good({"account", "add"}, file) == "20000 accounts added\n");
  CHECK(office.admin->directory().generation() == 2);
  CHECK_THAT(office.good({"account", "list", "user1999?@*"}), Contains("user19990@x.org"));
}

TEST_CASE("sorted, searched, in pages") {
  Office office;
  office.good({"account", "add", "--address", "b@x.org", "--name", "Ann"});
  office.good({"account", "add", "--address", "a@x.org", "--name", "Zoe", "--login", "zlogin"});
  auto list = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"account", "list"});
    std::string out;
    std::string text = office.good(words);
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) out += text[at + 7];
    return out;
  };
  CHECK(list({}) == "123");
  CHECK(list({"--sort", "address"}) == "321");
  CHECK(list({"--sort=name"}) == "213");
  CHECK(list({"--sort", "name", "--descending"}) == "312");
  CHECK(list({"--limit", "2"}) == "12");
  CHECK(list({"--offset", "1", "--limit=1"}) == "2");
  CHECK(list({"--search", "@x.org"}) == "23");
  CHECK(list({"zlog"}) == "3");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--sort", "size"}, {"--limit", "x"}, {"--offset"}, {"a", "b"}}) {
    auto all = words;
    all.insert(all.begin(), {"account", "list"});
    CHECK(office.run(all).exit_code == 64);
  }
}

TEST_CASE("list, in text and JSON") {
  Office office;
  office.good({"account", "add"}, kJanie);
  CHECK(office.good({"account", "lock", "jlee"}) == "account 2 locked\n");
  CHECK_THAT(office.good({"account", "list"}),
             Contains("Postmaster@mail.podunk.edu") && Contains("(locked)"));
  CHECK(office.good({"account", "list", "nobody"}).empty());
  CHECK(office.good({"account", "list", "nobody", "--json"}) == "[]\n");
  std::string json = office.good({"account", "list", "--json", "janie"});
  CHECK_THAT(json, Catch::StartsWith("[{\"User's-Real-Name\": \"Janie Lee\"") && Catch::EndsWith("}]\n"));
  CHECK_THAT(json, Contains("\"Account-Number\": 2,"));
  CHECK_THAT(json, Contains("\"Account-Locked\": true") && !Contains("Mail-Account-Password"));
}

TEST_CASE("system forms") {
  Office office;
  CHECK_THAT(office.good({"form", "list"}), Contains("system-security"));
  office.good({"form", "set", "mail routing", "Local-Mail-Domains+=Podunk.EDU", "Local-Mail-Domains+=b.org"});
  CHECK(office.admin->directory().settings().value()->local_domains ==
        std::vector<std::string>{"podunk.edu", "b.org"});
  office.good({"form", "set", "mail-routing", "Local-Mail-Domains-=PODUNK.edu"});
  CHECK(office.admin->directory().settings().value()->local_domains == std::vector<std::string>{"b.org"});
  office.good({"form", "set", "system-configuration", "Maximum-Message-Size=1024"});
  CHECK(office.admin->directory().settings().value()->max_message_size == 1024 * 1024);
  std::string shown = office.good({"form", "show", "System Configuration"});
  CHECK_THAT(office.good({"form", "set", "system-configuration"}, shown), Contains("nothing was changed"));
  office.good({"form", "set", "system-configuration", "Maximum-Message-Size="});
  CHECK(office.admin->directory().settings().value()->max_message_size ==
        directory::Settings{}.max_message_size);
  auto result =
      office.run({"form", "set", "system-security", "Relay-Networks=nonsense/99", "Log-In-Delay-Limit=x"});
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, Contains("Relay-Networks") && Contains("Log-In-Delay-Limit"));
  CHECK_THAT(office.good({"form", "show", "mail-routing", "--json"}),
             Contains("\"Local-Mail-Domains\": [\"b.org\"]"));
}

TEST_CASE("wrong usage is told with the usage, and changes nothing") {
  Office office;
  const std::vector<std::string> wrong[] = {{"account"},
                                            {"account", "frobnicate"},
                                            {"account", "show"},
                                            {"account", "show", "a", "b"},
                                            {"account", "add", "--adress", "x"},
                                            {"account", "add", "--address"},
                                            {"account", "list", "--xml"},
                                            {"form"},
                                            {"form", "show"},
                                            {"form", "drop", "x"}};
  for (const auto& words : wrong) {
    auto result = office.run(words);
    CHECK(result.exit_code == 64);
    CHECK_THAT(result.err, Contains("usage: post.office " + words[0] + " list"));
  }
  for (const std::vector<std::string>& words : {std::vector<std::string>{"queue"}, {}}) {
    auto result = office.run(words);
    CHECK(result.exit_code == 64);
    CHECK(result.err == "post.office: this is no command for accounts\n");
  }
  CHECK(office.run({"account", "remove", "postmaster"}).exit_code == 1);
  CHECK(office.run({"account", "remove", "postmaster", "--delete-mail"}).exit_code == 1);
  CHECK(office.run({"form", "show", "account-data"}).exit_code == 1);
  CHECK(office.run({"account", "add"}, "").exit_code == 1);
  CHECK(office.admin->directory().generation() == 1);
}

TEST_CASE("which commands read standard input") {
  using accounts::reads_input;
  CHECK(reads_input({"account", "add"}));
  CHECK(reads_input({"account", "add", "--keep-going"}));
  CHECK_FALSE(reads_input({"account", "add", "--address", "x"}));
  CHECK(reads_input({"account", "set", "x"}));
  CHECK_FALSE(reads_input({"account", "set", "x", "A=b"}));
  CHECK(reads_input({"account", "passwd", "x"}));
  CHECK(reads_input({"form", "set", "x"}));
  CHECK(reads_input({"account", "check", "x", "--revision", "5"}));
  CHECK(reads_input({"form", "diff", "x", "--json"}));
  CHECK_FALSE(reads_input({"form", "diff", "x", "A-=b"}));
  CHECK_FALSE(reads_input({"form", "undo", "x", "5"}));
  CHECK(reads_input({"import"}));
  CHECK(reads_input({"import", "--yes"}));
  CHECK_FALSE(reads_input({"export"}));
  CHECK_FALSE(reads_input({"form", "show", "x"}));
  CHECK_FALSE(reads_input({"account", "list"}));
  CHECK_FALSE(reads_input({"queue", "set"}));
  CHECK_FALSE(reads_input({}));
}

TEST_CASE("patterns") {
  struct Row {
    const char *pattern, *text;
    bool match;
  };
  const Row rows[] = {
      {"ani", "Janie", true}, {"j*e", "JANIE", true}, {"j*x", "janie", false}, {"*@x.*", "a@x.org", true},
      {"?@x", "a@x", true},   {"?@x", "ab@x", false}, {"*", "", true},         {"a*b*c", "aXbXbc", true},
      {"", "x", true}};
  for (const Row& row : rows) {
    CAPTURE(row.pattern, row.text);
    CHECK(accounts::matches_pattern(row.pattern, row.text) == row.match);
  }
}
