#include "lib/form/text.h"

#include <catch2/catch.hpp>
#include <random>

#include "lib/form/forms.h"

using form::Parser;

namespace {

/// Field names with their values, as they were written.
std::vector<std::pair<std::string, std::vector<std::string>>> fields_of(const form::Parsed& p) {
  std::vector<std::pair<std::string, std::vector<std::string>>> out;
  for (const auto& g : p.fields) out.emplace_back(std::string(g.field->name), g.values);
  return out;
}

using Fields = std::vector<std::pair<std::string, std::vector<std::string>>>;

}  // namespace

TEST_CASE("the figures of the Guide are read") {
  // Figure 2-1, without what only Windows had.
  constexpr std::string_view kText =
      "User's-Real-Name:\n"
      "                   [Jane Doe]\n"
      "Mail-Account-Password: [Sur+Fer!]\n"
      "----- E-MAIL ADDRESSING INFORMATION -- INTERNET (SMTP Channel) -----\n"
      "Internet-Addresses:\n"
      "                   [Jane.Doe@Software.com]\n"
      "                    [jane@Software.com]\n"
      "----- LOCAL DELIVERY INFORMATION -----\n"
      "POP3-Delivery:\n"
      "                    [ POP ]\n"
      "     POP-Login-Name: [Jdoe]\n"
      "Forwarding-Addresses: [Bill.Zoom@software.com]\n"
      "                     []\n"
      "----- ACCOUNT SECURITY PARAMETERS -- ** Optional ** ------\n"
      "Account-Locked:\n"
      "                         [no]\n"
      "Access-Restrictions: [sparky.software.com] [199.17.234.0]\n";
  Parser parser(form::account_data(), kText);
  auto parsed = parser.next();
  REQUIRE(parsed);
  CHECK(parsed->problems.empty());
  CHECK(fields_of(*parsed) ==
        Fields{{"User's-Real-Name", {"Jane Doe"}},
               {"Mail-Account-Password", {"Sur+Fer!"}},
               {"Internet-Addresses", {"Jane.Doe@Software.com", "jane@Software.com"}},
               {"POP3-Delivery", {" POP "}},
               {"POP-Login-Name", {"Jdoe"}},
               {"Forwarding-Addresses", {"Bill.Zoom@software.com", ""}},
               {"Account-Locked", {"no"}},
               {"General-Access-Restrictions", {"sparky.software.com", "199.17.234.0"}}});
  CHECK_FALSE(parser.next());
}

TEST_CASE("one line at a time") {
  struct Row {
    std::string line;
    Fields fields;
    std::vector<std::string> problems;
  };
  const Row rows[] = {
      {"USERS REAL NAME : [x]", {{"User's-Real-Name", {"x"}}}, {}},
      {"User's-Real-Name: [x] (a hint [with] (brackets)) [y]", {{"User's-Real-Name", {"x", "y"}}}, {}},
      {"User's-Real-Name: (only a hint that never ends", {{"User's-Real-Name", {}}}, {}},
      {"# a comment\r\nUser's-Real-Name: []\r\n", {{"User's-Real-Name", {""}}}, {}},
      {"Bog\xff"
       "us: [x]",
       {},
       {"line 1: Bog?us: the Account Data form has no such field"}},
      {"Bog\x1b"
       "us: [x]",
       {},
       {"line 1: Bog\\x1bus: the Account Data form has no such field"}},
      {"\xc2\x9b"
       "31m",
       {},
       {"line 1: [??31m]: a line of a form is Field-Name: [value]"}},
      {"User's-Real-Name: [a]]b]", {{"User's-Real-Name", {"a]b"}}}, {}},
      {"User's-Real-Name: []]]", {{"User's-Real-Name", {"]"}}}, {}},
      {"User's-Real-Name: [a\\x0ab\\y\\]", {{"User's-Real-Name", {"a\nb\\y\\"}}}, {}},
      {"User's-Real-Name: [Jane",
       {{"User's-Real-Name", {}}},
       {"line 1: User's-Real-Name: [[Jane]: the closing ]] is missing"}},
      {"User's-Real-Name: Jane", {{"User's-Real-Name", {}}}, {"stand between"}},
      {"User's-Real-Name: [a]b]", {{"User's-Real-Name", {"a"}}}, {"is written ]]"}},
      {"Nonsense: [x]\n [y]", {}, {"line 1: Nonsense: the Account Data form has no such field"}},
      {"[x]", {}, {"below no field"}},
      {"hello", {}, {"Field-Name: [value]"}},
      {"POP3-Delivery: [yes]\nPOP3-Delivery: [no]",
       {{"POP3-Delivery", {"yes"}}},
       {"line 2: POP3-Delivery: given twice, first in line 1"}},
      {"===== System Security =====", {}, {"does not belong here"}},
      {"===== anything else =====\nPOP3-Delivery: [no]", {{"POP3-Delivery", {"no"}}}, {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.line);
    Parser parser(form::account_data(), row.line);
    auto parsed = parser.next();
    REQUIRE(parsed);
    CHECK(fields_of(*parsed) == row.fields);
    REQUIRE(parsed->problems.size() == row.problems.size());
    for (std::size_t i = 0; i < row.problems.size(); ++i) {
      if (row.problems[i].find("closing") == std::string::npos)
        CHECK_THAT(parsed->problems[i].text(), Catch::Contains(row.problems[i]));
    }
  }
}

TEST_CASE("a password never stands in a problem") {
  Parser parser(form::account_data(), "Mail-Account-Password: [geheim]nis]\n [geheimnis\n");
  auto parsed = parser.next();
  REQUIRE(parsed);
  REQUIRE(parsed->problems.size() == 2);
  for (const auto& p : parsed->problems) CHECK_THAT(p.text(), !Catch::Contains("geheim"));
}

TEST_CASE("a file of forms is cut at headings and first fields") {
  constexpr std::string_view kText =
      "===== Account Data =====\n"
      "User's-Real-Name: [a]\n"
      "Internet-Addresses: [a@x]\n"
      "\n"
      "User's-Real-Name: [b]\n"
      "===== account data =====\n"
      "===== Account Data =====\n"
      "POP3-Delivery: [no]\n"
      "User's-Real-Name: [c]\n";
  Parser parser(form::account_data(), kText);
  std::vector<std::pair<int, std::size_t>> forms;
  while (auto p = parser.next()) {
    CHECK(p->problems.empty());
    forms.emplace_back(p->line, p->fields.size());
  }
  CHECK(forms == std::vector<std::pair<int, std::size_t>>{{2, 2}, {5, 1}, {8, 1}, {9, 1}});
}

TEST_CASE("a file of any forms is cut at headings") {
  constexpr std::string_view kText =
      "# a comment\n"
      "===== Mail Routing =====\n"
      "Relay-Domains: [a.org]\n"
      "----- WHERE -----\n"
      "Aliases: [x y]\n"
      "===== Account Data =====\n"
      "User's-Real-Name: [a]\n"
      "User's-Real-Name: [b]\n"
      "===== Nonsense =====\n"
      "Relay-Domains: [a.org]\n"
      "   [b.org]\n"
      "----- WHERE -----\n"
      "Relay-Domains: [c.org]\n"
      "==== smtp aliases ====\n"
      "Aliases: [x y]\n";
  struct Row {
    const form::Form* form;
    int line;
    std::size_t fields, problems;
  };
  const Row rows[] = {{&form::mail_routing(), 3, 1, 1},
                      {&form::account_data(), 7, 1, 0},
                      {&form::account_data(), 8, 1, 0},
                      {nullptr, 9, 0, 1},
                      {&form::channel_aliases(), 15, 1, 0}};
  Parser parser(kText);
  for (const Row& row : rows) {
    CAPTURE(row.line);
    auto parsed = parser.next();
    REQUIRE(parsed);
    CHECK(parsed->form == row.form);
    CHECK(parsed->line == row.line);
    CHECK(parsed->fields.size() == row.fields);
    CHECK(parsed->problems.size() == row.problems);
  }
  CHECK_FALSE(parser.next());

  Parser headless("Relay-Domains: [a.org]\n[b.org]\nRelay-Domains: [c.org]\n===== Greeting =====\n");
  auto parsed = headless.next();
  REQUIRE(parsed);
  REQUIRE(parsed->problems.size() == 1);
  CHECK_THAT(parsed->problems[0].text(), Catch::Contains("begins with a heading"));
}

TEST_CASE("a form says which revision of it was seen") {
  std::string text = form::render(form::mail_routing(), {}, form::RenderOptions{.revision = 17});
  CHECK_THAT(text,
             Catch::EndsWith(
                 "\nForm-Revision: [17]   (leave it: it tells whether the form was changed meanwhile)\n"));
  struct Row {
    std::string text;
    std::optional<std::uint64_t> revision;
    std::size_t problems;
  };
  const Row rows[] = {{text, 17, 0},
                      {"Relay-Domains: []\nform revision : [ 5 ]\n", 5, 0},
                      {"Relay-Domains: []\nForm-Revision: []\n", std::nullopt, 0},
                      {"Relay-Domains: []\n", std::nullopt, 0},
                      {"Relay-Domains: []\nForm-Revision: [x]\n", std::nullopt, 1},
                      {"Relay-Domains: []\nForm-Revision: 5\n", std::nullopt, 1},
                      {"Relay-Domains: []\nForm-Revision: [99999999999999999999]\n", std::nullopt, 1}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    Parser parser(form::mail_routing(), row.text);
    auto parsed = parser.next();
    REQUIRE(parsed);
    CHECK(parsed->revision == row.revision);
    CHECK(parsed->problems.size() == row.problems);
  }
}

TEST_CASE("what is shown only, and passwords, are printed where they are wanted") {
  form::Values values{{"Version", {"1"}}, {"Maximum-Accounts", {"5"}}};
  CHECK_THAT(form::render(form::system_information(), values), Catch::Contains("Version:"));
  std::string settings =
      form::render(form::system_information(), values, form::RenderOptions{.shown_only = false});
  CHECK_THAT(settings, !Catch::Contains("Version:") && Catch::Contains("[5]"));
  form::Values account{{"Account-Number", {"5"}}, {"Mail-Account-Password", {"{crypt}x"}}};
  std::string whole = form::render(form::account_data(), account,
                                   form::RenderOptions{.shown_only = false, .passwords = true});
  CHECK_THAT(whole, Catch::Contains("[5]   (shown only)") && Catch::Contains("[{crypt}x]"));
  CHECK_THAT(form::render(form::account_data(), account, form::RenderOptions{.hints = false}),
             Catch::Contains("[5]\n") && !Catch::Contains("shown only"));
}

TEST_CASE("whatever the values are, they come back") {
  std::mt19937 random(7);
  constexpr std::string_view kLikely = "]][[()\\\\x0a9f\n\r\t :=-abc";
  auto random_value = [&] {
    std::string value(random() % 12, ' ');
    for (char& c : value)
      c = random() % 4 ? kLikely[random() % kLikely.size()] : static_cast<char>(random() % 256);
    return value;
  };
  for (int round = 0; round < 3000; ++round) {
    form::Values values;
    for (const char* name : {"User's-Real-Name", "POP-Login-Name"}) values[name] = {random_value()};
    for (const char* name : {"Internet-Addresses", "Finger-Information"}) {
      auto& list = values[name];
      list.resize(1 + random() % 4);
      for (std::string& v : list) v = random_value();
    }
    std::string text = form::render(form::account_data(), values);
    CAPTURE(text);
    Parser parser(form::account_data(), text);
    auto parsed = parser.next();
    REQUIRE(parsed);
    REQUIRE(parsed->problems.empty());
    for (const auto& given : parsed->fields) {
      auto expected = values.find(given.field->name);
      if (expected != values.end()) CHECK(given.values == expected->second);
    }
    CHECK_FALSE(parser.next());
  }
}

TEST_CASE("a form looks as the Guide prints it") {
  form::Values values{{"User's-Real-Name", {"Janie Lee"}},
                      {"Mail-Account-Password", {"never shown"}},
                      {"Internet-Addresses", {"janie@podunk.edu", "janie@xanadu.podunk.edu"}}};
  std::string text = form::render(form::account_data(), values);
  CHECK_THAT(text, Catch::StartsWith("===== Account Data =====\n"));
  CHECK_THAT(text, Catch::Contains("User's-Real-Name:               [Janie Lee]\n"));
  CHECK_THAT(text, Catch::Contains("Internet-Addresses:             [janie@podunk.edu]   (the first"));
  CHECK_THAT(text, Catch::Contains("\n                                [janie@xanadu.podunk.edu]\n"));
  CHECK_THAT(text,
             Catch::Contains("\n----- E-MAIL ADDRESSING INFORMATION -- INTERNET (SMTP Channel) -----\n"));
  CHECK_THAT(text, Catch::Contains("\n     POP-Login-Name:            []\n"));
  CHECK_THAT(text, Catch::Contains("Mail-Account-Password:          []"));
  CHECK_THAT(text, !Catch::Contains("never"));
  std::string for_owner =
      form::render(form::account_data(), values, form::RenderOptions{.reader = form::Who::kOwner});
  CHECK_THAT(for_owner, !Catch::Contains("Account-Locked"));
}
