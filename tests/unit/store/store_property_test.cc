// A random sequence of changes, against a model of a few lines, with the store closed and opened again now
// and then, and with a store between that fails.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "tests/unit/store/faulty_store.h"
#include "tests/unit/store/temporary_store.h"

using namespace store;
using namespace store::testing;

namespace {

using Mailboxes = std::map<std::uint64_t, std::map<po::MessageId, std::string>>;

struct Model {
  Mailboxes mailboxes;
  std::map<po::MessageId, std::string> known;  ///< accepted ever

  void apply(const Change& change) {
    if (const auto* a = std::get_if<Accept>(&change)) {
      if (!known.emplace(a->id, a->body).second) return;
      for (const Delivery& d : a->deliveries) mailboxes[d.account].emplace(a->id, d.prefix + a->body);
    } else if (const auto* e = std::get_if<Expunge>(&change)) {
      for (const po::MessageId& id : e->ids) mailboxes[e->account].erase(id);
    }
  }
};

class Player {
 public:
  explicit Player(std::uint64_t seed) : random_(seed) {}
  std::uint64_t below(std::uint64_t n) {
    return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_);
  }

  Change next_change(const Model& model) {
    switch (below(8)) {
      case 0:
        return Release{below(40)};
      case 1:
      case 2:
        return next_expunge(model);
      case 3:
        if (!last_.body.empty()) return last_;  // the same once more
        [[fallthrough]];
      default:
        return next_accept();
    }
  }

 private:
  Accept next_accept() {
    static constexpr std::size_t kSizes[] = {0, 10, 500, 2500, 4080, 4081, 9000, 30000};
    std::string body(kSizes[below(8)] + below(3), static_cast<char>('a' + below(26)));
    // Ids mostly rise, as those of several makers do.
    Accept a = message(number_ += below(5), std::move(body), {});
    number_ += 3;
    for (std::uint64_t i = below(6) + 1; i > 0; --i) {
      std::uint64_t account = below(12) + 1;
      a.deliveries.push_back({account, 0, "", "To: " + std::to_string(account) + "\r\n"});
    }
    last_ = a;
    return a;
  }
  Expunge next_expunge(const Model& model) {
    Expunge e{below(12) + 1, {}};
    auto box = model.mailboxes.find(e.account);
    if (box == model.mailboxes.end()) return e;
    for (const auto& [id, text] : box->second) {
      if (below(3) == 0) e.ids.push_back(id);
    }
    std::shuffle(e.ids.begin(), e.ids.end(), random_);
    return e;
  }

  std::mt19937_64 random_;
  std::uint64_t number_ = 1000;
  Accept last_;
};

void check_same(const Store& store, const Model& model) {
  std::uint64_t entries = 0;
  for (std::uint64_t account = 1; account <= 12; ++account) {
    auto box = model.mailboxes.find(account);
    auto items = store.list(account, {}, 100'000);
    REQUIRE(items);
    std::size_t expected = box == model.mailboxes.end() ? 0 : box->second.size();
    REQUIRE(items->size() == expected);
    entries += expected;
    std::uint64_t octets = 0;
    for (const Item& item : *items) {
      auto content = store.read(account, item.id);
      REQUIRE(content);
      REQUIRE(content->prefix + content->body == box->second.at(item.id));
      REQUIRE(item.size == content->prefix.size() + content->body_size);
      octets += item.size;
    }
    REQUIRE(store.usage(account)->messages == expected);
    REQUIRE(store.usage(account)->octets == octets);
  }
  REQUIRE(store.totals()->entries == entries);
}

}  // namespace

TEST_CASE("random changes give what a simple model gives") {
  for (std::uint64_t seed : {1, 2, 3}) {
    INFO("seed " << seed);
    TemporaryStore store;
    Model model;
    Player player(seed);
    for (int round = 0; round < 120; ++round) {
      std::vector<Change> batch;
      for (std::uint64_t i = player.below(12) + 1; i > 0; --i) batch.push_back(player.next_change(model));
      for (const auto& r : store->apply(batch)) REQUIRE(r);
      for (const Change& c : batch) model.apply(c);
      if (player.below(20) == 0) store.reopen();
      if (player.below(10) == 0) check_same(*store, model);
    }
    check_same(*store, model);
    // When all is deleted and worked off, nothing is left.
    for (std::uint64_t account = 1; account <= 12; ++account) {
      Expunge all{account, {}};
      auto items = store->list(account, {}, 100'000);
      REQUIRE(items);
      for (const Item& item : *items) all.ids.push_back(item.id);
      REQUIRE(do_one(*store, all));
    }
    while (do_one(*store, Release{}).value() > 0) {
    }
    CHECK(store->totals()->messages == 0);
    CHECK(store->totals()->octets == 0);
    CHECK(store->totals()->mailboxes == 0);
  }
}

TEST_CASE("under faults, what was done is there, what was unavailable is not") {
  TemporaryStore store;
  FaultyStore faulty(*store, 42, {0.2, 0.2});
  Player player(7);
  Model model;
  int unknown = 0, unavailable = 0;
  for (int i = 0; i < 400; ++i) {
    Change change = player.next_change(model);
    auto result = do_one(faulty, change);
    if (!result && result.error().status == Status::kUnavailable) {
      ++unavailable;
      continue;
    }
    if (!result) {  // as after a new start: ask by doing it again, which must be harmless
      ++unknown;
      REQUIRE(do_one(*store, change));
    }
    model.apply(change);
  }
  CHECK(unknown > 20);
  CHECK(unavailable > 20);
  check_same(*store, model);
}
