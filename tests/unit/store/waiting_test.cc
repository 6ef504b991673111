// Recipients that wait for deliverers: what an Accept and a Settle leave, and what a scheduler sees of it.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "lib/store/layout.h"
#include "tests/unit/store/temporary_store.h"

using namespace store;
using namespace store::testing;

namespace {

auto none_taken = [](const RecipientKey&) { return false; };

std::vector<std::uint64_t> numbers(const Due& due) {
  std::vector<std::uint64_t> out;
  for (const DueRow& row : due.rows) out.push_back(layout::read_big_endian(row.key.id.bytes().substr(4)));
  return out;
}

Settle gone(std::uint64_t message, std::vector<std::uint32_t> numbers) {
  return {id_number(message), std::move(numbers), {}, {}};
}

std::size_t release_all(Store& store) {
  std::size_t all = 0;
  for (std::size_t done = 1; done > 0; all += done) done = do_one(store, Release{}).value();
  return all;
}

}  // namespace

TEST_CASE("recipients wait with their message, and it goes with the last of them") {
  TemporaryStore store;
  Accept a = message(1, std::string(9000, 'b'), {5});
  a.waiting = {recipient("jane@example.net", "example.net", 3, 100),
               recipient("joe@example.org", "[relay]:25", 4, 200)};
  a.waiting[1].original = "j@example.com";
  a.waiting[1].orcpt = "rfc822;j@example.com";
  a.waiting[1].notify = 4;
  REQUIRE(do_one(*store, a) == 1);
  CHECK(do_one(*store, a) == 0);
  store.reopen();
  CHECK(store->totals()->waiting == 2);
  CHECK(store->head(a.id)->envelope.sender == "sender@example.org");
  CHECK(store->head(a.id)->size == 9000);
  CHECK(store->head(a.id)->arrival_ms == a.arrival_ms);
  CHECK(store->body(a.id)->body == a.body);
  CHECK(store->body(a.id)->prefix.empty());
  auto rows = store->waiting(a.id, 0, 10);
  REQUIRE(rows);
  REQUIRE(rows->size() == 2);
  for (std::uint32_t n = 0; n < 2; ++n) {
    CHECK((*rows)[n].key == RecipientKey{a.id, n});
    CHECK(po::wire::encode((*rows)[n].row) == po::wire::encode(a.waiting[n]));
  }

  CHECK(do_one(*store, gone(1, {1, 1, 7})) == 1);
  CHECK(do_one(*store, gone(1, {1})) == 0);
  CHECK(store->waiting(a.id, 0, 10)->size() == 1);
  CHECK(store->due("[relay]:25", 1000, 10, none_taken)->rows.empty());
  CHECK(do_one(*store, Expunge{5, {a.id}}) == 1);
  release_all(*store);
  CHECK(store->is_stored(a.id) == true);
  CHECK(do_one(*store, gone(1, {0})) == 1);
  CHECK(store->is_stored(a.id) == true);  // known until it is worked off
  CHECK(release_all(*store) == 1);
  CHECK(store->is_stored(a.id) == false);
  CHECK(store->head(a.id).error().status == Status::kRefused);
  CHECK(store->body(a.id).error().status == Status::kRefused);
  CHECK(store->totals()->waiting == 0);
  CHECK(store->totals()->octets == 0);
  CHECK(store->hops("", 10)->empty());
}

TEST_CASE("what is put off is due later, elsewhere, or held") {
  TemporaryStore store;
  Accept a = message(1, "x", {});
  a.waiting = {recipient("a@b", "hop", 1, 100), recipient("c@b", "hop", 1, 100),
               recipient("d@b", "hop", 1, 100)};
  REQUIRE(do_one(*store, a) == 1);
  Waiting later = a.waiting[0], moved = a.waiting[1], held = a.waiting[2];
  later.next_ms = 5000;
  later.attempts = 1;
  later.last = {{99, "mx.b", "451 not yet"}};
  moved.hop = "another hop";
  held.held = true;
  CHECK(do_one(*store, Settle{a.id, {}, {{0, later}, {1, moved}, {2, held}, {9, held}}, {}}) == 3);
  auto due = store->due("hop", 100, 10, none_taken);
  CHECK(due->rows.empty());
  CHECK(due->next_ms == 5000);
  CHECK(store->due("another hop", 100, 10, none_taken)->rows.size() == 1);
  CHECK(store->waiting(a.id, 0, 10)->at(0).row.last.at(0).reply == "451 not yet");
  CHECK(store->waiting(a.id, 2, 10)->at(0).row.held);
  CHECK(store->totals()->waiting == 3);
  // Released again, it comes back.
  held.held = false;
  CHECK(do_one(*store, Settle{a.id, {0}, {{2, held}}, {}}) == 2);
  CHECK(store->due("hop", 100, 10, none_taken)->rows.size() == 1);
}

TEST_CASE("a notice is stored with what it reports, or not at all") {
  TemporaryStore store;
  Accept a = message(1, "x", {});
  a.waiting = {recipient("a@b", "hop", 1, 100), recipient("c@b", "hop", 1, 100)};
  REQUIRE(do_one(*store, a) == 1);
  Accept bounce = message(2, "it failed", {7}), wrong = message(3, "nowhere", {});
  CHECK(do_one(*store, Settle{a.id, {0}, {}, {bounce, wrong}}).error().status == Status::kRefused);
  CHECK(do_one(*store, Settle{a.id, {0}, {}, {bounce, bounce}}).error().status == Status::kRefused);
  Accept other = message(1, "another body", {7});
  CHECK(do_one(*store, Settle{a.id, {0}, {}, {bounce, other}}).error().status == Status::kRefused);
  CHECK(store->totals()->messages == 1);
  CHECK(store->totals()->waiting == 2);

  Settle good{a.id, {0}, {}, {bounce}};
  good.notices[0].waiting = {recipient("sender@b", "hop", 2, 300)};
  CHECK(do_one(*store, good) == 1);
  CHECK(store->read(7, bounce.id)->body == "it failed");
  CHECK(store->waiting(bounce.id, 0, 9)->size() == 1);
  CHECK(store->totals()->waiting == 2);
  // Once more, when the bounce has been delivered and forgotten: nothing that it names is there.
  CHECK(do_one(*store, Expunge{7, {bounce.id}}) == 1);
  CHECK(do_one(*store, gone(2, {0})) == 1);
  release_all(*store);
  CHECK(do_one(*store, good) == 0);
  CHECK(store->is_stored(bounce.id) == false);
}

TEST_CASE("recipients that cannot be are refused") {
  TemporaryStore store;
  std::vector<Waiting> wrong = {recipient("a@b", "", 0, 0), recipient("a@b", std::string(301, 'h'), 0, 0),
                                recipient("a@b", std::string("h\0p", 3), 0, 0), recipient("", "hop", 0, 0),
                                recipient(std::string(1498, 'a'), "hop", 0, 0)};
  Accept good = message(1, "x", {});
  good.waiting = {recipient("a@b", std::string(300, 'h'), 255, UINT64_MAX)};
  REQUIRE(do_one(*store, good) == 1);
  for (const Waiting& w : wrong) {
    Accept a = message(2, "x", {1});
    a.waiting = {good.waiting[0], w};
    CHECK(do_one(*store, a).error().status == Status::kRefused);
    CHECK(do_one(*store, Settle{good.id, {}, {{0, w}}, {}}).error().status == Status::kRefused);
  }
  CHECK(store->hops("", 9)->at(0).hop == good.waiting[0].hop);
  CHECK(store->hops("", 9)->at(0).next_ms == UINT64_MAX);
  CHECK(store->totals()->waiting == 1);
}

TEST_CASE("attempts are kept as far as they fit a row") {
  TemporaryStore store;
  Accept a = message(1, "x", {});
  a.waiting = {recipient("a@b", "hop", 1, 100)};
  REQUIRE(do_one(*store, a) == 1);
  Waiting w = a.waiting[0];
  for (std::uint64_t i = 0; i < 20; ++i) {
    w.last.push_back({i, "mx" + std::to_string(i) + ".b", std::to_string(i) + std::string(3000, 'r')});
  }
  w.last.back().reply = "\xc3\xa9";
  for (int i = 0; i < 2000; ++i) w.last.back().reply += "\xc3\xa9";
  REQUIRE(do_one(*store, Settle{a.id, {}, {{0, w}}, {}}) == 1);
  Waiting kept = store->waiting(a.id, 0, 1)->at(0).row;
  CHECK(po::wire::encode(kept).size() <= layout::kMaxRow);
  CHECK(po::wire::encode(kept).size() > layout::kMaxRow - 50);
  REQUIRE(kept.last.size() == kMostAttempts);
  CHECK(kept.last.front().at_ms == 12);
  CHECK(kept.last.back().at_ms == 19);
  CHECK(kept.last.back().host == "mx19.b");
  CHECK(kept.last.back().reply.size() > 800);
  CHECK(kept.last.back().reply.size() % 2 == 0);
  CHECK(kept.last.front().reply.starts_with("12rrrrrr"));

  w.address = std::string(layout::kMaxNames - 3, 'a');
  REQUIRE(do_one(*store, Settle{a.id, {}, {{0, w}}, {}}) == 1);
  kept = store->waiting(a.id, 0, 1)->at(0).row;
  CHECK(po::wire::encode(kept).size() <= layout::kMaxRow);
  CHECK(kept.last.size() == kMostAttempts);
}

TEST_CASE("next hops come by name, each with its first time, whatever their lanes and rows") {
  TemporaryStore store;
  Accept a = message(1, "x", {});
  const char* const names[] = {"a", "a.b", "a.b.c", "ab", "b", "[192.0.2.1]:25", "z\xff"};
  for (const char* name : names) {
    for (unsigned lane : {0U, 1U, 77U, 255U}) {
      for (std::uint64_t i = 0; i < 9; ++i) {
        a.waiting.push_back(
            recipient("a@b", name, static_cast<std::uint8_t>(lane), 1000 + i - (lane == 77 ? 500 : 0)));
      }
    }
  }
  a.waiting.push_back(recipient("a@b", "held", 0, 10));
  a.waiting.back().held = true;
  REQUIRE(do_one(*store, a) == 1);
  std::set<std::string> expected(std::begin(names), std::end(names)), seen;
  std::string after;
  for (;;) {
    auto hops = store->hops(after, 2);
    REQUIRE(hops);
    if (hops->empty()) break;
    for (const HopHead& h : *hops) {
      CHECK(h.next_ms == 500);
      CHECK(h.hop > after);
      after = h.hop;
      seen.insert(h.hop);
    }
  }
  CHECK(seen == expected);
  CHECK(store->hops("", 100)->size() == expected.size());
  for (const char* name : names) CHECK(store->due(name, 1500, 1000, none_taken)->rows.size() == 36);
  CHECK(store->due("a.", 1500, 1000, none_taken)->rows.empty());
  CHECK(store->due("held", 1500, 1000, none_taken)->rows.empty());
}

TEST_CASE("lanes of a hop are served in turn") {
  TemporaryStore store;
  std::vector<Change> batch;
  auto add = [&batch](std::uint64_t n, std::uint8_t lane, std::uint64_t next_ms) {
    Accept a = message(n, "x", {});
    a.waiting = {recipient("a@b", "hop", lane, next_ms)};
    batch.emplace_back(std::move(a));
  };
  for (std::uint64_t n = 1; n <= 6; ++n) add(n, 10, 100 - n);  // a burst, the last one longest due
  add(21, 20, 99);
  add(22, 20, 100);
  add(31, 30, 300);
  add(32, 30, 200);
  for (const auto& r : store->apply(batch)) REQUIRE(r == 1);

  CHECK(numbers(*store->due("hop", 300, 4, none_taken)) == std::vector<std::uint64_t>{6, 21, 32, 5});
  CHECK(numbers(*store->due("hop", 301, 4, none_taken)) == std::vector<std::uint64_t>{21, 32, 6, 22});
  auto due = store->due("hop", 120, 100, none_taken);
  CHECK(numbers(*due) == std::vector<std::uint64_t>{6, 21, 5, 22, 4, 3, 2, 1});
  CHECK_FALSE(due->more);
  CHECK(due->next_ms == 200);
  due = store->due("hop", 120, 7, none_taken);
  CHECK(due->rows.size() == 7);
  CHECK(due->more);
  CHECK(due->next_ms == 200);
  CHECK(store->due("hop", 99, 1, none_taken)->next_ms == 100);
  CHECK(store->due("hop", 300, 100, none_taken)->next_ms == 0);
  CHECK(store->due("hop", UINT64_MAX, 3, none_taken)->next_ms == 0);
  CHECK(store->due("hop", 10, 100, none_taken)->next_ms == 94);

  // What is taken counts as a turn.
  auto taken = [](const RecipientKey& key) { return key.id == id_number(6) || key.id == id_number(5); };
  due = store->due("hop", 120, 3, taken);
  CHECK(numbers(*due) == std::vector<std::uint64_t>{21, 22, 4});
  CHECK(due->more);
  auto all_taken = store->due("hop", 300, 3, [](const RecipientKey&) { return true; });
  CHECK(all_taken->rows.empty());
  CHECK_FALSE(all_taken->more);
}

TEST_CASE("with more lanes than may be served at once, each is served some time") {
  TemporaryStore store;
  Accept a = message(1, "x", {});
  for (unsigned lane = 0; lane < 256; ++lane) {
    for (int i = 0; i < 3; ++i)
      a.waiting.push_back(recipient("a@b", "hop", static_cast<std::uint8_t>(lane), 1));
  }
  REQUIRE(do_one(*store, a) == 1);
  std::set<std::uint8_t> served;
  for (std::uint64_t now = 1000; now < 1256; ++now) {
    auto due = store->due("hop", now, 2, none_taken);
    REQUIRE(due);
    for (const DueRow& row : due->rows) served.insert(row.lane);
  }
  CHECK(served.size() == 256);
}

TEST_CASE("all that waits is listed in pieces, the oldest message first") {
  TemporaryStore store;
  for (std::uint64_t n : {3, 1, 2}) {
    Accept a = message(n, "x", {});
    for (int i = 0; i < 300; ++i) a.waiting.push_back(recipient("a@b", "hop", 1, 100));
    REQUIRE(do_one(*store, a) == 1);
  }
  REQUIRE(do_one(*store, gone(2, {0, 100, 299})) == 3);
  std::vector<RecipientKey> seen;
  RecipientKey after;
  for (;;) {
    auto rows = store->all_waiting(after, 101);
    REQUIRE(rows);
    if (rows->empty()) break;
    for (const WaitingRow& row : *rows) seen.push_back(row.key);
    after = seen.back();
  }
  CHECK(seen.size() == 897);
  CHECK(std::ranges::is_sorted(seen));
  CHECK(store->waiting(id_number(2), 100, 1)->at(0).key.n == 101);
  // The number that no recipient has passes over all of a message.
  CHECK(store->all_waiting({id_number(1), UINT32_MAX}, 1)->at(0).key == RecipientKey{id_number(2), 1});
}

TEST_CASE("a full map: what is delivered goes and what is put off is, notices find no space") {
  TemporaryStore store(4 << 20);
  std::uint64_t n = 0;
  Failure failure;
  while (failure.text.empty()) {
    Accept a = message(++n, std::string(2000, 'f'), {});
    a.waiting = {recipient("a@b", "hop", static_cast<std::uint8_t>(n), n), recipient("b@b", "other", 0, n)};
    auto r = do_one(*store, a);
    if (!r) failure = r.error();
  }
  CHECK(failure.no_space);
  REQUIRE(n > 100);
  Settle later{id_number(1), {0}, {{1, recipient("b@b", "a third", 0, 5)}}, {}};
  Settle with_notice = later;
  with_notice.notices = {message(100'000, std::string(20'000, 'n'), {1})};
  auto refused = do_one(*store, with_notice);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().no_space);
  CHECK(store->waiting(id_number(1), 0, 9)->size() == 2);
  CHECK(do_one(*store, later) == 2);
  for (std::uint64_t i = 2; i < n; ++i) {
    INFO(i);
    REQUIRE(do_one(*store, gone(i, {0, 1})) == 2);
  }
  CHECK(release_all(*store) == n - 1);
  CHECK(do_one(*store, Settle{id_number(1), {1}, {}, {message(100'000, "it failed", {1})}}) == 1);
  release_all(*store);
  CHECK(store->totals()->messages == 1);
  CHECK(store->totals()->waiting == 0);
}

TEST_CASE("100,000 recipients of one message") {
  TemporaryStore store(1ULL << 30);
  Accept a = message(1, std::string(5000, 'm'), {});
  for (std::uint32_t n = 0; n < 100'000; ++n) {
    std::string domain = "d" + std::to_string(n * 7919 % 10'000) + ".example";
    a.waiting.push_back(recipient("user" + std::to_string(n) + "@" + domain, domain, 9, 1000));
  }
  REQUIRE(do_one(*store, a) == 1);
  CHECK(store->totals()->waiting == 100'000);
  CHECK(store->hops("", 100'000)->size() == 10'000);
  CHECK(store->due("d77.example", 1000, 100, none_taken)->rows.size() == 10);
  Settle all{a.id, {}, {}, {}};
  for (std::uint32_t n = 0; n < 100'000; ++n) all.gone.push_back(n);
  CHECK(do_one(*store, all) == 100'000);
  CHECK(release_all(*store) == 1);
  CHECK(store->totals()->messages == 0);
  CHECK(store->hops("", 10)->empty());
}
