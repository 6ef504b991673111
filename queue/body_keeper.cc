#include "queue/body_keeper.h"

namespace queue {

BodyKeeper::BodyKeeper(store::Store& store, Completions& completions, unsigned threads)
    : store_(store), completions_(completions) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

BodyKeeper::~BodyKeeper() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void BodyKeeper::keep(const po::MessageId& id, std::uint64_t size, std::uint64_t checksum, Done done) {
  add([this, id, size, checksum, done = std::move(done)] {
    auto result = store_.keep_body(id, size, checksum);
    completions_.post([done, result = std::move(result)] { done(result); });
  });
}

void BodyKeeper::drop(const po::MessageId& id) {
  add([this, id] { store_.drop_body(id); });
}

void BodyKeeper::add(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void BodyKeeper::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !work_.empty(); });
    if (work_.empty()) return;
    auto work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

}  // namespace queue
