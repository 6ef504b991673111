// A random sequence of changes, against a model of a few lines, with the store closed and opened again now
// and then, and with a store between that fails.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

#include "tests/unit/store/faulty_store.h"
#include "tests/unit/store/temporary_store.h"

using namespace store;
using namespace store::testing;

namespace {

using Mailboxes = std::map<std::uint64_t, std::map<po::MessageId, std::string>>;

struct Model {
  Mailboxes mailboxes;
  std::map<RecipientKey, Waiting> waiting;
  std::map<po::MessageId, std::string> known;  ///< accepted ever
  ErrandMark errand;

  void apply(const Change& change) {
    if (const auto* a = std::get_if<Accept>(&change)) {
      accept(*a);
    } else if (const auto* e = std::get_if<Expunge>(&change)) {
      for (const po::MessageId& id : e->ids) mailboxes[e->account].erase(id);
    } else if (const auto* s = std::get_if<Settle>(&change)) {
      settle(*s);
    } else if (const auto* errand_step = std::get_if<Errand>(&change)) {
      step(*errand_step);
    }
  }
  void step(const Errand& e) {
    if (e.mark == errand) return;
    std::size_t moved = 0;
    for (; moved < e.at_most && !mailboxes[e.empty].empty(); ++moved) {
      auto row = mailboxes[e.empty].extract(mailboxes[e.empty].begin());
      if (e.into != 0) mailboxes[e.into].insert(std::move(row));
    }
    if (moved == e.at_most) return;
    for (const Accept& a : e.messages) accept(a);
    errand = e.mark;
  }
  void accept(const Accept& a) {
    if (!known.emplace(a.id, a.body).second) return;
    for (const Delivery& d : a.deliveries) mailboxes[d.account].emplace(a.id, d.prefix + a.body);
    for (std::uint32_t n = 0; n < a.waiting.size(); ++n) waiting[{a.id, n}] = a.waiting[n];
  }
  void settle(const Settle& s) {
    std::size_t there = 0;
    for (std::uint32_t n : s.gone) there += waiting.erase({s.id, n});
    for (const auto& [n, now] : s.later) {
      auto row = waiting.find({s.id, n});
      if (row == waiting.end()) continue;
      row->second = now;
      ++there;
    }
    for (const Accept& notice : s.notices) {
      if (there > 0) accept(notice);
    }
  }
  /// Something still names it.
  [[nodiscard]] bool has(const po::MessageId& id) const {
    auto next = waiting.lower_bound({id, 0});
    return (next != waiting.end() && next->first.id == id) ||
           std::ranges::any_of(mailboxes, [&id](const auto& box) { return box.second.contains(id); });
  }
};

class Player {
 public:
  /// Steps of errands are not done twice without harm, as all else is: only a whole errand is.
  explicit Player(std::uint64_t seed, bool errands = true) : random_(seed), errands_(errands) {}
  std::uint64_t below(std::uint64_t n) {
    return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_);
  }

  Change next_change(const Model& model) {
    switch (below(errands_ ? 13 : 12)) {
      case 0:
        return Release{below(40)};
      case 1:
      case 2:
        return next_expunge(model);
      case 3:
      case 4:
      case 5:
        return next_settle(model);
      case 12:
        return next_errand(model);
      case 6:
        if (model.has(last_.id)) return last_;  // the same once more
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
    for (std::uint64_t i = below(6); i > 0; --i) {
      std::uint64_t account = below(12) + 1;
      a.deliveries.push_back({account, 0, "", "To: " + std::to_string(account) + "\r\n"});
    }
    for (std::uint64_t i = below(3) == 0 ? below(40) : 1; i > 0; --i) a.waiting.push_back(next_waiting());
    if (a.deliveries.empty() && a.waiting.empty()) a.deliveries.push_back({1, 0, "", ""});
    last_ = a;
    return a;
  }
  Waiting next_waiting() {
    static const char* const kHops[] = {"a", "a.b", "[a]:25", "example.org", "example.com"};
    Waiting w = recipient("user" + std::to_string(below(1000)), kHops[below(5)],
                          static_cast<std::uint8_t>(below(4) * 85), 1000 + below(50));
    w.held = below(8) == 0;
    for (std::uint64_t i = below(4) == 0 ? below(9) : 0; i > 0; --i) {
      w.last.push_back({below(1000), "host", std::string(below(200), 'r')});
    }
    return w;
  }
  /// Of one message, mostly one that has some: some go, some are put off, notices about it.
  Settle next_settle(const Model& model) {
    Settle s{id_number(number_ - below(200)), {}, {}, {}};
    auto row = model.waiting.lower_bound({s.id, 0});
    if (row != model.waiting.end() && below(10) > 0) s.id = row->first.id;
    for (std::uint64_t i = below(12) + 1; i > 0; --i) s.gone.push_back(static_cast<std::uint32_t>(below(20)));
    for (std::uint64_t i = below(3); i > 0; --i) {
      s.later.push_back({static_cast<std::uint32_t>(below(10)), next_waiting()});
    }
    for (std::uint64_t i = below(3); i > 1; --i) s.notices.push_back(next_accept());
    return s;
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

  /// The one that was begun goes on until it is done.
  Errand next_errand(const Model& model) {
    if (errand_.mark != model.errand) return errand_;
    errand_ = {{model.errand.generation + below(2), model.errand.number + 1}, below(13), 0, below(12) + 1};
    if (below(3) > 0) errand_.into = below(12) + 1;
    if (errand_.into == errand_.empty) errand_.into = 0;
    if (below(3) == 0) errand_.messages.push_back(next_accept());
    return errand_;
  }

  std::mt19937_64 random_;
  bool errands_;
  Errand errand_;
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
  REQUIRE(store.errand_mark() == model.errand);
}

/// The recipients themselves, and their order by hop and time.
void check_waiting(const Store& store, const Model& model) {
  auto rows = store.all_waiting({}, 100'000);
  REQUIRE(rows);
  REQUIRE(store.totals()->waiting == model.waiting.size());
  REQUIRE(rows->size() == model.waiting.size());
  std::map<std::string, std::set<RecipientKey>> by_hop;
  std::map<std::string, std::uint64_t> first;
  for (const WaitingRow& row : *rows) {
    REQUIRE(model.waiting.contains(row.key));
    REQUIRE(po::wire::encode(row.row) == po::wire::encode(model.waiting.at(row.key)));
    if (row.row.held) continue;
    by_hop[row.row.hop].insert(row.key);
    auto& next = first.try_emplace(row.row.hop, UINT64_MAX).first->second;
    next = std::min(next, row.row.next_ms);
  }
  auto hops = store.hops("", 100);
  REQUIRE(hops);
  REQUIRE(hops->size() == by_hop.size());
  for (const HopHead& hop : *hops) {
    REQUIRE(hop.next_ms == first.at(hop.hop));
    auto due = store.due(hop.hop, 2000, 100'000, [](const RecipientKey&) { return false; });
    REQUIRE(due);
    REQUIRE(due->rows.size() == by_hop[hop.hop].size());
    for (const DueRow& row : due->rows) REQUIRE(by_hop[hop.hop].contains(row.key));
  }
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
      if (player.below(10) == 0) {
        check_same(*store, model);
        check_waiting(*store, model);
      }
    }
    check_same(*store, model);
    check_waiting(*store, model);
    // When all is deleted and worked off, nothing is left.
    for (std::uint64_t account = 1; account <= 12; ++account) {
      Expunge all{account, {}};
      auto items = store->list(account, {}, 100'000);
      REQUIRE(items);
      for (const Item& item : *items) all.ids.push_back(item.id);
      REQUIRE(do_one(*store, all));
    }
    for (const auto& [key, row] : model.waiting)
      REQUIRE(do_one(*store, Settle{key.id, {key.n}, {}, {}}) == 1);
    while (do_one(*store, Release{}).value() > 0) {
    }
    CHECK(store->totals()->messages == 0);
    CHECK(store->totals()->waiting == 0);
    CHECK(store->hops("", 1)->empty());
    CHECK(store->totals()->octets == 0);
    CHECK(store->totals()->mailboxes == 0);
  }
}

TEST_CASE("under faults, what was done is there, what was unavailable is not") {
  TemporaryStore store;
  FaultyStore faulty(*store, 42, {0.2, 0.2});
  Player player(7, false);
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
  check_waiting(*store, model);
}
