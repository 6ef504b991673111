// Group commit: one thread, the only one that changes the store. It takes all changes that came in while the
// last commit was on its way, puts them into one transaction, and gives all their results back to the loop
// after it. In between it works off what was deleted, a bounded number of messages a commit.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "lib/store/store.h"
#include "queue/completions.h"
#include "queue/release_pace.h"

namespace queue {

/// About as many octets as the change holds, rows included: what bounds a commit, and memory. One for each
/// kind: to ask for a Change would copy it into one.
[[nodiscard]] std::size_t octets_of(const store::Accept& change);
[[nodiscard]] std::size_t octets_of(const store::Expunge& change);
[[nodiscard]] std::size_t octets_of(const store::Release& change);
[[nodiscard]] std::size_t octets_of(const store::Settle& change);
[[nodiscard]] std::size_t octets_of(const store::Errand& change);

class Writer {
 public:
  using Clock = std::chrono::steady_clock;
  /// Runs on the loop, after the commit (or the failure).
  using Done = std::function<void(const store::Result<std::uint64_t>&)>;
  struct Counts {
    std::uint64_t commits = 0;  ///< with at least one change of a caller
    std::uint64_t changes = 0;
  };

  /// `release_after`: how long nothing is worked off after the start (man/store.5).
  Writer(store::Store& store, Completions& completions, std::chrono::milliseconds release_after);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  /// Commits what was given; the results are not delivered any more if the loop does not run.
  ~Writer();

  void add(store::Change change, Done done);
  [[nodiscard]] Counts counts() const;

 private:
  struct Job {
    store::Change change;
    Done done;
  };
  void run();
  bool take(std::vector<store::Change>& changes, std::vector<Done>& done);
  void commit(std::vector<store::Change>& changes, std::vector<Done> done);
  void after_commit(const std::vector<store::Change>& changes,
                    const std::vector<store::Result<std::uint64_t>>& results, bool releases);

  store::Store& store_;
  Completions& completions_;
  // Of the writer thread.
  ReleasePace pace_;
  Clock::time_point release_from_;
  // Under mutex_.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> jobs_;
  Counts counts_;
  bool stopping_ = false;

  std::thread thread_;  ///< last: it starts when all else is there
};

}  // namespace queue
