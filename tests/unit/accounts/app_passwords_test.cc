#include "accounts/app_passwords.h"

#include <catch2/catch.hpp>
#include <set>

#include "tests/unit/accounts/fixture.h"

using accounts::app_password_core;
using Catch::Matchers::Contains;

TEST_CASE("what can be an application password, however it is typed") {
  struct Row {
    std::string given;
    std::optional<std::string> core;
  };
  const Row rows[] = {
      {"k7d2-9xqm-4vtb-h3zn", "k7d29xqm4vtbh3zn"},
      {"k7d29xqm4vtbh3zn", "k7d29xqm4vtbh3zn"},
      {"K7D2 9XQM 4VTB H3ZN", "k7d29xqm4vtbh3zn"},
      {" k7d2  9xqm 4vtb-h3zn ", "k7d29xqm4vtbh3zn"},
      {"oIlL-9xqm-4vtb-h3zn", "01119xqm4vtbh3zn"},
      {"k7d2-9xqm-4vtb-h3z", std::nullopt},
      {"k7d2-9xqm-4vtb-h3zn0", std::nullopt},
      {"k7d2-9xqm-4vtb-h3zu", std::nullopt},
      {"k7d2_9xqm_4vtb_h3zn", std::nullopt},
      {std::string("k7d29xqm4vtbh3z\0", 16), std::nullopt},
      {"", std::nullopt},
      {"----------------", std::nullopt},
      {"k7d29xqm4vtbh3zn" + std::string(49, ' '), std::nullopt},
      {"k7d29xqm4vtbh3z\xc3\xa4", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.given);
    CHECK(app_password_core(row.given) == row.core);
  }
}

TEST_CASE("those that are made are four groups of four, and never the same") {
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    std::string made = accounts::random_app_password();
    CHECK(made.size() == 19);
    CHECK((made[4] == '-' && made[9] == '-' && made[14] == '-'));
    CHECK(app_password_core(made));
    CHECK(seen.insert(made).second);
  }
}

TEST_CASE("made, found, revoked; shown never again") {
  Office office;
  auto& secrets = office.admin->secrets();
  auto made = accounts::make_app_password(secrets, 7, " Phone ", 1000);
  REQUIRE(made);
  auto other = accounts::make_app_password(secrets, 7, "Büro", 2000);
  REQUIRE(other);
  CHECK(other->id != made->id);
  auto all = secrets.app_passwords(7).value();
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "Phone");
  CHECK(all[0].made == 1000);
  CHECK(all[0].used == 0);
  CHECK(po::wire::encode(all[0]).find(app_password_core(made->password).value()) == std::string::npos);
  CHECK(accounts::find_app_password(all, made->password) == &all[0]);
  CHECK(accounts::find_app_password(all, other->password) == &all[1]);
  CHECK(accounts::find_app_password(all, accounts::random_app_password()) == nullptr);
  CHECK(accounts::find_app_password(all, "Sur+Fer!") == nullptr);
  CHECK(secrets.app_passwords(8).value().empty());
  CHECK_FALSE(accounts::revoke_app_password(secrets, 8, made->id));
  CHECK(accounts::revoke_app_password(secrets, 7, made->id).value() == "Phone");
  CHECK_FALSE(accounts::revoke_app_password(secrets, 7, made->id));
  CHECK(accounts::find_app_password(secrets.app_passwords(7).value(), made->password) == nullptr);
}

TEST_CASE("names: one of each, no numbers, nothing unprintable, twenty at most") {
  Office office;
  auto& secrets = office.admin->secrets();
  REQUIRE(accounts::make_app_password(secrets, 7, "Phone", 1));
  const std::string bad[] = {"",       "  ",       "phone", "PHONE",    "12345",
                             "a\x01b", "\xff\xfe", "a\nb",  "\xc2\x85", std::string(65, 'x')};
  for (const std::string& name : bad) {
    CAPTURE(name);
    auto made = accounts::make_app_password(secrets, 7, name, 1);
    REQUIRE_FALSE(made);
    CHECK(made.error().kind == po::Kind::kPermanent);
  }
  CHECK(accounts::make_app_password(secrets, 8, "phone", 1));
  CHECK(accounts::make_app_password(secrets, 7, std::string(64, 'x'), 1));
  for (int i = 2; i < 20; ++i) CHECK(accounts::make_app_password(secrets, 7, "p" + std::to_string(i), 1));
  CHECK_FALSE(accounts::make_app_password(secrets, 7, "one more", 1));
}

TEST_CASE("they go with their account") {
  Office office;
  auto& secrets = office.admin->secrets();
  REQUIRE(accounts::make_app_password(secrets, 7, "Phone", 1));
  REQUIRE(accounts::make_app_password(secrets, 8, "Phone", 1));
  {
    auto change = secrets.begin();
    REQUIRE(change->set_sign_ins(7, {{5, accounts::Service::kPop3, "192.0.2.1", "password", 1}}));
    REQUIRE(change->remove(7));
    REQUIRE(change->commit());
  }
  CHECK(secrets.app_passwords(7).value().empty());
  CHECK(secrets.sign_ins(7).value().empty());
  CHECK(secrets.app_passwords(8).value().size() == 1);
}

TEST_CASE("commands for application passwords") {
  Office office;
  office.good({"account", "add", "--address", "jane@podunk.edu", "--name", "Jane", "--password", "Sur+Fer!"});
  std::string made = office.good({"app-password", "make", "jane@podunk.edu", "Phone"});
  CHECK(made.size() == 20);
  CHECK_THAT(office.good({"app-password", "list", "2"}), Contains("Phone") && Contains("last used never"));
  CHECK_THAT(office.good({"app-password", "list", "2", "--json"}),
             Contains("\"name\": \"Phone\"") && !Contains(made.substr(0, 4)));
  CHECK(office.good({"app-password", "revoke", "2", "phone"}) == "revoked Phone\n");
  CHECK(office.good({"app-password", "list", "2", "--json"}) == "[]\n");
  std::string id = office.good({"app-password", "make", "2", "Laptop"});
  id = std::to_string(office.admin->secrets().app_passwords(2).value().at(0).id);
  CHECK(office.good({"app-password", "revoke", "2", id}) == "revoked Laptop\n");
  struct Row {
    std::vector<std::string> words;
    int exit_code;
  };
  const Row rows[] = {{{"app-password"}, 64},
                      {{"app-password", "invent"}, 64},
                      {{"app-password", "make", "2"}, 64},
                      {{"app-password", "make", "2", "a", "b"}, 64},
                      {{"app-password", "list", "2", "--yaml"}, 64},
                      {{"app-password", "make", "nobody", "a"}, 1},
                      {{"app-password", "make", "2", "77"}, 1},
                      {{"app-password", "revoke", "2", "77"}, 1},
                      {{"account", "sign-ins"}, 64},
                      {{"account", "sign-ins", "nobody"}, 1}};
  for (const Row& row : rows) {
    CAPTURE(row.words);
    auto result = office.run(row.words);
    CHECK(int(result.exit_code) == row.exit_code);
    CHECK_FALSE(result.err.empty());
  }
}
