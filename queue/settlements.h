// Writes what became of recipients into the store, and tells the log and the scheduler when it is there.
// Until then the recipients stay in flight: nobody tries them again before what is known of them is on disk.
// The window in which a crash delivers a message twice is the one between the server's reply and this commit.
// What cannot be written now (no space) is tried again until it can. Callers: Deliveries, Aging,
// DomainStarts.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "lib/loop.h"
#include "queue/notices.h"
#include "queue/outcomes.h"
#include "queue/scheduler.h"

namespace queue {

/// Recipients of one message, all in flight, and what is to become of them.
struct Settlement {
  store::Settle change;
  std::vector<OutcomeLine> lines;
  std::string hop, host, tls;            ///< for the log
  std::string action;                    ///< of the notices, for the log: "failed"
  std::vector<std::uint32_t> in_flight;  ///< to be let go of afterwards; they are due then
  std::uint64_t arrival_ms = 0;          ///< of the message
  std::string sender;
  // Set by Settlements.
  std::size_t octets = 0;  ///< that it counts as while it is open
  bool stuck = false;      ///< it could not be written when it was to be
};

class Settlements {
 public:
  /// `changed` is called after each commit: the scheduler may have something to start.
  Settlements(Office& office, Scheduler& scheduler, std::function<void()> changed)
      : office_(office), scheduler_(scheduler), changed_(std::move(changed)) {}

  void write(Settlement settlement);
  /// A message of queue's own that answers no Settle.
  void write_notice(store::Accept notice, const po::MessageId& about, std::string_view action);
  /// A notice is on disk: lines in the log, and the scheduler.
  void noticed(const store::Accept& notice, const po::MessageId& about, std::string_view action);
  /// What an Accept left waiting that is now committed: a line for each in the log, and the scheduler.
  void queued(const po::MessageId& id, std::string_view sender, const std::vector<store::Waiting>& waiting);
  [[nodiscard]] std::size_t open() const { return open_; }

 private:
  using Shared = std::shared_ptr<Settlement>;
  void add(const Shared& s);
  void finish(const Shared& s, const store::Result<std::uint64_t>& result);
  static void take_less(store::Settle& change);
  void try_again(const Shared& s);
  void log(const Settlement& s);
  void log_notice(const store::Accept& notice, const po::MessageId& about, std::string_view action);

  Office& office_;
  Scheduler& scheduler_;
  std::function<void()> changed_;
  std::deque<Shared> again_;
  po::Event again_soon_;
  std::size_t open_ = 0;
};

}  // namespace queue
