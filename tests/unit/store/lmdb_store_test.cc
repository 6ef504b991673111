#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "lib/store/layout.h"
#include "tests/unit/store/temporary_store.h"

using namespace store;
using namespace store::testing;

static std::string read_all(const po::Fd& fd) {
  std::string out;
  char piece[65536];
  for (ssize_t n = 0; (n = ::read(fd.get(), piece, sizeof piece)) > 0;) out.append(piece, n);
  return out;
}

static Accept large_message(Store& store, std::uint64_t n, const std::string& body,
                            std::initializer_list<std::uint64_t> accounts) {
  Accept a = message(n, body, accounts);
  auto fd = store.open_body(a.id);
  REQUIRE(fd);
  write_all(fd->get(), body);
  auto kept = store.keep_body(a.id, a.size, a.checksum);
  REQUIRE(kept);
  a.in_file = true;
  a.body.clear();
  return a;
}

TEST_CASE("bodies of every size around the pieces come back octet for octet") {
  TemporaryStore store;
  std::uint64_t n = 0;
  for (std::size_t size : {0, 1, 1699, 1700, 1701, 2040, 4079, 4080, 4081, 5780, 5781, 8160, 65535, 65536}) {
    std::string body;
    for (std::size_t i = 0; i < size; ++i) body += static_cast<char>(i * 31 + size);
    REQUIRE(do_one(*store, message(++n, body, {7})) == 1);
    auto content = store->read(7, id_number(n));
    REQUIRE(content);
    CHECK(content->body == body);
    CHECK(content->body_size == size);
    CHECK(content->prefix == "Delivered-To: 7@example.org\r\n");
    CHECK_FALSE(content->file);
  }
  store.reopen();
  CHECK(store->read(7, id_number(8))->body.size() == 4080);
  CHECK(store->read(7, id_number(1))->body.empty());
  CHECK(store->usage(7)->messages == n);
}

TEST_CASE("a message that is there already is done, and nothing is twice") {
  TemporaryStore store;
  REQUIRE(do_one(*store, message(1, "hello", {5, 6, 5})) == 1);
  CHECK(do_one(*store, message(1, "hello", {5, 6})) == 0);
  CHECK(store->usage(5)->messages == 1);
  CHECK(store->usage(6)->messages == 1);
  CHECK(store->totals()->messages == 1);
  CHECK(store->totals()->entries == 2);

  auto other = do_one(*store, message(1, "HELLO", {5}));
  REQUIRE_FALSE(other);
  CHECK(other.error().status == Status::kRefused);
  CHECK(store->read(5, id_number(1))->body == "hello");
}

TEST_CASE("changes that are at fault are refused and harm no other of their batch") {
  TemporaryStore store;
  Accept no_recipient = message(1, "a", {});
  Accept account_zero = message(2, "a", {0});
  Accept wrong_size = message(3, "a", {5});
  wrong_size.size = 2;
  Accept zero_id = message(4, "a", {5});
  zero_id.id = {};
  Accept too_large = message(5, std::string(65537, 'x'), {5});
  Accept long_prefix = message(6, "a", {5});
  long_prefix.deliveries[0].prefix = std::string(3000, 'p');
  Accept long_envelope = message(7, "a", {5});
  long_envelope.envelope.sender = std::string(3000, 's');
  std::vector<Change> batch = {no_recipient, account_zero, wrong_size,    zero_id,
                               too_large,    long_prefix,  long_envelope, message(8, "good", {5})};
  auto results = store->apply(batch);
  for (std::size_t i = 0; i + 1 < batch.size(); ++i) {
    INFO(i);
    REQUIRE_FALSE(results[i]);
    CHECK(results[i].error().status == Status::kRefused);
  }
  CHECK(results.back() == 1);
  CHECK(store->totals()->messages == 1);
}

TEST_CASE("a batch may name one id twice, and ids in any order") {
  TemporaryStore store;
  std::vector<Change> batch = {message(9, "nine", {1}), message(3, "three", {1}), message(9, "nine", {1}),
                               Expunge{1, {id_number(3)}}, message(5, "five", {2, 1})};
  auto results = store->apply(batch);
  CHECK(results[0] == 1);
  CHECK(results[1] == 1);
  CHECK(results[2] == 0);
  CHECK(results[3] == 1);
  CHECK(results[4] == 1);
  auto items = store->list(1, {}, 100);
  REQUIRE(items->size() == 2);
  CHECK((*items)[0].id == id_number(5));
  CHECK((*items)[1].id == id_number(9));
}

TEST_CASE("lists go by pieces in order, and stay inside their mailbox") {
  TemporaryStore store;
  for (std::uint64_t n = 1; n <= 10; ++n) REQUIRE(do_one(*store, message(n, "x", {4, 5, 6})));
  std::vector<po::MessageId> seen;
  po::MessageId after;
  for (;;) {
    auto items = store->list(5, after, 3);
    REQUIRE(items);
    if (items->empty()) break;
    for (const Item& i : *items) seen.push_back(i.id);
    after = seen.back();
  }
  REQUIRE(seen.size() == 10);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  for (std::uint64_t account : {4, 5, 6}) {
    auto newest = store->newest(account, 4);
    REQUIRE(newest->size() == 4);
    CHECK(newest->front().id == id_number(10));
    CHECK(newest->back().id == id_number(7));
    CHECK(store->newest(account, 100)->size() == 10);
  }
  CHECK(store->list(3, {}, 10)->empty());
  CHECK(store->newest(3, 10)->empty());
  CHECK(store->newest(UINT64_MAX, 10)->empty());
}

TEST_CASE("a body goes with its last reference") {
  TemporaryStore store;
  REQUIRE(do_one(*store, message(1, std::string(10000, 'b'), {1, 2, 3})));
  CHECK(do_one(*store, Expunge{1, {id_number(1), id_number(1), id_number(99), po::MessageId{}}}) == 1);
  CHECK(do_one(*store, Expunge{1, {id_number(1)}}) == 0);
  CHECK(do_one(*store, Expunge{2, {id_number(1)}}) == 1);
  CHECK(do_one(*store, Release{1000}) == 1);
  CHECK(store->totals()->messages == 1);
  CHECK(store->totals()->mailboxes == 1);
  CHECK_FALSE(store->read(1, id_number(1)));
  CHECK(store->read(1, id_number(1)).error().status == Status::kRefused);
  CHECK(store->read(3, id_number(1))->body.size() == 10000);

  CHECK(do_one(*store, Expunge{3, {id_number(1)}}) == 1);
  CHECK(store->is_stored(id_number(1)) == true);  // known until it is released
  CHECK(store->usage(3)->octets == 0);
  store.reopen();
  CHECK(do_one(*store, Release{1000}) == 1);
  CHECK(do_one(*store, Release{1000}) == 0);
  CHECK(store->is_stored(id_number(1)) == false);
  auto totals = store->totals();
  CHECK(totals->messages == 0);
  CHECK(totals->octets == 0);
  CHECK(totals->mailboxes == 0);
  CHECK(totals->entries == 0);
  CHECK(totals->oldest == po::MessageId{});
}

TEST_CASE("release works in bounded steps") {
  TemporaryStore store;
  std::vector<Change> batch;
  std::vector<po::MessageId> ids;
  for (std::uint64_t n = 1; n <= 1000; ++n) {
    batch.emplace_back(message(n, "text", {1}));
    ids.push_back(id_number(n));
  }
  for (const auto& r : store->apply(batch)) {
    INFO((r ? "" : r.error().text));
    REQUIRE(r == 1);
  }
  CHECK(do_one(*store, Expunge{1, ids}) == 1000);
  std::uint64_t left = 1000;
  while (left > 0) {
    auto done = do_one(*store, Release{100});
    REQUIRE(done);
    CHECK(*done == std::min<std::uint64_t>(left, 100));
    left -= *done;
    CHECK(store->totals()->messages == left);
  }
}

TEST_CASE("a large body is a file, made, checked, kept and unlinked in order") {
  TemporaryStore store;
  std::string body(200'000, 'L');
  Accept a = large_message(*store, 1, body, {1, 2});
  store->drop_body(id_number(2));  // never heard of
  REQUIRE(do_one(*store, a) == 1);
  auto content = store->read(2, id_number(1));
  REQUIRE(content);
  REQUIRE(content->file);
  CHECK(content->body_size == body.size());
  CHECK(read_all(content->file) == body);

  auto again = store->open_body(id_number(1));
  REQUIRE_FALSE(again);
  CHECK(again.error().status == Status::kRefused);
  store->drop_body(id_number(1));  // a stored message keeps its file
  CHECK(std::filesystem::exists(store.body_path(id_number(1))));

  CHECK(do_one(*store, Expunge{1, {id_number(1)}}) == 1);
  CHECK(do_one(*store, Expunge{2, {id_number(1)}}) == 1);
  CHECK(std::filesystem::exists(store.body_path(id_number(1))));
  CHECK(do_one(*store, Release{10}) == 1);
  CHECK_FALSE(std::filesystem::exists(store.body_path(id_number(1))));
}

TEST_CASE("a body that is not what was announced is refused") {
  TemporaryStore store;
  std::string body(100'000, 'x');
  po::MessageId id = id_number(1);
  CHECK(store->keep_body(id, 1, 1).error().status == Status::kRefused);  // there is none
  auto fd = store->open_body(id);
  REQUIRE(fd);
  CHECK(store->open_body(id).error().status == Status::kRefused);  // only one at a time
  write_all(fd->get(), body);
  CHECK(store->keep_body(id, body.size() + 1, checksum(body)).error().status == Status::kRefused);
  CHECK(store->keep_body(id, body.size(), checksum(body) + 1).error().status == Status::kRefused);
  store->drop_body(id);
  CHECK(store->keep_body(id, body.size(), checksum(body)).error().status == Status::kRefused);
  CHECK(std::filesystem::is_empty(store.path() + "/bodies"));
}

TEST_CASE("start removes what a crash left, and nothing else") {
  TemporaryStore store;
  std::string body(70'000, 'k');
  REQUIRE(do_one(*store, large_message(*store, 1, body, {1})));  // kept and named
  (void)large_message(*store, 2, body, {1});                     // kept, the commit did not come
  REQUIRE(store->open_body(id_number(3)));                       // half received
  REQUIRE(do_one(*store, message(4, "small", {1})));             // in rows, and yet
  std::ofstream(store.body_path(id_number(4))) << "left over";   // a file with its name
  std::ofstream(store.path() + "/bodies/README") << "not ours";
  store.reopen();
  CHECK(store->swept() == 3);
  CHECK(std::filesystem::exists(store.body_path(id_number(1))));
  CHECK_FALSE(std::filesystem::exists(store.body_path(id_number(2))));
  CHECK_FALSE(std::filesystem::exists(store.body_path(id_number(3)) + ".new"));
  CHECK_FALSE(std::filesystem::exists(store.body_path(id_number(4))));
  CHECK(std::filesystem::exists(store.path() + "/bodies/README"));
  CHECK(store->read(1, id_number(1))->body_size == body.size());
}

TEST_CASE("a file that is missing is said, not hidden") {
  TemporaryStore store;
  REQUIRE(do_one(*store, large_message(*store, 1, std::string(70'000, 'k'), {1})));
  std::filesystem::remove(store.body_path(id_number(1)));
  auto content = store->read(1, id_number(1));
  REQUIRE_FALSE(content);
  CHECK(content.error().status == Status::kUnavailable);
}

TEST_CASE("one process has the store, and another format is refused") {
  TemporaryStore store;
  auto second = LmdbStore::open({store.path(), 1 << 20});
  REQUIRE_FALSE(second);
  CHECK(second.error().status == Status::kRefused);
  CHECK(second.error().text.find("another process") != std::string::npos);
  store.close();

  MDB_env* env = nullptr;
  REQUIRE(mdb_env_create(&env) == 0);
  mdb::Env owner(env);
  REQUIRE(mdb_env_set_maxdbs(env, 8) == 0);
  REQUIRE(mdb_env_open(env, store.path().c_str(), 0, 0600) == 0);
  mdb::Txn txn;
  REQUIRE(mdb::begin(env, 0, txn) == 0);
  MDB_dbi meta = 0;
  REQUIRE(mdb_dbi_open(txn.get(), "meta", 0, &meta) == 0);
  std::string newer = po::wire::encode(layout::kVersion + 1);
  MDB_val k = mdb::val("version"), v = mdb::val(newer);
  REQUIRE(mdb_put(txn.get(), meta, &k, &v, 0) == 0);
  REQUIRE(mdb::commit(txn) == 0);
  owner.reset();
  auto opened = LmdbStore::open({store.path(), 1 << 20});
  REQUIRE_FALSE(opened);
  CHECK(opened.error().text.find("another version") != std::string::npos);
}

TEST_CASE("files and directories are for their owner alone") {
  TemporaryStore store;
  for (const char* name : {"", "/lock", "/data.mdb", "/bodies"}) {
    struct stat st {};
    REQUIRE(::stat((store.path() + name).c_str(), &st) == 0);
    CHECK((st.st_mode & 077) == 0);
  }
}

TEST_CASE("a full map: new messages find no space, deletions do, and then messages again") {
  TemporaryStore store(4 << 20);
  std::uint64_t n = 0;
  Failure failure;
  for (;;) {
    ++n;
    auto r = do_one(*store, message(n, std::string(20'000, 'f'), {n % 3 + 1}));
    if (r) continue;
    failure = r.error();
    break;
  }
  INFO(failure.text);
  CHECK(failure.status == Status::kUnavailable);
  CHECK(failure.no_space);
  REQUIRE(n > 20);
  std::uint64_t stored = n - 1;
  CHECK(store->totals()->messages == stored);

  // In one batch: what is too large is refused, a deletion beside it is done.
  std::vector<Change> batch = {message(1000, std::string(60'000, 'f'), {1}),
                               Expunge{1, {id_number(3), id_number(6), id_number(9), id_number(12)}}};
  auto results = store->apply(batch);
  CHECK_FALSE(results[0]);
  INFO((results[1] ? std::to_string(*results[1]) : results[1].error().text));
  CHECK(results[1] == 4);
  for (std::uint64_t i = 1; i < n; ++i) {
    REQUIRE(do_one(*store, Expunge{i % 3 + 1, {id_number(i)}}));
  }
  while (do_one(*store, Release{}).value() > 0) {
  }
  CHECK(store->totals()->messages == 0);
  std::uint64_t again = 0;
  while (do_one(*store, message(10'000 + again, std::string(20'000, 'f'), {1}))) ++again;
  CHECK(again + 5 > stored);  // the same room as before, give or take free pages still on their way
}

TEST_CASE("a batch larger than the map is taken one by one as far as it goes") {
  TemporaryStore store(2 << 20);
  std::vector<Change> batch;
  for (std::uint64_t n = 1; n <= 100; ++n) batch.emplace_back(message(n, std::string(16'000, 'g'), {1}));
  auto results = store->apply(batch);
  std::uint64_t done = 0;
  for (const auto& r : results) {
    if (r) {
      ++done;
    } else {
      CHECK(r.error().no_space);
    }
  }
  CHECK(done > 10);
  CHECK(done < 100);
  CHECK(store->usage(1)->messages == done);
  store.reopen();
  CHECK(store->usage(1)->messages == done);
}
