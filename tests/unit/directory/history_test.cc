#include "lib/directory/history.h"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "lib/directory/reader.h"
#include "lib/directory/writer.h"

using namespace directory;

namespace {

struct Office {
  std::string folder;
  std::unique_ptr<Writer> writer;
  Office() {
    char name[] = "/tmp/history-test-XXXXXX";
    folder = ::mkdtemp(name);
    open();
  }
  ~Office() {
    writer.reset();
    std::filesystem::remove_all(folder);
  }
  Office(const Office&) = delete;
  Office& operator=(const Office&) = delete;
  void open() {
    auto opened = Writer::open({.path = folder + "/directory", .hostname = "mail.podunk.edu"});
    REQUIRE(opened);
    writer = std::move(*opened);
  }
  Change begin() {
    auto change = writer->begin();
    REQUIRE(change);
    return std::move(*change);
  }
};

Account account(const std::string& address) {
  Account a;
  a.name = address;
  a.addresses = {address};
  return a;
}

Revision revision(const std::string& value) {
  Revision r;
  r.at = 1'000'000;
  r.who = "root";
  r.way = "command";
  r.lines = {{"Relay-Domains", {}, {value}}};
  return r;
}

std::uint64_t put(Office& office, const std::string& subject, const Revision& row) {
  Change change = office.begin();
  REQUIRE(change.put_history(subject, row));
  return change.commit().value();
}

}  // namespace

TEST_CASE("the history of a subject, newest first, apart from that of others") {
  Office office;
  std::string one = history_of_form("mail"), other = history_of_form("mail-queue"),
              account_one = history_of_account(1);
  CHECK(office.writer->last_revision(one).value() == 0);
  CHECK(office.writer->history(one, 0, 10).value().empty());
  std::uint64_t a = put(office, one, revision("a"));
  put(office, other, revision("x"));
  put(office, account_one, revision("y"));
  std::uint64_t b = put(office, one, revision("b"));
  auto rows = office.writer->history(one, 0, 10).value();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].revision == b);
  CHECK(rows[0].lines[0].after == std::vector<std::string>{"b"});
  CHECK(rows[1].revision == a);
  CHECK(rows[1].who == "root");
  CHECK(office.writer->last_revision(one).value() == b);
  CHECK(office.writer->history(one, b, 10).value().size() == 1);
  CHECK(office.writer->history(one, 0, 1).value().size() == 1);
  CHECK(office.writer->history(other, 0, 10).value().size() == 1);
  CHECK(office.writer->history(account_one, 0, 10).value().size() == 1);
}

TEST_CASE("what is not committed is in no history") {
  Office office;
  {
    Change change = office.begin();
    REQUIRE(change.put_history(history_of_account(1), revision("a")));
  }
  CHECK(office.writer->last_revision(history_of_account(1)).value() == 0);
}

TEST_CASE("the oldest rows go, by number and by size; the newest stays") {
  Office office;
  std::string subject = history_of_form("x");
  for (std::size_t i = 0; i < kMostRevisions + 5; ++i) put(office, subject, revision(std::to_string(i)));
  auto rows = office.writer->history(subject, 0, 1000).value();
  REQUIRE(rows.size() == kMostRevisions);
  CHECK(rows.back().lines[0].after[0] == "5");
  std::string third(kMostHistoryOctets / 3, 'x');
  for (int i = 0; i < 4; ++i) put(office, subject, revision(third));
  CHECK(office.writer->history(subject, 0, 1000).value().size() == 2);
  put(office, subject, revision(std::string(kMostHistoryOctets + 1, 'x')));
  CHECK(office.writer->history(subject, 0, 1000).value().size() == 1);
}

TEST_CASE("a damaged row of the history is not misread") {
  std::string octets = record::encode_revision(revision("a"));
  CHECK(record::decode_revision(octets));
  for (const std::string& bad : {std::string(), octets.substr(1), octets + "x", "\2" + octets.substr(1)})
    CHECK_FALSE(record::decode_revision(bad));
}

TEST_CASE("errands are read in order, from behind the last one that was done") {
  Office office;
  auto reader = Reader::open(office.folder + "/directory", "mail.podunk.edu");
  REQUIRE(reader);
  CHECK(reader->errands({}, 10).value().empty());
  Change change = office.begin();
  REQUIRE(change.put_errand({Errand::Kind::kDeleteMailbox, 7, 0, "a@x.org", {}}));
  REQUIRE(change.put_errand({Errand::Kind::kHandOver, 8, 9, "b@x.org", {}}));
  REQUIRE(change.commit());
  change = office.begin();
  REQUIRE(change.put_errand({Errand::Kind::kGreet, 10, 0, "c@x.org", {}}));
  REQUIRE(change.commit());
  auto all = reader->errands({}, 10).value();
  REQUIRE(all.size() == 3);
  CHECK(all[0].kind == Errand::Kind::kDeleteMailbox);
  CHECK(all[0].account == 7);
  CHECK(all[1].to == 9);
  CHECK(all[2].address == "c@x.org");
  CHECK(all[0].position < all[1].position);
  CHECK(all[1].position < all[2].position);
  auto two = reader->errands({}, 2).value();
  REQUIRE(two.size() == 2);
  auto rest = reader->errands(two[1].position, 10).value();
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].account == 10);
  CHECK(reader->errands(rest[0].position, 10).value().empty());

  change = office.begin();
  REQUIRE(change.take_back_errands(8));
  REQUIRE(change.commit());
  CHECK(reader->errands({}, 10).value().size() == 2);
}

TEST_CASE("an errand of an unknown kind is not misread") {
  std::string key = record::errand_key({1, 2}), value = po::wire::encode(Errand{});
  CHECK(record::decode_errand(key, value));
  CHECK_FALSE(record::decode_errand(key.substr(1), value));
  value[0] = 4;
  CHECK_FALSE(record::decode_errand(key, value));
}

TEST_CASE("a directory of an older release: accounts makes the new tables, readers do without") {
  Office office;
  office.writer.reset();
  {
    auto env = lmdb::Env::open(office.folder + "/directory", 0, record::kMapSize, record::kTableCount, 0600);
    REQUIRE(env);
    auto txn = lmdb::Txn::begin(*env, 0);
    REQUIRE(txn);
    for (const char* name : {record::kHistoryTable, record::kErrandTable}) {
      auto table = txn->table(name, 0);
      REQUIRE(table);
      REQUIRE(mdb_drop(txn->get(), *table, 1) == 0);
    }
    REQUIRE(txn->commit());
  }
  auto reader = Reader::open(office.folder + "/directory", "mail.podunk.edu");
  REQUIRE(reader);
  CHECK(reader->account(kPostmaster).value());
  CHECK_FALSE(reader->errands({}, 1));
  office.open();
  CHECK(reader->errands({}, 1).value().empty());
  put(office, history_of_account(1), revision("a"));
}

TEST_CASE("an account record of an older version is read, with defaults for what came since") {
  Account a = account("a@x.org");
  a.finger_allowed = false;
  std::string octets = record::encode_account(a);
  // What version 3 put at the end, a boolean and an empty string, and version 2, two booleans and an empty
  // string.
  std::string second = "\2" + octets.substr(1, octets.size() - 1 - 5);
  std::string first = "\1" + octets.substr(1, octets.size() - 1 - 5 - 6);
  for (const std::string& old : {first, second}) {
    auto read = record::decode_account(old);
    REQUIRE(read);
    CHECK(read->addresses == a.addresses);
    CHECK(read->finger_allowed == (old == first));
    CHECK_FALSE(read->system_password);
    CHECK_FALSE(read->unix_delivery);
    CHECK_FALSE(record::decode_account(old.substr(0, old.size() - 1)));
  }
}

TEST_CASE("a number that was never given may be chosen, one that an account has may not") {
  Office office;
  Change change = office.begin();
  Account a = account("a@x.org");
  a.id = 50;
  CHECK_FALSE(change.was_given(50).value());
  REQUIRE(change.add_numbered(a));
  CHECK(change.was_given(50).value());
  CHECK(change.add(account("b@x.org")).value() == 51);
  REQUIRE(change.commit());
  a.addresses = {"c@x.org"};
  {
    Change dropped = office.begin();
    CHECK_FALSE(dropped.add_numbered(a));
  }
  change = office.begin();
  REQUIRE(change.remove(50));
  REQUIRE(change.add_numbered(a));
  CHECK(change.accounts().value() == 3);
  CHECK(change.add(account("d@x.org")).value() == 52);
  REQUIRE(change.commit());
}

TEST_CASE("what was touched is remembered for as long as it is little") {
  Office office;
  std::uint64_t start = office.writer->generation();
  Change change = office.begin();
  std::uint64_t id = change.add(account("a@x.org")).value();
  std::uint64_t first = change.commit().value();
  CHECK(office.writer->touched_since(start).value() == std::vector<std::uint64_t>{id});
  CHECK(office.writer->touched_since(first).value().empty());
  CHECK_FALSE(office.writer->touched_since(start - 1));
  change = office.begin();
  for (int i = 0; i < 5000; ++i) REQUIRE(change.add(account(std::to_string(i) + "@x.org")));
  std::uint64_t many = change.commit().value();
  CHECK_FALSE(office.writer->touched_since(first));
  CHECK(office.writer->touched_since(many).value().empty());
}
