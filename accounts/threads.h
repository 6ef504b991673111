// A few threads for work that would hold up the event loop: scrypt, and changes of the databases (one thread,
// so in order). Work runs in a thread and must not touch the loop; `done` runs in the loop, in order of
// finishing. The owner bounds what is waiting.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "lib/fd.h"
#include "lib/loop.h"

namespace accounts {

class Threads {
 public:
  using Work = std::function<void()>;
  /// Threads are made when there is work for them, up to `most`. Make it after confinement.
  Threads(const po::Loop& loop, std::size_t most);
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  /// Waits for what runs; what has not begun is dropped.
  ~Threads();

  void run(Work work, Work done);
  /// Jobs whose `done` has not run yet.
  [[nodiscard]] std::size_t busy() const { return busy_; }

 private:
  struct Job {
    Work work, done;
  };
  void serve() noexcept;
  void finish();

  const std::size_t most_;
  po::Fd wake_;
  po::Event woken_;
  std::size_t busy_ = 0;  ///< loop only
  std::mutex mutex_;
  std::condition_variable change_;
  std::deque<Job> waiting_;     ///< under mutex_
  std::vector<Work> finished_;  ///< under mutex_
  std::size_t idle_ = 0;        ///< under mutex_
  bool stop_ = false;           ///< under mutex_
  std::vector<std::thread> threads_;
};

}  // namespace accounts
