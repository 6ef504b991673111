#include "queue/completions.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/error.h"

namespace queue {

Completions::Completions(const po::Loop& loop) : event_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_fd_) po::panic("eventfd failed");
  readable_.on_readable(loop, event_fd_.get(), [this] { run_posts(); });
}

void Completions::post(std::function<void()> run) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = posts_.empty();
    posts_.push_back(std::move(run));
  }
  std::uint64_t one = 1;
  if (first) (void)!::write(event_fd_.get(), &one, sizeof one);
}

// The counter is read before the posts are taken: a post that comes between the two finds the list empty or
// not yet taken, and in either case is run.
void Completions::run_posts() {
  std::uint64_t count = 0;
  (void)!::read(event_fd_.get(), &count, sizeof count);
  std::vector<std::function<void()>> posts;
  {
    std::lock_guard lock(mutex_);
    posts.swap(posts_);
  }
  for (const auto& run : posts) run();
  if (settled_) settled_();
}

}  // namespace queue
