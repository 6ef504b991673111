#include "accounts/account_list.h"

#include "tests/unit/accounts/fixture.h"

using accounts::ListQuery;

namespace {

std::vector<std::uint64_t> ids(Office& office, ListQuery query) {
  auto found = office.admin->list().find(query);
  REQUIRE(found);
  return found->ids;
}

std::uint64_t add(Office& office, const std::string& address, const std::string& name,
                  const std::string& login = {}) {
  directory::Account a;
  a.name = name;
  a.addresses = {address};
  a.pop_login = login;
  auto change = office.admin->directory().begin();
  REQUIRE(change);
  auto id = change->add(a);
  REQUIRE(id);
  REQUIRE(change->commit());
  return *id;
}

void change(Office& office, std::uint64_t id, const std::function<void(directory::Account&)>& how) {
  auto account = office.admin->directory().account(id).value();
  how(*account);
  auto change = office.admin->directory().begin();
  REQUIRE(change->replace(*account));
  REQUIRE(change->commit());
}

using Ids = std::vector<std::uint64_t>;
using Sort = ListQuery::Sort;

}  // namespace

TEST_CASE("the list follows what is added, changed and removed") {
  Office office;
  CHECK(ids(office, {}) == Ids{1});
  std::uint64_t b = add(office, "b@x.org", "Ann"), a = add(office, "a@x.org", "Zoe", "zo");
  CHECK(ids(office, {}) == Ids{a, b, 1});
  CHECK(ids(office, {.search = {}, .sort = Sort::kName}) == Ids{b, 1, a});
  CHECK(ids(office, {.search = {}, .sort = Sort::kNumber, .descending = true}) == Ids{a, b, 1});
  change(office, b, [](auto& account) {
    account.addresses = {"0@x.org", "alias@y.org"};
    account.name = "Zzz";
  });
  CHECK(ids(office, {}) == Ids{b, a, 1});
  CHECK(ids(office, {.search = {}, .sort = Sort::kName}) == Ids{1, a, b});
  CHECK(ids(office, {.search = "ann"}).empty());
  CHECK(ids(office, {.search = "ALIAS@y"}) == Ids{b});
  auto removal = office.admin->directory().begin();
  REQUIRE(removal->remove(a));
  REQUIRE(removal->commit());
  CHECK(ids(office, {}) == Ids{b, 1});
  CHECK(ids(office, {.search = "zo"}).empty());
  auto listing = office.admin->list().list({.search = {}, .offset = 1, .limit = 5});
  REQUIRE(listing);
  CHECK(listing->total == 2);
  CHECK(listing->all == 2);
  REQUIRE(listing->rows.size() == 1);
  CHECK(listing->rows[0].id == 1);
}

TEST_CASE("what a search finds") {
  Office office;
  std::uint64_t id = add(office, "Jane@podunk.edu", "Jane Doe", "jlog");
  struct Row {
    const char* search;
    bool found;
  };
  const Row rows[] = {{"", true},          {"JANE", true},   {"podunk.e", true},     {"jlog", true},
                      {"j*e", true},       {"jane*", true},  {"*doe", true},         {"*@podunk.edu", true},
                      {"?log", true},      {"?????", false}, {"????", true},         {"doe\njane", false},
                      {"doe jane", false}, {"\n", false},    {"*@elsewhere", false}, {"doe*jane", false},
                      {"jane doe", true}};
  for (const Row& row : rows) {
    CAPTURE(row.search);
    auto found = ids(office, {.search = row.search});
    CHECK((std::find(found.begin(), found.end(), id) != found.end()) == row.found);
  }
}

TEST_CASE("many changes: the list is the same as one made anew") {
  Office office;
  CHECK(ids(office, {}).size() == 1);
  std::vector<std::uint64_t> made;
  for (int i = 0; i < 60; ++i) {
    made.push_back(add(office, std::to_string(i * 37 % 60) + "@x.org", "n" + std::to_string(i * 23 % 60)));
    if (i % 3 == 0)
      change(office, made[static_cast<std::size_t>(i) / 2],
             [&](auto& account) { account.name += std::to_string(i); });
    if (i % 4 == 0) CHECK(ids(office, {.search = {}, .limit = 1000}).size() == made.size() + 1);
  }
  accounts::AccountList anew(office.admin->directory());
  for (Sort sort : {Sort::kAddress, Sort::kName, Sort::kNumber}) {
    ListQuery query{.search = {}, .sort = sort, .limit = 1000};
    CHECK(ids(office, query) == anew.find(query)->ids);
  }
}

TEST_CASE("a page of many accounts, after a change as well") {
  Office office;
  constexpr int kCount = 20'000;
  auto change_all = office.admin->directory().begin();
  for (int i = 0; i < kCount; ++i) {
    directory::Account a;
    a.name = "User Number " + std::to_string(i);
    a.addresses = {"user" + std::to_string(i) + "@some.example.org"};
    a.pop_login = "user" + std::to_string(i);
    REQUIRE(change_all->add(a));
  }
  REQUIRE(change_all->commit());
  REQUIRE(office.admin->list().make_ready());
  CHECK(office.admin->list().memory() > std::size_t{kCount} * 50);  // before anybody asked for a page
  CHECK(ids(office, {}).size() == 50);
  CHECK(office.admin->list().memory() < std::size_t{kCount} * 300);
  const ListQuery queries[] = {{},
                               {.search = "user1999"},
                               {.search = "*9@some.*"},
                               {.search = "?ser*"},
                               {.search = {}, .sort = Sort::kName, .descending = true, .offset = 10'000}};
  for (const ListQuery& query : queries) {
    add(office, "new" + query.search.substr(0, 0) + std::to_string(&query - queries) + "@x.org", "New");
    std::vector<std::uint64_t> page = ids(office, query);
    CHECK_FALSE(page.empty());
    CHECK(page == accounts::AccountList(office.admin->directory()).find(query)->ids);
  }
}
