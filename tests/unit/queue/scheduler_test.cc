// The scheduler with a queue in memory for a store, its clock and its chance in a test's hand.
#include "queue/scheduler.h"

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <set>

#include "queue/schedule.h"

using namespace queue;
using po::messages::HopState;
using store::RecipientKey;

namespace {

po::MessageId message(std::uint32_t number) {
  po::MessageId id;
  for (int i = 0; i < 4; ++i) id.octets[11 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return id;
}

/// In it a job more may begin among those beyond the half, if the limit is 8.
constexpr std::uint64_t kCreditTime = 20 * kSecondMs + 1;

std::uint32_t number_of(const po::MessageId& id) {
  std::uint32_t n = 0;
  for (int i = 8; i < 12; ++i) n = n << 8 | id.octets[static_cast<std::size_t>(i)];
  return n;
}

/// What waits, and the scheduler over it. Chance is in the middle: what is spared is so for the round time.
class World {
 public:
  explicit World(Scheduler::Limits limits = {})
      : scheduler([this](std::string_view hop, std::uint64_t at, std::size_t limit,
                         const Scheduler::Taken& taken) { return due(hop, at, limit, taken); },
                  [] { return std::uint32_t{512}; }) {
    scheduler.set_limits(limits);
  }

  /// In the store, and the scheduler hears of its time alone, as at a start.
  void wait(const std::string& hop, std::uint32_t id, std::uint32_t recipients = 1, std::uint8_t lane = 0) {
    put(hop, id, recipients, lane);
    scheduler.note(hop, now, now);
  }
  /// Just committed.
  void accept(const std::string& hop, std::uint32_t id, std::uint32_t recipients = 1, std::uint8_t lane = 0) {
    put(hop, id, recipients, lane);
    std::vector<std::uint32_t> numbers(recipients);
    for (std::uint32_t n = 0; n < recipients; ++n) numbers[n] = n;
    scheduler.accepted(hop, lane, message(id), std::move(numbers), now);
  }
  /// As Deliveries does it: whose recipients are gone by now is no job.
  std::optional<Scheduler::Start> next() {
    for (;;) {
      ++turns_;
      auto job = scheduler.next(now);
      REQUIRE(job);
      if (!*job) return std::nullopt;
      RecipientKey first{(*job)->id, (*job)->recipients.at(0)};
      if (rows_.contains(first)) return *job;
      scheduler.dropped(**job, now);
      for (std::uint32_t n : (*job)->recipients) scheduler.let_go({first.id, n});
    }
  }
  /// All that can start now.
  std::vector<Scheduler::Start> all() {
    std::vector<Scheduler::Start> jobs;
    while (auto job = next()) jobs.push_back(std::move(*job));
    return jobs;
  }
  /// All that can while nothing ends.
  std::vector<Scheduler::Start> all_in_time() {
    auto jobs = all();
    for (std::size_t before = 0; before != jobs.size();) {
      before = jobs.size();
      now += kCreditTime;
      for (auto& job : all()) jobs.push_back(std::move(job));
    }
    return jobs;
  }
  /// Served: the recipients are gone. Else they are due again in an hour.
  void finish(const Scheduler::Start& job, HopState state = HopState::kServed) {
    scheduler.finished(job, state, now);
    std::uint64_t again = now + kHourMs;
    for (std::uint32_t n : job.recipients) {
      RecipientKey key{job.id, n};
      auto [lane, at] = rows_.at(key);
      queue_[job.hop][lane].erase({at, key});
      rows_.erase(key);
      if (state != HopState::kServed) {
        rows_[key] = {lane, again};
        queue_[job.hop][lane].insert({again, key});
      }
      scheduler.let_go(key);
    }
    if (state != HopState::kServed) scheduler.note(job.hop, again, now);
  }
  /// While nothing can start: the next turn is for what has waited (one of four), or it is not.
  void pass_turns(bool until_waiting) {
    while (((turns_ + 1) % 4 == 0) != until_waiting) REQUIRE_FALSE(next());
  }
  /// A job of its own has shown that the hop works.
  void prove(const std::string& hop) {
    accept(hop, 0xffffff, 1);
    auto job = next();
    REQUIRE((job && job->hop == hop));
    finish(*job);
  }

  std::uint64_t now = 1'700'000'000'000;
  bool fails = false;
  int looks = 0;
  Scheduler scheduler;

 private:
  using Lane = std::set<std::pair<std::uint64_t, RecipientKey>>;

  void put(const std::string& hop, std::uint32_t id, std::uint32_t recipients, std::uint8_t lane) {
    for (std::uint32_t n = 0; n < recipients; ++n) {
      RecipientKey key{message(id), n};
      rows_[key] = {lane, now};
      queue_[hop][lane].insert({now, key});
    }
  }

  store::Result<store::Due> due(std::string_view hop, std::uint64_t at, std::size_t limit,
                                const Scheduler::Taken& taken) {
    ++looks;
    if (fails) return tl::unexpected(store::Failure{store::Status::kUnavailable, false, "no disk"});
    store::Due out;
    auto& lanes = queue_[std::string(hop)];
    std::vector<std::pair<std::uint8_t, Lane::iterator>> turns;
    for (auto& [number, lane] : lanes) turns.emplace_back(number, lane.begin());
    for (bool any = true; any && !out.more;) {
      any = false;
      for (auto& [number, row] : turns) {
        auto end = lanes[number].end();
        while (row != end && taken(row->second)) ++row;
        if (row == end) continue;
        if (row->first > at) {
          if (out.next_ms == 0 || row->first < out.next_ms) out.next_ms = row->first;
          continue;
        }
        out.more = out.rows.size() >= limit;
        if (out.more) break;
        out.rows.push_back({row->second, number, row->first});
        ++row;
        any = true;
      }
    }
    return out;
  }

  std::map<std::string, std::map<std::uint8_t, Lane>> queue_;
  std::map<RecipientKey, std::pair<std::uint8_t, std::uint64_t>> rows_;
  unsigned turns_ = 0;
};

std::size_t count(const std::vector<Scheduler::Start>& jobs, std::string_view hop) {
  return static_cast<std::size_t>(
      std::count_if(jobs.begin(), jobs.end(), [hop](const auto& job) { return job.hop == hop; }));
}

}  // namespace

TEST_CASE("scheduler: a job is one message, its recipients in order, a hundred at most") {
  World w;
  w.wait("a", 1, 128);
  w.wait("a", 2, 3);
  auto jobs = w.all();
  REQUIRE(jobs.size() == 2);  // a hop that is not known to work
  CHECK(number_of(jobs[0].id) == 1);
  CHECK(jobs[0].recipients.size() == Scheduler::kMostRecipients);
  CHECK(std::ranges::is_sorted(jobs[0].recipients));
  CHECK(jobs[1].recipients.size() == 28);
  CHECK(jobs[0].trial);
  CHECK(w.scheduler.in_flight({message(1), 0}));
  for (const auto& job : jobs) w.finish(job);
  CHECK_FALSE(w.scheduler.in_flight({message(1), 0}));
  auto last = w.next();
  REQUIRE(last);
  CHECK(number_of(last->id) == 2);
  CHECK(last->recipients == std::vector<std::uint32_t>{0, 1, 2});
  CHECK_FALSE(last->trial);
  w.finish(*last);
  CHECK_FALSE(w.next());
}

TEST_CASE("scheduler: jobs at once grow with success, shrink where fewer are wanted") {
  World w({500, 6});
  for (std::uint32_t i = 1; i <= 100; ++i) w.wait("a", i);
  auto jobs = w.all();
  CHECK(jobs.size() == 2);
  for (std::size_t expected : {4U, 5U, 6U, 6U}) {
    w.finish(jobs.back());
    jobs.pop_back();
    for (auto& job : w.all()) jobs.push_back(std::move(job));
    CHECK(jobs.size() == expected);
  }
  // It wants fewer: half of what was at work.
  w.finish(jobs.back(), HopState::kBusy);
  jobs.pop_back();
  CHECK(w.all().empty());
  CHECK(w.scheduler.spared_until("a", w.now) == 0);
  while (jobs.size() > 2) {
    w.scheduler.dropped(jobs.back(), w.now);
    jobs.pop_back();
  }
  auto one_more = w.all();
  CHECK(one_more.size() == 1);
  // Alone, it is not the number that is too much.
  for (const auto& job : jobs) w.finish(job);
  w.finish(one_more[0], HopState::kServed);
  jobs = w.all();
  while (jobs.size() > 1) {
    w.finish(jobs.back());
    jobs.pop_back();
  }
  w.finish(jobs[0], HopState::kBusy);
  CHECK(w.scheduler.spared_until("a", w.now) > w.now);
}

TEST_CASE("scheduler: a hop that cannot be reached is spared, longer each time, then tried by one job") {
  World w;
  for (std::uint32_t i = 1; i <= 50; ++i) w.wait("a", i);
  auto jobs = w.all();
  REQUIRE(jobs.size() == 2);
  for (const auto& job : jobs) w.finish(job, HopState::kUnavailable);
  std::uint64_t minutes = 1;
  for (int failure = 1; failure <= 9; ++failure) {
    INFO(failure);
    std::uint64_t until = w.scheduler.spared_until("a", w.now);
    CHECK(until == w.now + minutes * kMinuteMs);  // two that found it so at the same time are one failure
    CHECK(w.scheduler.wake_ms() == until);
    CHECK_FALSE(w.next());
    w.now = until - 1;
    CHECK_FALSE(w.next());
    w.now = until;
    jobs = w.all();
    REQUIRE(jobs.size() == 1);
    w.finish(jobs[0], HopState::kUnavailable);
    minutes = std::min<std::uint64_t>(2 * minutes, 60);
  }
  // Works again: all is forgotten.
  w.now = w.scheduler.spared_until("a", w.now);
  jobs = w.all();
  REQUIRE(jobs.size() == 1);
  w.finish(jobs[0]);
  CHECK(w.all().size() == 4);
  CHECK(w.scheduler.spared_until("a", w.now) == 0);
}

TEST_CASE("scheduler: somebody wants a spared hop tried now") {
  World w;
  w.wait("a", 1);
  auto job = w.next();
  REQUIRE(job);
  w.finish(*job, HopState::kUnavailable);
  w.wait("a", 2);
  CHECK_FALSE(w.next());
  w.scheduler.start_hop("a", w.now);
  CHECK(w.scheduler.spared_until("a", w.now) == 0);
  job = w.next();
  REQUIRE(job);
  CHECK(number_of(job->id) == 2);
  w.finish(*job, HopState::kUnavailable);
  CHECK(w.scheduler.spared_until("a", w.now) == w.now + kMinuteMs);  // the first failure again
}

TEST_CASE("scheduler: hops take turns, however much waits for one of them") {
  World w({500, 100});
  w.prove("many");
  w.prove("few");
  for (std::uint32_t i = 0; i < 1000; ++i) w.wait("many", i);
  for (std::uint32_t i = 0; i < 4; ++i) w.wait("few", 2000 + i);
  std::vector<Scheduler::Start> first;
  for (int i = 0; i < 8; ++i) {
    auto job = w.next();
    REQUIRE(job);
    first.push_back(std::move(*job));
  }
  CHECK(count(first, "few") == 4);
  CHECK(count(first, "many") == 4);
}

TEST_CASE("scheduler: lanes of a hop take turns; who has just come need not wait for what was read ahead") {
  World w({500, 4});
  w.prove("a");
  for (std::uint32_t i = 0; i < 1000; ++i) w.wait("a", i, 1, 1);
  auto jobs = w.all();
  REQUIRE(jobs.size() == 4);
  // The hop takes no more now, so this cannot go ahead of the others.
  w.accept("a", 5000, 1, 2);
  CHECK_FALSE(w.next());
  w.finish(jobs[0]);
  w.finish(jobs[1]);
  auto then = w.all();
  REQUIRE(then.size() == 2);
  CHECK((number_of(then[0].id) == 5000 || number_of(then[1].id) == 5000));
}

TEST_CASE("scheduler: what has just come in goes ahead of what has waited") {
  World w({4, 4});
  w.prove("a");
  w.prove("b");
  for (std::uint32_t i = 0; i < 100; ++i) w.wait("a", i);
  auto jobs = w.all();
  REQUIRE(jobs.size() == 4);
  for (std::uint32_t i = 0; i < 40; ++i) w.accept("b", 1000 + i);
  std::size_t fresh = 0;
  for (int i = 0; i < 40; ++i) {
    w.finish(jobs.front());
    jobs.erase(jobs.begin());
    auto job = w.next();
    REQUIRE(job);
    fresh += job->hop == "b" ? 1 : 0;
    jobs.push_back(std::move(*job));
  }
  // Three of four turns, and its share of the others.
  CHECK(fresh >= 30);
  CHECK(fresh < 40);
}

TEST_CASE("scheduler: a recipient that came ahead is not taken a second time in its turn") {
  World w;
  w.accept("a", 1, 3);
  auto job = w.next();
  REQUIRE(job);
  CHECK(job->recipients.size() == 3);
  CHECK_FALSE(w.next());
  w.finish(*job);
  CHECK_FALSE(w.next());
  // Nor is one that somebody has claimed meanwhile.
  w.accept("a", 2, 2);
  CHECK(w.scheduler.claim({message(2), 0}));
  CHECK_FALSE(w.scheduler.claim({message(2), 0}));
  job = w.next();
  REQUIRE(job);
  CHECK(job->recipients == std::vector<std::uint32_t>{1});
  w.scheduler.let_go({message(2), 0});
  w.scheduler.note("a", w.now, w.now);
  job = w.next();
  REQUIRE(job);
  CHECK(job->recipients == std::vector<std::uint32_t>{0});
}

TEST_CASE("scheduler: limits over all hops, and a share for those that are known to work") {
  World w({8, 20});
  w.prove("good");
  for (std::uint32_t i = 0; i < 50; ++i) w.wait("bad" + std::to_string(i), i, 1);
  auto jobs = w.all();
  CHECK(jobs.size() == 4);  // half, of what has waited
  for (std::uint32_t i = 0; i < 50; ++i) w.accept("new" + std::to_string(i), 100 + i);
  for (auto& job : w.all()) jobs.push_back(std::move(job));
  CHECK(jobs.size() == 5);
  w.now += kCreditTime;
  for (auto& job : w.all()) jobs.push_back(std::move(job));
  CHECK(jobs.size() == 6);  // three quarters, in time, with what has just come
  w.now += kCreditTime;
  CHECK(w.all().empty());
  for (std::uint32_t i = 0; i < 50; ++i) w.wait("good", 200 + i);
  for (auto& job : w.all_in_time()) jobs.push_back(std::move(job));
  CHECK(jobs.size() == 8);
  CHECK(count(jobs, "good") == 2);
  CHECK(w.scheduler.jobs() == 8);
  // However small the limit, an untried hop is tried.
  World one({1, 20});
  one.wait("bad", 1);
  CHECK(one.all().size() == 1);
}

TEST_CASE("scheduler: 100,000 recipients of dead and slow hops delay nobody else") {
  World w;
  w.prove("alive");
  std::uint32_t id = 0;
  for (int i = 0; i < 500; ++i) w.accept("slow", ++id, 100);
  for (int hop = 0; hop < 500; ++hop) {
    w.accept("dead" + std::to_string(hop), ++id, 50);
    w.wait("dead" + std::to_string(hop), ++id, 50);
  }
  auto hanging = w.all_in_time();  // none of these ever ends
  CHECK(hanging.size() == 250);    // half: of what came last nothing is left by then
  SECTION("what has just come") {
    w.accept("alive", 1'000'000, 1);
    auto job = w.next();
    REQUIRE(job);
    CHECK(job->hop == "alive");
  }
  SECTION("what has waited") {
    w.wait("alive", 1'000'000, 1);
    auto job = w.next();
    REQUIRE(job);
    CHECK(job->hop == "alive");
  }
}

TEST_CASE("scheduler: among any number of silent hosts, a letter to a new one has its try soon") {
  World w;
  std::uint32_t id = 0;
  std::deque<std::pair<std::uint64_t, Scheduler::Start>> hanging;  // each ends after 30 s
  auto second = [&](std::size_t accepted) {
    for (std::size_t i = 0; i < accepted; ++i) {
      ++id;
      w.accept("silent" + std::to_string(id), id, 1, static_cast<std::uint8_t>(id % 2));
    }
    while (!hanging.empty() && hanging.front().first <= w.now) {
      w.finish(hanging.front().second, HopState::kUnavailable);
      hanging.pop_front();
    }
    for (auto& job : w.all()) hanging.emplace_back(w.now + 30 * kSecondMs, std::move(job));
    w.now += kSecondMs;
  };
  /// Milliseconds until a letter to a hop of its own begins.
  auto letter = [&](std::uint8_t lane) {
    std::string hop = "new" + std::to_string(++id);
    w.accept(hop, id, 1, lane);
    std::uint64_t began = w.now;
    while (w.now - began < 60 * kSecondMs) {
      for (auto& job : w.all()) {
        bool found = job.hop == hop;
        hanging.emplace_back(w.now + 30 * kSecondMs, std::move(job));
        if (!found) continue;
        w.finish(hanging.back().second);
        hanging.pop_back();
        return w.now - began;
      }
      std::uint64_t wake = std::min(w.scheduler.wake_ms(), hanging.front().first);
      w.now = std::max(w.now + 1, wake);
      while (!hanging.empty() && hanging.front().first <= w.now) {
        w.finish(hanging.front().second, HopState::kUnavailable);
        hanging.pop_front();
      }
    }
    return w.now - began;
  };
  for (int i = 0; i < 100; ++i) second(100);
  CHECK(hanging.size() <= 375);
  CHECK(letter(7) <= 2 * kSecondMs);  // of another sender
  CHECK(letter(0) <= 2 * kSecondMs);  // of the same
  for (int i = 0; i < 20; ++i) {
    second(0);
    CHECK(letter(static_cast<std::uint8_t>(i)) <= 2 * kSecondMs);
  }
}

TEST_CASE("scheduler: while all places are taken, no time of the past wakes it") {
  World w({8, 20});
  for (std::uint32_t i = 0; i < 20; ++i) w.accept("new" + std::to_string(i), i);
  auto jobs = w.all();
  REQUIRE(w.scheduler.wake_ms() != UINT64_MAX);
  w.now = w.scheduler.wake_ms() + 1;
  w.scheduler.set_limits({jobs.size(), 20});
  CHECK_FALSE(w.next());
  CHECK(w.scheduler.wake_ms() > w.now);
}

TEST_CASE("scheduler: hosts that answer at once are not held back by those that hang") {
  World w;
  for (std::uint32_t i = 0; i < 250; ++i) w.wait("silent" + std::to_string(i), i);
  auto hanging = w.all();
  REQUIRE(hanging.size() == 250);
  std::size_t served = 0;
  for (std::uint32_t i = 1000; i < 2000; ++i)
    w.accept("new" + std::to_string(i), i, 1, static_cast<std::uint8_t>(i));
  for (int round = 0; round < 100; ++round) {
    w.now += 10;
    auto jobs = w.all();
    for (auto& job : jobs) w.finish(job);
    served += jobs.size();
  }
  CHECK(served == 1000);  // within a second
}

TEST_CASE("scheduler: a hop that has died since it came into the line does not hold up who is behind it") {
  World w({8, 20});
  for (const char* hop : {"alive", "dying", "busy1", "busy2"}) w.prove(hop);
  w.accept("dying", 1);
  auto jobs = w.all();
  REQUIRE(jobs.size() == 1);
  for (std::uint32_t i = 10; i < 30; ++i) w.accept("trial" + std::to_string(i), i);
  for (auto& job : w.all_in_time()) jobs.push_back(std::move(job));
  for (std::uint32_t i = 40; i < 80; ++i) w.wait("busy" + std::to_string(1 + i % 2), i);
  for (auto& job : w.all()) jobs.push_back(std::move(job));
  REQUIRE(jobs.size() == 8);  // 6 of hops that nobody knows
  w.accept("dying", 90);
  w.accept("alive", 91);
  w.pass_turns(false);
  w.finish(jobs[0], HopState::kUnavailable);
  w.now = w.scheduler.spared_until("dying", w.now);
  auto job = w.next();
  REQUIRE(job);
  CHECK(job->hop == "alive");
}

TEST_CASE("scheduler: a hop that has proved itself leaves those that have not, though they are all hung up") {
  World w({8, 20});
  for (std::uint32_t i = 0; i < 6; ++i) w.accept("hang" + std::to_string(i), i);
  auto jobs = w.all_in_time();
  REQUIRE(jobs.size() == 6);
  for (std::uint32_t i = 10; i < 14; ++i) w.wait("works", i);
  w.accept("works", 14);
  w.finish(jobs[5]);
  auto job = w.next();
  REQUIRE((job && job->hop == "works"));
  w.finish(*job);
  // No place is free for what has waited for untried hops; all that are left are for this one.
  CHECK(w.all_in_time().size() == 3);
}

TEST_CASE("scheduler: a store that cannot be read is asked again a second later") {
  World w;
  w.wait("a", 1);
  w.wait("b", 2);
  w.fails = true;
  CHECK_FALSE(w.scheduler.next(w.now));
  CHECK_FALSE(w.scheduler.next(w.now));
  w.fails = false;
  CHECK_FALSE(w.next());
  CHECK(w.scheduler.wake_ms() == w.now + kSecondMs);
  w.now += kSecondMs;
  CHECK(w.all().size() == 2);
}

TEST_CASE("scheduler: who did the job died: nothing is known of the hop") {
  World w;
  w.prove("a");
  for (std::uint32_t i = 0; i < 10; ++i) w.wait("a", i);
  auto jobs = w.all();
  CHECK(jobs.size() == 4);
  for (const auto& job : jobs) {
    w.scheduler.dropped(job, w.now);
    for (std::uint32_t n : job.recipients) w.scheduler.let_go({job.id, n});
  }
  w.scheduler.note("a", w.now, w.now);
  CHECK(w.scheduler.jobs() == 0);
  CHECK(w.scheduler.spared_until("a", w.now) == 0);
  jobs = w.all();
  CHECK(jobs.size() == 4);
}

TEST_CASE("scheduler: what is due later is started then, and idle hops are forgotten") {
  World w;
  w.wait("a", 1);
  auto job = w.next();
  w.finish(*job, HopState::kBusy);  // due again in an hour, the hop spared for a minute
  CHECK(w.scheduler.wake_ms() == w.now + kMinuteMs);
  w.now += kMinuteMs;
  CHECK_FALSE(w.next());
  w.now += 59 * kMinuteMs - 1;
  CHECK_FALSE(w.next());
  w.now += 1;
  job = w.next();
  REQUIRE(job);
  w.finish(*job);
  CHECK_FALSE(w.next());
  CHECK(w.scheduler.hops() == 1);
  w.now += 10 * kMinuteMs;
  CHECK_FALSE(w.next());
  CHECK(w.scheduler.hops() == 0);
  CHECK(w.scheduler.wake_ms() == UINT64_MAX);
}

TEST_CASE("scheduler: a hop that a line still names is not forgotten, nor woken for ever") {
  World w({8, 20});
  for (std::uint32_t i = 0; i < 6; ++i) w.accept("hang" + std::to_string(i), i);
  auto hanging = w.all_in_time();
  REQUIRE(hanging.size() == 6);
  // Behind others in the line of what has just come, and first of those that wait for their turn.
  w.wait("named", 100);
  w.accept("named", 100);
  for (std::uint32_t i = 10; i < 20; ++i) w.accept("more" + std::to_string(i), i);
  w.pass_turns(true);
  for (std::size_t i = 0; i < 3; ++i) w.finish(hanging[i]);
  auto job = w.next();
  REQUIRE((job && job->hop == "named"));
  w.finish(*job);
  CHECK(w.all_in_time().size() == 3);  // the line has moved on, and stands again
  std::size_t hops = w.scheduler.hops();
  for (int i = 0; i < 3; ++i) {
    w.now += 11 * kMinuteMs;
    CHECK_FALSE(w.next());
    CHECK(w.scheduler.wake_ms() > w.now);
  }
  CHECK(w.scheduler.hops() <= hops);
  for (std::size_t i = 3; i < 6; ++i) w.finish(hanging[i]);
  while (!w.all().empty()) continue;
}
