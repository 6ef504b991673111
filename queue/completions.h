// Brings the results of the worker threads back to the event loop: any thread posts a function, the loop runs
// it. Posts that come while the loop is busy cost one write to an eventfd together.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "lib/fd.h"
#include "lib/loop.h"

namespace queue {

class Completions {
 public:
  explicit Completions(const po::Loop& loop);
  /// From any thread.
  void post(std::function<void()> run);
  /// Called on the loop after each lot of posts has run.
  void on_settled(std::function<void()> settled) { settled_ = std::move(settled); }

 private:
  void run_posts();
  po::Fd event_fd_;
  po::Event readable_;
  std::function<void()> settled_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posts_;  ///< under mutex_
};

}  // namespace queue
