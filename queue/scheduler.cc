#include "queue/scheduler.h"

#include <algorithm>

#include "queue/schedule.h"

namespace queue {

using po::messages::HopState;
using store::RecipientKey;

static constexpr std::size_t kAhead = 128;  // rows that are read at once
// Beyond these, what is accepted waits for its hop's turn: of hops that are known to work the newest, of
// others the oldest of its lane.
static constexpr std::size_t kMostExpress = 8192, kMostOfLane = 128;
static constexpr std::uint64_t kHangMs = 40 * kSecondMs;  // a connection to a silent host takes 30 s
static constexpr std::uint64_t kQuickMs = 2 * kSecondMs;
static constexpr std::uint32_t kFirstWindow = 4, kTrialWindow = 2;
static constexpr std::uint64_t kForgetAfter = 10 * kMinuteMs;
static constexpr std::uint64_t kNever = UINT64_MAX;

// ---- hops

Scheduler::Hop& Scheduler::hop_of(std::string_view name, std::uint64_t now_ms) {
  auto [at, is_new] = hops_.try_emplace(std::string(name));
  if (is_new) at->second.name = &at->first;
  at->second.used_ms = now_ms;
  return at->second;
}

std::size_t Scheduler::allowed(const Hop& hop) const {
  std::size_t wanted = hop.proven ? hop.window : hop.failures > 0 ? 1 : kTrialWindow;
  return std::max<std::size_t>(1, std::min(wanted, limits_.per_hop));
}

bool Scheduler::may_start(const Hop& hop, std::uint64_t now_ms) const {
  return hop.spared_ms <= now_ms && hop.jobs < allowed(hop);
}

void Scheduler::set_wake(Hop& hop, std::uint64_t at_ms) {
  if (hop.wake_ms == at_ms) return;
  if (hop.wake_ms != 0) wakes_.erase({hop.wake_ms, &hop});
  hop.wake_ms = at_ms;
  if (at_ms != 0) wakes_.emplace(at_ms, &hop);
}

/// Puts it where it belongs after anything about it has changed.
void Scheduler::place(Hop& hop, std::uint64_t now_ms) {
  bool has_rows = hop.ahead || hop.due_ms <= now_ms;
  if (hop.spared_ms > now_ms) return set_wake(hop, hop.spared_ms);
  if (has_rows) {
    set_wake(hop, 0);
    ReadyList& list = hop.proven ? ready_proven_ : ready_trial_;
    if (hop.ready == &list || !may_start(hop, now_ms)) return;  // finished() brings it here again
    hop.ready = &list;  // where else it is listed does not count any more
    ++hop.listed;
    list.push_back(&hop);
    return;
  }
  if (hop.due_ms != kNever) return set_wake(hop, hop.due_ms);
  set_wake(hop, hop.jobs == 0 ? hop.used_ms + kForgetAfter : 0);
}

void Scheduler::wake(std::uint64_t now_ms) {
  while (!wakes_.empty() && wakes_.begin()->first <= now_ms) {
    Hop& hop = *wakes_.begin()->second;
    set_wake(hop, 0);
    bool idle = !hop.ahead && hop.due_ms == kNever && hop.jobs == 0 && hop.spared_ms <= now_ms;
    if (idle && (hop.express > 0 || hop.listed > 0)) hop.used_ms = now_ms;
    if (idle && hop.used_ms + kForgetAfter <= now_ms) {
      hops_.erase(hops_.find(*hop.name));
    } else {
      place(hop, now_ms);
    }
  }
}

void Scheduler::forget_rows(Hop& hop, std::uint64_t now_ms) {
  if (!hop.ahead) return;
  hop.ahead.reset();
  hop.due_ms = std::min(hop.due_ms, now_ms);
}

// ---- what is known from outside

void Scheduler::note(std::string_view name, std::uint64_t due_ms, std::uint64_t now_ms) {
  Hop& hop = hop_of(name, now_ms);
  if (due_ms >= hop.due_ms) return;
  hop.due_ms = due_ms;
  place(hop, now_ms);
}

void Scheduler::accepted(std::string_view name, std::uint8_t lane, const po::MessageId& id,
                         std::vector<std::uint32_t> recipients, std::uint64_t now_ms) {
  Hop& hop = hop_of(name, now_ms);
  // Who sends for the first time in a while is not to wait until the others' rows are through.
  if (hop.ahead && !hop.ahead->lanes[lane]) forget_rows(hop, now_ms);
  hop.due_ms = std::min(hop.due_ms, now_ms);
  if (hop.spared_ms <= now_ms && !recipients.empty()) {
    if (recipients.size() > kMostRecipients) recipients.resize(kMostRecipients);
    add_express({&hop, id, std::move(recipients)}, lane);
  }
  place(hop, now_ms);
}

/// Of a hop that is known to work, the first stands before the others' further ones.
void Scheduler::add_express(Express entry, std::uint8_t lane) {
  bool first = entry.hop->express == 0;
  ++entry.hop->express;
  auto& list = entry.hop->proven ? express_proven_ : express_trial_[lane];
  bool proven = &list == &express_proven_;
  if (proven && first) {
    list.push_front(std::move(entry));
  } else {
    list.push_back(std::move(entry));
  }
  if (list.size() <= (proven ? kMostExpress : kMostOfLane)) return;
  --(proven ? list.back() : list.front()).hop->express;
  proven ? list.pop_back() : list.pop_front();
}

void Scheduler::start_hop(std::string_view name, std::uint64_t now_ms) {
  Hop& hop = hop_of(name, now_ms);
  hop.spared_ms = 0;
  hop.failures = 0;
  forget_rows(hop, now_ms);
  hop.due_ms = std::min(hop.due_ms, now_ms);
  place(hop, now_ms);
}

std::uint64_t Scheduler::spared_until(std::string_view name, std::uint64_t now_ms) const {
  auto at = hops_.find(std::string(name));
  return at == hops_.end() || at->second.spared_ms <= now_ms ? 0 : at->second.spared_ms;
}

// ---- what jobs show

void Scheduler::release(const Start& job, Hop& hop, std::uint64_t now_ms) {
  --jobs_;
  --hop.jobs;
  if (job.trial) --trials_;
  if (!job.paced) return;
  --paced_;
  if (job.trial) --paced_trials_;
  if (now_ms > job.began_ms + kQuickMs) return;
  credit_ += kHangMs;
  refill(now_ms);
}

void Scheduler::spare(Hop& hop, std::uint64_t now_ms) {
  ++hop.failures;
  hop.proven = false;
  hop.spared_ms = now_ms + spare_for_ms(hop.failures, chance_());
  forget_rows(hop, now_ms);
}

void Scheduler::finished(const Start& job, HopState state, std::uint64_t now_ms) {
  Hop& hop = hop_of(job.hop, now_ms);
  release(job, hop, now_ms);
  if (state == HopState::kServed) {
    hop.window = hop.proven ? std::min<std::uint32_t>(hop.window + 1, 1U << 16) : kFirstWindow;
    hop.window = std::min<std::uint32_t>(hop.window, static_cast<std::uint32_t>(limits_.per_hop));
    hop.proven = true;
    hop.failures = 0;
    hop.spared_ms = 0;
  } else if (state == HopState::kBusy && hop.jobs > 0) {
    hop.window = std::max(1U, std::min(hop.window, hop.jobs + 1) / 2);
  } else if (hop.spared_ms <= now_ms) {
    // Of several jobs that found it so at the same time the first one counts.
    spare(hop, now_ms);
  }
  place(hop, now_ms);
}

void Scheduler::dropped(const Start& job, std::uint64_t now_ms) {
  Hop& hop = hop_of(job.hop, now_ms);
  release(job, hop, now_ms);
  place(hop, now_ms);
}

void Scheduler::put_off(const Start& job, std::uint64_t until_ms, std::uint64_t now_ms) {
  Hop& hop = hop_of(job.hop, now_ms);
  release(job, hop, now_ms);
  hop.spared_ms = std::max(hop.spared_ms, until_ms);
  hop.due_ms = std::min(hop.due_ms, now_ms);
  forget_rows(hop, now_ms);
  place(hop, now_ms);
}

// ---- the next job

store::Result<std::optional<Scheduler::Start>> Scheduler::next(std::uint64_t now_ms) {
  wake(now_ms);
  paced_ms_ = kNever;
  if (jobs_ >= limits_.at_once) return std::nullopt;
  // Three of four turns are for what has just come in, while there is any; of the connections, what is not
  // known to work gets three quarters then, and half for what has waited.
  bool express_first = ++turn_ % 4 != 0;
  for (int i = 0; i < 2; ++i, express_first = !express_first) {
    if (!express_first) {
      auto job = take_waiting(now_ms);
      if (!job || *job) return job;
      continue;
    }
    if (auto job = take_newest(now_ms)) return job;
    if (auto job = take_proven(now_ms)) return job;
  }
  return std::nullopt;
}

void Scheduler::refill(std::uint64_t now_ms) {
  std::uint64_t passed = now_ms > credit_at_ms_ ? std::min(now_ms - credit_at_ms_, kHangMs) : 0;
  std::uint64_t most = kHangMs * std::max<std::size_t>(1, reserve() / 4);
  credit_ = std::min(credit_ + passed * reserve(), most);
  credit_at_ms_ = now_ms;
}

/// Whether a job more takes credit, because it is one of the last that there is room for.
bool Scheduler::in_reserve(bool proven) const {
  std::size_t tries = trials_ - paced_trials_, all = jobs_ - paced_;
  bool of_tries = !proven && tries > 0 && tries >= limits_.at_once / 2;
  return of_tries || (all > 0 && all + limits_.at_once / 4 >= limits_.at_once);
}

/// Whether a job more may begin, for a hop that is proven or not, with what has just come or has waited.
bool Scheduler::has_room(bool proven, bool express, std::uint64_t now_ms) {
  std::size_t most_tries = express ? limits_.at_once * 3 / 4 : limits_.at_once / 2;
  if (jobs_ >= limits_.at_once || (!proven && trials_ > 0 && trials_ >= most_tries)) return false;
  if (!in_reserve(proven)) return true;
  refill(now_ms);
  if (credit_ >= kHangMs) return true;
  paced_ms_ = now_ms + (kHangMs - credit_) / reserve() + 1;
  return false;
}

/// What cannot start now is left to its hop's turn.
std::optional<Scheduler::Start> Scheduler::take_proven(std::uint64_t now_ms) {
  while (!express_proven_.empty() && has_room(true, true, now_ms)) {
    Express entry = std::move(express_proven_.front());
    express_proven_.pop_front();
    if (auto job = start_express(std::move(entry), now_ms)) return job;
  }
  return std::nullopt;
}

/// The newest of each lane in turn: of many that hang, those behind would come when nobody waits for them.
std::optional<Scheduler::Start> Scheduler::take_newest(std::uint64_t now_ms) {
  while (!express_trial_.empty() && has_room(false, true, now_ms)) {
    auto lane = express_trial_.upper_bound(lane_);
    if (lane == express_trial_.end()) lane = express_trial_.begin();
    lane_ = lane->first;
    Express entry = std::move(lane->second.back());
    lane->second.pop_back();
    if (lane->second.empty()) express_trial_.erase(lane);
    if (auto job = start_express(std::move(entry), now_ms)) return job;
  }
  return std::nullopt;
}

std::optional<Scheduler::Start> Scheduler::start_express(Express entry, std::uint64_t now_ms) {
  Hop& hop = *entry.hop;
  --hop.express;
  Start job;
  job.id = entry.id;
  job.recipients = std::move(entry.recipients);
  std::erase_if(job.recipients, [&](std::uint32_t n) { return taken_.contains({job.id, n}); });
  if (job.recipients.empty() || !may_start(hop, now_ms) || !has_room(hop.proven, true, now_ms)) {
    place(hop, now_ms);
    return std::nullopt;
  }
  begin(job, hop, now_ms);
  return job;
}

/// The hop whose turn it is; null: none can start.
Scheduler::Hop* Scheduler::pop_ready(std::uint64_t now_ms) {
  for (int i = 0; i < 2; ++i) {
    bool trial = (turn_ / 4 + static_cast<std::uint32_t>(i)) % 2 != 0;
    ReadyList& list = trial ? ready_trial_ : ready_proven_;
    while (!list.empty() && has_room(!trial, false, now_ms)) {
      Hop* hop = list.front();
      list.pop_front();
      --hop->listed;
      if (hop->ready != &list) continue;
      hop->ready = nullptr;
      if (!may_start(*hop, now_ms)) {
        place(*hop, now_ms);
        continue;
      }
      return hop;
    }
  }
  return nullptr;
}

store::Result<std::optional<Scheduler::Start>> Scheduler::take_waiting(std::uint64_t now_ms) {
  while (Hop* hop = pop_ready(now_ms)) {
    if (!hop->ahead) {
      auto read = read_ahead(*hop, now_ms);
      if (!read) return tl::unexpected(read.error());
    }
    auto job = take_rows(*hop);
    if (job) begin(*job, *hop, now_ms);
    place(*hop, now_ms);
    if (job) return job;
  }
  return std::nullopt;
}

store::Result<void> Scheduler::read_ahead(Hop& hop, std::uint64_t now_ms) {
  auto due = due_(*hop.name, now_ms, kAhead, [this](const RecipientKey& key) { return in_flight(key); });
  if (!due) {
    hop.due_ms = now_ms + kSecondMs;
    place(hop, now_ms);
    return tl::unexpected(due.error());
  }
  hop.due_ms = due->more ? now_ms : due->next_ms != 0 ? due->next_ms : kNever;
  if (due->rows.empty()) return {};
  hop.ahead = std::make_unique<Ahead>();
  for (const store::DueRow& row : due->rows) {
    hop.ahead->rows.push_back(row.key);
    hop.ahead->lanes.set(row.lane);
  }
  return {};
}

/// The first row's message with all of its recipients that were read.
std::optional<Scheduler::Start> Scheduler::take_rows(Hop& hop) {
  if (!hop.ahead) return std::nullopt;
  auto& rows = hop.ahead->rows;
  std::optional<Start> job;
  while (!rows.empty() && in_flight(rows.front())) rows.pop_front();
  if (!rows.empty()) {
    job.emplace();
    job->id = rows.front().id;
    std::erase_if(rows, [&](const RecipientKey& key) {
      if (key.id != job->id || job->recipients.size() >= kMostRecipients) return false;
      if (!in_flight(key)) job->recipients.push_back(key.n);
      return true;
    });
    std::ranges::sort(job->recipients);
  }
  if (rows.empty()) hop.ahead.reset();
  return job;
}

void Scheduler::begin(Start& job, Hop& hop, std::uint64_t now_ms) {
  job.hop = *hop.name;
  job.trial = !hop.proven;
  job.began_ms = now_ms;
  job.paced = in_reserve(hop.proven);
  if (job.paced) {
    credit_ -= std::min(credit_, kHangMs);
    ++paced_;
    if (job.trial) ++paced_trials_;
  }
  for (std::uint32_t n : job.recipients) taken_.insert({job.id, n});
  ++jobs_;
  ++hop.jobs;
  if (job.trial) ++trials_;
  hop.used_ms = now_ms;
}

}  // namespace queue
