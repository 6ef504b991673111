// Checks, syncs and names the files of large bodies on threads of its own, so that thirty megabytes on their
// way to the disk do not hold up small messages. Results come back on the loop.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "lib/store/store.h"
#include "queue/completions.h"

namespace queue {

class BodyKeeper {
 public:
  using Done = std::function<void(const store::Result<void>&)>;
  BodyKeeper(store::Store& store, Completions& completions, unsigned threads);
  BodyKeeper(const BodyKeeper&) = delete;
  BodyKeeper& operator=(const BodyKeeper&) = delete;
  /// Finishes what it was given.
  ~BodyKeeper();

  void keep(const po::MessageId& id, std::uint64_t size, std::uint64_t checksum, Done done);
  /// Removes the file of a body that will not come, or was refused.
  void drop(const po::MessageId& id);

 private:
  void add(std::function<void()> work);
  void run();

  store::Store& store_;
  Completions& completions_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;  ///< under mutex_, as stopping_
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace queue
