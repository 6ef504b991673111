#include "queue/writer.h"

#include <algorithm>
#include <variant>

namespace queue {

using store::Change;
using store::Result;

// A commit takes no more than these, so that the first to wait is not kept waiting by the last.
static constexpr std::size_t kMaxChanges = 1024;
static constexpr std::size_t kMaxOctets = 16U << 20;
static constexpr auto kRetry = std::chrono::seconds(1);

Writer::Writer(store::Store& store, Completions& completions, std::chrono::milliseconds release_after)
    : store_(store),
      completions_(completions),
      release_from_(Clock::now() + release_after),
      thread_([this] { run(); }) {}

Writer::~Writer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Writer::add(Change change, Done done) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(change), std::move(done)});
    if (jobs_.size() > 1) return;  // awake, or about to be
  }
  wake_.notify_one();
}

Writer::Counts Writer::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

void Writer::run() {
  std::vector<Change> changes;
  std::vector<Done> done;
  while (take(changes, done)) {
    commit(changes, std::move(done));
    changes.clear();
    done.clear();
  }
}

static constexpr std::size_t kRowOctets = 512;  // a recipient that waits, with the words of its attempts

std::size_t octets_of(const store::Accept& change) {
  return change.body.size() + 256 * change.deliveries.size();
}

std::size_t octets_of(const store::Expunge& change) {
  return 256 * change.ids.size();
}

std::size_t octets_of(const store::Release&) {
  return 0;
}

static std::size_t bodies_of(const std::vector<store::Accept>& messages) {
  std::size_t octets = 0;
  for (const store::Accept& message : messages) octets += message.body.size();
  return octets;
}

std::size_t octets_of(const store::Settle& change) {
  std::size_t rows = 1 + change.gone.size() + change.later.size() + change.deliveries.size();
  return kRowOctets * rows + bodies_of(change.notices);
}

std::size_t octets_of(const store::Errand& change) {
  return kRowOctets * change.at_most + bodies_of(change.messages);
}

/// Waits for work; none in `changes`: it is time to work off. False: the end.
bool Writer::take(std::vector<Change>& changes, std::vector<Done>& done) {
  std::unique_lock lock(mutex_);
  auto has_work = [this] { return stopping_ || !jobs_.empty(); };
  if (pace_.left()) {
    wake_.wait_until(lock, release_from_, has_work);
  } else {
    wake_.wait(lock, has_work);
  }
  if (jobs_.empty()) return !stopping_;
  std::size_t octets = 0, n = 0;
  while (n < jobs_.size() && n < kMaxChanges && octets < kMaxOctets) {
    octets += std::visit([](const auto& change) { return octets_of(change); }, jobs_[n].change);
    changes.push_back(std::move(jobs_[n].change));
    done.push_back(std::move(jobs_[n].done));
    ++n;
  }
  jobs_.erase(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(n));
  ++counts_.commits;
  counts_.changes += n;
  return true;
}

void Writer::commit(std::vector<Change>& changes, std::vector<Done> done) {
  bool releases = pace_.left() && Clock::now() >= release_from_;
  if (releases) changes.emplace_back(store::Release{pace_.beside(changes)});
  if (changes.empty()) return;
  auto results = store_.apply(changes);
  after_commit(changes, results, releases);
  // Only now, after the sync, does anybody hear of it: a promise is given after the commit.
  results.resize(done.size(), std::uint64_t{0});
  if (done.empty()) return;
  completions_.post([done = std::move(done), results = std::move(results)] {
    for (std::size_t i = 0; i < done.size(); ++i) done[i](results[i]);
  });
}

void Writer::after_commit(const std::vector<Change>& changes,
                          const std::vector<Result<std::uint64_t>>& results, bool releases) {
  pace_.on_committed(changes, results);
  auto no_space = [](const Result<std::uint64_t>& r) { return !r && r.error().no_space; };
  if (releases && !results.back()) release_from_ = Clock::now() + kRetry;
  // Space is short: what was deleted before the start is wanted now, not in half a minute.
  bool short_of_space = std::ranges::any_of(results, no_space);
  if (short_of_space && !releases) release_from_ = std::min(release_from_, Clock::now());
}

}  // namespace queue
