#include "accounts/threads.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "lib/error.h"

namespace accounts {

Threads::Threads(const po::Loop& loop, std::size_t most)
    : most_(most), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) po::panic("eventfd failed");
  woken_.on_readable(loop, wake_.get(), [this] { finish(); });
}

Threads::~Threads() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    waiting_.clear();
  }
  change_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void Threads::run(Work work, Work done) {
  ++busy_;
  bool more = false;
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(work), std::move(done)});
    more = idle_ < waiting_.size();
  }
  if (more && threads_.size() < most_) threads_.emplace_back([this] { serve(); });
  change_.notify_one();
}

void Threads::serve() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    change_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    --idle_;
    if (stop_) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job.work();
    job.work = nullptr;  // what it held is freed here, not in the loop
    lock.lock();
    finished_.push_back(std::move(job.done));
    std::uint64_t one = 1;
    // Fails only when the counter is full, and then the loop is awake already.
    [[maybe_unused]] ssize_t n = ::write(wake_.get(), &one, sizeof one);
  }
}

void Threads::finish() {
  std::uint64_t count = 0;
  [[maybe_unused]] ssize_t n = ::read(wake_.get(), &count, sizeof count);
  std::vector<Work> done;
  {
    std::lock_guard lock(mutex_);
    done.swap(finished_);
  }
  for (Work& d : done) {
    --busy_;
    if (d) d();
  }
}

}  // namespace accounts
