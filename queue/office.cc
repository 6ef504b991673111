#include "queue/office.h"

namespace queue {

// Reading stops above these; the peers then wait in their sockets.
static constexpr std::size_t kMaxOctetsInWork = 64U << 20;
static constexpr std::size_t kMaxChangesInWork = 8192;
static constexpr auto kAskSpaceEvery = std::chrono::seconds(1);
static constexpr unsigned kBodyThreads = 2;

std::uint64_t now_ms() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

Office::Office(Parts p)
    : parts(std::move(p)),
      completions(parts.loop),
      writer(parts.store, completions, parts.release_after),
      bodies(parts.store, completions, kBodyThreads),
      tickets(parts.ticket_key, po::ticket_now_ms()) {}

void Office::begin_change(std::size_t octets) {
  ++changes_in_work;
  octets_in_work += octets;
}

void Office::end_change(std::size_t octets) {
  --changes_in_work;
  octets_in_work -= octets;
}

bool Office::too_much_work() const {
  return octets_in_work > kMaxOctetsInWork || changes_in_work > kMaxChangesInWork;
}

bool Office::little_work() const {
  return octets_in_work < kMaxOctetsInWork / 2 && changes_in_work < kMaxChangesInWork / 2;
}

bool Office::has_space() {
  auto now = std::chrono::steady_clock::now();
  if (now - space_asked_ < kAskSpaceEvery) return has_space_;
  space_asked_ = now;
  auto free = parts.store.free_space();
  has_space_ = free && *free >= parts.min_free_disk();
  if (!has_space_) note_space(false, free ? "less than Minimum-Free-Disk-Space is free" : free.error().text);
  return has_space_;
}

void Office::note_space(bool there, std::string_view why) {
  if (there == space_noted_) return;
  space_noted_ = there;
  parts.log.event(there ? "space-back" : "no-space").kv("why", why);
}

bool Office::lost(const store::Failure& failure) {
  if (failure.status != store::Status::kUnknown) return false;
  parts.log.event("fatal").kv("what", "store").kv("error", failure.text);
  parts.lost();
  return true;
}

}  // namespace queue
