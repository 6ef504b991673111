// Errands: mailboxes that are emptied or handed over, and messages that are stored, once each.
#include "tests/unit/store/temporary_store.h"

using namespace store;
using namespace store::testing;

namespace {

/// Into mailbox 7, with ids from `first`.
void fill(Store& store, std::uint64_t first, std::uint64_t count) {
  std::vector<Change> changes;
  for (std::uint64_t n = first; n < first + count; ++n)
    changes.emplace_back(message(n, "body " + std::to_string(n), {7}));
  for (const auto& result : store.apply(changes)) REQUIRE(result);
}

/// So many steps it took.
int do_whole(Store& store, const Errand& errand) {
  for (int steps = 1;; ++steps) {
    auto result = do_one(store, errand);
    REQUIRE(result);
    if (*result == 1) return steps;
    REQUIRE(steps < 1000);
  }
}

/// All that is in a mailbox.
Expunge all_of(const Store& store, std::uint64_t account) {
  Expunge all{account, {}};
  auto items = store.list(account, {}, 1000);
  REQUIRE(items);
  for (const Item& item : *items) all.ids.push_back(item.id);
  return all;
}

void release_all(Store& store) {
  while (do_one(store, Release{}).value() > 0) {
  }
}

}  // namespace

TEST_CASE("a mailbox is handed over in steps, each message as it was") {
  TemporaryStore store;
  fill(*store, 100, 250);
  REQUIRE(do_one(*store, message(1, "older", {8, 9})));
  REQUIRE(do_one(*store, message(500, "younger", {8})));
  auto before = store->usage(7).value();
  CHECK(do_whole(*store, {{5, 1}, 7, 8, 100}) == 3);
  CHECK(store->usage(7)->messages == 0);
  CHECK(store->usage(8)->messages == 252);
  CHECK(store->list(7, {}, 10)->empty());
  CHECK(store->list(8, {}, 1000)->size() == 252);
  for (std::uint64_t n : {100, 200, 349}) {
    auto content = store->read(8, id_number(n));
    REQUIRE(content);
    CHECK(content->prefix == "Delivered-To: 7@example.org\r\n");
    CHECK(content->body == "body " + std::to_string(n));
    CHECK_FALSE(store->read(7, id_number(n)));
  }
  auto own = store->read(8, id_number(1))->prefix.size() + 5,
       young = store->read(8, id_number(500))->prefix.size() + 7;
  CHECK(store->usage(8)->octets == before.octets + own + young);
  CHECK(store->totals()->mailboxes == 2);
  CHECK(store->totals()->entries == 253);
  release_all(*store);
  CHECK(store->totals()->messages == 252);
  CHECK(store->read(9, id_number(1)));
  // Nobody else's mail was touched, and all can still be deleted.
  for (std::uint64_t account : {8, 9}) {
    REQUIRE(do_one(*store, all_of(*store, account)));
  }
  release_all(*store);
  CHECK(store->totals()->messages == 0);
  CHECK(store->totals()->octets == 0);
}

TEST_CASE("what the other mailbox has already is there once") {
  TemporaryStore store;
  for (std::uint64_t n = 1; n <= 10; ++n) REQUIRE(do_one(*store, message(n, "both", {7, 8})));
  fill(*store, 20, 5);
  CHECK(do_whole(*store, {{1, 0}, 7, 8, 4}) == 4);
  CHECK(store->usage(8)->messages == 15);
  CHECK(store->usage(7)->messages == 0);
  CHECK(store->read(8, id_number(3))->prefix == "Delivered-To: 8@example.org\r\n");
  release_all(*store);
  CHECK(store->totals()->messages == 15);
  CHECK(do_one(*store, all_of(*store, 8)).value() == 15);
  release_all(*store);
  CHECK(store->totals()->messages == 0);
}

TEST_CASE("a mailbox is emptied, and what nobody else has is freed") {
  TemporaryStore store;
  fill(*store, 1, 300);
  REQUIRE(do_one(*store, message(1000, "shared", {7, 8})));
  CHECK(do_whole(*store, {{9, 0}, 7, 0, 128}) == 3);
  CHECK(store->usage(7)->messages == 0);
  CHECK(store->totals()->mailboxes == 1);
  release_all(*store);
  CHECK(store->totals()->messages == 1);
  CHECK(store->read(8, id_number(1000)));
  // One that is empty already, or never was, is done at once.
  CHECK(do_whole(*store, {{9, 1}, 7, 0, 128}) == 1);
  CHECK(do_whole(*store, {{9, 2}, 77, 8, 128}) == 1);
}

TEST_CASE("an errand is done once, whatever comes between") {
  TemporaryStore store;
  CHECK(store->errand_mark().value() == ErrandMark{});
  Errand greet{{3, 1}, 0, 0, 128, {message(1, "Welcome", {7})}};
  CHECK(do_whole(*store, greet) == 1);
  CHECK(store->errand_mark().value() == ErrandMark{3, 1});
  REQUIRE(do_one(*store, Expunge{7, {id_number(1)}}));
  release_all(*store);
  store.reopen();
  CHECK(store->errand_mark().value() == ErrandMark{3, 1});
  // As after a crash in which the answer was lost: with another id, too.
  greet.messages = {message(2, "Welcome", {7})};
  CHECK(do_whole(*store, greet) == 1);
  CHECK(store->usage(7)->messages == 0);
  CHECK_FALSE(store->is_stored(id_number(2)).value());
  // A step that was not the last leaves the mark where it was.
  fill(*store, 10, 5);
  CHECK(do_one(*store, Errand{{3, 2}, 7, 8, 4}).value() == 0);
  CHECK(store->errand_mark().value() == ErrandMark{3, 1});
  CHECK(do_one(*store, Errand{{3, 2}, 7, 8, 4}).value() == 1);
  CHECK(store->errand_mark().value() == ErrandMark{3, 2});
}

TEST_CASE("errands that cannot be done are refused, and change nothing") {
  TemporaryStore store;
  fill(*store, 1, 3);
  Accept wrong = message(50, "x", {7});
  wrong.size = 2;
  for (const Errand& errand :
       {Errand{{1, 1}, 7, 7, 128}, Errand{{1, 1}, 7, 8, 0}, Errand{{0, 0}, 7, 8, 128},
        Errand{{1, 1}, 7, 8, 128, {wrong}}, Errand{{1, 1}, 7, 8, 128, {message(1, "other", {7})}}}) {
    auto result = do_one(*store, errand);
    REQUIRE_FALSE(result);
    CHECK(result.error().status == Status::kRefused);
  }
  CHECK(store->usage(7)->messages == 3);
  CHECK(store->usage(8)->messages == 0);
  CHECK(store->errand_mark().value() == ErrandMark{});
}

TEST_CASE("on a full map a mailbox cannot be handed over, but emptied") {
  TemporaryStore store(4ULL << 20);
  std::uint64_t n = 0;
  while (do_one(*store, message(++n, std::string(3000, 'x'), {7}))) REQUIRE(n < 10'000);
  auto refused = do_one(*store, Errand{{1, 0}, 7, 8, 128});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().no_space);
  CHECK(store->usage(7)->messages == n - 1);
  do_whole(*store, {{1, 0}, 7, 0, 128});
  CHECK(store->usage(7)->messages == 0);
  release_all(*store);
  CHECK(store->totals()->messages == 0);
}
