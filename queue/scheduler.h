// Which message goes to which next hop next. What waits is in the store; here are only the hops, what is in
// flight, and a few rows that were read ahead for hops whose turn it is. Hops take turns, so one with a
// hundred thousand recipients delays nobody; those that are not known to work share a part of the
// connections, so dead ones cannot fill them; what was just accepted goes ahead of what has waited. The last
// connections of that part, and of all, are given out no faster than those that hang come to their end: so
// among any number of silent or slow hosts the newest letter of each sender soon has its try. Pure: the
// clock, chance and the store's answer are passed in. Caller: Deliveries, on the loop.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "lib/messages.h"
#include "lib/store/store.h"

namespace queue {

struct RecipientHash {
  std::size_t operator()(const store::RecipientKey& key) const {
    std::size_t h = std::hash<std::string_view>{}(key.id.bytes());
    return h ^ (key.n + 0x9e3779b97f4a7c15ULL + (h << 6) + (h >> 2));
  }
};

class Scheduler {
 public:
  using Taken = std::function<bool(const store::RecipientKey&)>;
  /// Store::due().
  using DueOf = std::function<store::Result<store::Due>(std::string_view hop, std::uint64_t now_ms,
                                                        std::size_t limit, const Taken& taken)>;
  struct Limits {
    std::size_t at_once = 500;  ///< jobs, all hops together
    std::size_t per_hop = 20;
  };
  /// A job that is to begin: some recipients of one message, which are in flight from now on.
  struct Start {
    std::string hop;
    po::MessageId id;
    std::vector<std::uint32_t> recipients;  ///< 1 to kMostRecipients, ascending
    bool trial = false;                     ///< of a hop that is not known to work
    bool paced = false;                     ///< which has taken credit
    std::uint64_t began_ms = 0;
  };
  static constexpr std::size_t kMostRecipients = 100;

  Scheduler(DueOf due, std::function<std::uint32_t()> chance)
      : due_(std::move(due)), chance_(std::move(chance)) {}

  void set_limits(const Limits& limits) { limits_ = limits; }

  /// Something of this hop is due at `due_ms`, or already was.
  void note(std::string_view hop, std::uint64_t due_ms, std::uint64_t now_ms);
  /// These recipients were just committed, due at once; they go ahead if the hop can take them. `lane` as in
  /// their rows.
  void accepted(std::string_view hop, std::uint8_t lane, const po::MessageId& id,
                std::vector<std::uint32_t> recipients, std::uint64_t now_ms);

  /// The next job, or nothing before wake_ms() or finished(). Fails if the store did; then the hop comes
  /// again a second later.
  [[nodiscard]] store::Result<std::optional<Start>> next(std::uint64_t now_ms);
  /// The job has its answer, or none: its connection is free, its recipients stay in flight until let_go().
  void finished(const Start& job, po::messages::HopState state, std::uint64_t now_ms);
  /// Nothing was seen of the hop: nobody was there to do the job, or who did it died.
  void dropped(const Start& job, std::uint64_t now_ms);

  /// Nobody can do the job now, nor any other of its hop before `until_ms`.
  void put_off(const Start& job, std::uint64_t until_ms, std::uint64_t now_ms);

  /// Keeps a recipient out of jobs. False: it is in flight.
  bool claim(const store::RecipientKey& key) { return taken_.insert(key).second; }
  /// Its row is as it shall be; note() says when it is due.
  void let_go(const store::RecipientKey& key) { taken_.erase(key); }
  [[nodiscard]] bool in_flight(const store::RecipientKey& key) const { return taken_.contains(key); }

  /// Somebody wants it tried now, whatever happened before.
  void start_hop(std::string_view hop, std::uint64_t now_ms);
  /// 0: it is not spared.
  [[nodiscard]] std::uint64_t spared_until(std::string_view hop, std::uint64_t now_ms) const;

  /// When next() may have more although nothing finished; UINT64_MAX: never.
  [[nodiscard]] std::uint64_t wake_ms() const {
    return wakes_.empty() ? paced_ms_ : std::min(paced_ms_, wakes_.begin()->first);
  }
  [[nodiscard]] std::size_t jobs() const { return jobs_; }
  [[nodiscard]] std::size_t hops() const { return hops_.size(); }

 private:
  /// Read ahead for a hop, in the order of starting.
  struct Ahead {
    std::deque<store::RecipientKey> rows;
    std::bitset<256> lanes;
  };
  struct Hop {
    const std::string* name = nullptr;
    std::uint64_t due_ms = UINT64_MAX;  ///< from then on the store may have something due
    std::uint64_t spared_ms = 0;        ///< nothing is tried before
    std::uint64_t used_ms = 0;
    std::uint64_t wake_ms = 0;  ///< where it stands in wakes_; 0: it does not
    std::unique_ptr<Ahead> ahead;
    std::uint32_t failures = 0;  ///< in succession, each once it was spared for the last
    std::uint32_t window = 1;    ///< jobs at once, as far as it is proven
    std::uint32_t jobs = 0;
    std::uint32_t express = 0;          ///< entries of the express lists
    std::uint32_t listed = 0;           ///< entries of the ready lists
    std::deque<Hop*>* ready = nullptr;  ///< the list whose entry counts
    bool proven = false;  ///< a host took a session since the start, and nothing spoke against it since
  };
  struct Express {
    Hop* hop;
    po::MessageId id;
    std::vector<std::uint32_t> recipients;
  };
  using ReadyList = std::deque<Hop*>;

  Hop& hop_of(std::string_view name, std::uint64_t now_ms);
  [[nodiscard]] std::size_t allowed(const Hop& hop) const;
  [[nodiscard]] bool may_start(const Hop& hop, std::uint64_t now_ms) const;
  void place(Hop& hop, std::uint64_t now_ms);
  void set_wake(Hop& hop, std::uint64_t at_ms);
  void wake(std::uint64_t now_ms);
  void forget_rows(Hop& hop, std::uint64_t now_ms);
  void spare(Hop& hop, std::uint64_t now_ms);
  void release(const Start& job, Hop& hop, std::uint64_t now_ms);

  [[nodiscard]] std::size_t reserve() const { return std::max<std::size_t>(1, limits_.at_once / 4); }
  void add_express(Express entry, std::uint8_t lane);
  [[nodiscard]] bool in_reserve(bool proven) const;
  bool has_room(bool proven, bool express, std::uint64_t now_ms);
  void refill(std::uint64_t now_ms);
  std::optional<Start> take_proven(std::uint64_t now_ms);
  std::optional<Start> take_newest(std::uint64_t now_ms);
  std::optional<Start> start_express(Express entry, std::uint64_t now_ms);
  store::Result<std::optional<Start>> take_waiting(std::uint64_t now_ms);
  Hop* pop_ready(std::uint64_t now_ms);
  store::Result<void> read_ahead(Hop& hop, std::uint64_t now_ms);
  std::optional<Start> take_rows(Hop& hop);
  void begin(Start& job, Hop& hop, std::uint64_t now_ms);

  DueOf due_;
  std::function<std::uint32_t()> chance_;
  Limits limits_;
  std::unordered_map<std::string, Hop> hops_;
  std::set<std::pair<std::uint64_t, Hop*>> wakes_;
  ReadyList ready_proven_, ready_trial_;
  std::deque<Express> express_proven_;
  std::map<std::uint8_t, std::deque<Express>> express_trial_;  ///< by lane; none is empty
  std::uint8_t lane_ = 0;                                      ///< had its turn last
  // For the last jobs that there is room for: one costs kHangMs, each millisecond brings reserve().
  std::uint64_t credit_ = 0, credit_at_ms_ = 0;
  std::uint64_t paced_ms_ = UINT64_MAX;  ///< when there is enough for the next
  std::unordered_set<store::RecipientKey, RecipientHash> taken_;
  std::size_t jobs_ = 0, trials_ = 0, paced_ = 0, paced_trials_ = 0;
  std::uint32_t turn_ = 0;
};

}  // namespace queue
