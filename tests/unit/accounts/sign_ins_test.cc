#include "accounts/sign_ins.h"

#include "tests/unit/accounts/fixture.h"

using accounts::merged_sign_ins;
using accounts::Service;
using accounts::SignIn;
using Catch::Matchers::Contains;

namespace {

SignIn pop3(std::int64_t last, std::string from, std::string by = "password", std::uint32_t count = 1) {
  return {last, Service::kPop3, std::move(from), std::move(by), count};
}

}  // namespace

TEST_CASE("sign-ins of one kind are one row, newest first") {
  auto rows = merged_sign_ins({pop3(10, "a", "password", 3), pop3(5, "b")},
                              {pop3(20, "b", "password", 2),
                               pop3(7, "a"),
                               pop3(15, "a", "Phone"),
                               {16, Service::kWeb, "a", "password", 1}});
  REQUIRE(rows.size() == 4);
  CHECK((rows[0].from == "b" && rows[0].count == 3 && rows[0].last == 20));
  CHECK((rows[1].service == Service::kWeb && rows[1].count == 1));
  CHECK((rows[2].by == "Phone" && rows[2].count == 1));
  CHECK((rows[3].from == "a" && rows[3].count == 4 && rows[3].last == 10));
  CHECK(merged_sign_ins({pop3(1, "a", "p", UINT32_MAX)}, {pop3(2, "a", "p", 5)})[0].count == UINT32_MAX);
}

TEST_CASE("a flood of refused ones leaves the good ones where they are") {
  std::vector<SignIn> rows;
  for (int i = 0; i < 40; ++i) rows = merged_sign_ins(std::move(rows), {pop3(i, "g" + std::to_string(i))});
  for (int i = 0; i < 500; ++i)
    rows = merged_sign_ins(std::move(rows),
                           {pop3(1000 + i, "r" + std::to_string(i), "refused: wrong password")});
  REQUIRE(rows.size() == accounts::kMostGoodSignIns + accounts::kMostRefusedSignIns);
  CHECK(rows[0].from == "r499");
  CHECK(rows[accounts::kMostRefusedSignIns].from == "g39");
  CHECK(rows.back().from == "g10");
}

TEST_CASE("what gathered is on disk after a flush, with the last use of an application password") {
  Office office;
  office.good({"account", "add", "--address", "jane@podunk.edu", "--name", "Jane"});
  po::Loop loop;
  accounts::Threads writer(loop, 1);
  auto& secrets = office.admin->secrets();
  accounts::SignIns sign_ins(loop, secrets, writer);
  auto made = accounts::make_app_password(secrets, 2, "Phone", 5);
  REQUIRE(made);
  sign_ins.flush();
  CHECK(writer.busy() == 0);  // nothing to write
  for (int i = 0; i < 3; ++i) sign_ins.add(2, pop3(100 + i, "192.0.2.1", "Phone"));
  sign_ins.used(2, made->id, 102, "192.0.2.1");
  sign_ins.used(2, made->id + 1, 102, "192.0.2.1");  // revoked meanwhile
  CHECK(secrets.sign_ins(2).value().empty());
  sign_ins.flush();
  while (writer.busy() > 0) event_base_loop(loop.base(), EVLOOP_ONCE);
  auto rows = secrets.sign_ins(2).value();
  REQUIRE(rows.size() == 1);
  CHECK((rows[0].count == 3 && rows[0].last == 102));
  auto passwords = secrets.app_passwords(2).value();
  REQUIRE(passwords.size() == 1);
  CHECK((passwords[0].used == 102 && passwords[0].used_from == "192.0.2.1"));
  CHECK_THAT(office.good({"account", "sign-ins", "2"}),
             Contains("1970-01-01 00:01 UTC") && Contains("POP3") && Contains("Phone"));
  CHECK_THAT(office.good({"account", "sign-ins", "2", "--json"}), Contains("\"count\": 3"));
}
