#include "queue/queue_change.h"

#include <fmt/format.h>

namespace queue {

using po::MessageId;
using po::messages::CommandOutput;
using store::RecipientKey;
using store::Settle;
using store::Waiting;
using Verb = QueueChange::Verb;
using Step = po::CommandTask::Step;

/// A change of one message, for when it is on disk.
struct QueueChange::Written {
  std::vector<FoundRow> rows;
  std::vector<store::Accept> notices;  ///< without their bodies
};

/// What is on its way to the store. It outlives its command, whose terminal may go at any time: the claims
/// must be given back, and the scheduler told, in any case.
struct QueueChange::Batch {
  Office& office;
  DeliveryControl& control;
  Verb verb;
  std::vector<RecipientKey> claimed;
  std::set<std::string> hops;  ///< that have something to do afterwards
  std::size_t open = 0;        ///< changes that are not written yet
  std::uint64_t recipients = 0;
  std::string failure;
  std::function<void()> done;

  void on_written(const store::Result<std::uint64_t>& result, const Written& written);
  void log_changes(const std::vector<FoundRow>& rows) const;
  void failed(const std::vector<FoundRow>& rows, std::string why);
  void give_back();
};

QueueChange::QueueChange(Office& office, DeliveryControl& control, std::unique_ptr<QueueScan> scan,
                         Options options)
    : office_(office),
      control_(control),
      scan_(std::move(scan)),
      options_(std::move(options)),
      now_ms_(now_ms()) {}

// ---- what a verb does to a recipient

static bool wakes(Verb verb) {
  return verb == Verb::kRetry || verb == Verb::kRelease || verb == Verb::kReroute;
}

bool QueueChange::concerns(const FoundRow& row) const {
  bool held = row.waiting.row.held;
  if (options_.verb == Verb::kRetry) return !held;
  if (options_.verb == Verb::kHold) return !held;
  return options_.verb != Verb::kRelease || held;
}

po::Result<std::string> QueueChange::new_hop(const FoundRow& row) const {
  const std::string& address = row.waiting.row.address;
  if (!options_.to.empty()) return control_.hop_by(options_.to, address);
  return control_.next_hop(address, row.head->envelope.sender).name;
}

po::Result<Waiting> QueueChange::changed(const FoundRow& row) const {
  Waiting now = row.waiting.row;
  if (options_.verb == Verb::kHold) {
    now.held = true;
    return now;
  }
  if (options_.verb == Verb::kRelease) now.held = false;
  if (options_.verb == Verb::kReroute) {
    auto hop = new_hop(row);
    if (!hop) return tl::unexpected(hop.error());
    now.hop = std::move(*hop);
    now.by_hand = !options_.to.empty();
  }
  now.next_ms = now_ms_;
  return now;
}

static std::string_view event_of(Verb verb) {
  static constexpr std::string_view kNames[] = {"retried", "held",     "released", "rerouted",
                                                "expired", "returned", "discarded"};
  return kNames[static_cast<std::size_t>(verb)];
}

void QueueChange::Batch::log_changes(const std::vector<FoundRow>& rows) const {
  for (const FoundRow& row : rows) {
    office.parts.log.event(event_of(verb))
        .kv("id", row.waiting.key.id.text())
        .kv("to", row.waiting.row.address)
        .kv("why", "an administrator's command");
  }
}

void QueueChange::Batch::on_written(const store::Result<std::uint64_t>& result, const Written& written) {
  office.end_change();
  --open;
  if (result) {
    recipients += *result;
    log_changes(written.rows);
    for (const store::Accept& notice : written.notices)
      control.noticed(notice, written.rows[0].waiting.key.id);
  } else if (!office.lost(result.error())) {
    failed(written.rows, result.error().text);
  }
  if (open > 0) return;
  give_back();
  if (done) done();
}

/// They are as they were, and the scheduler may have passed them over meanwhile.
void QueueChange::Batch::failed(const std::vector<FoundRow>& rows, std::string why) {
  for (const FoundRow& row : rows) hops.insert(row.waiting.row.hop);
  failure = std::move(why);
}

void QueueChange::Batch::give_back() {
  for (const RecipientKey& key : claimed) control.let_go(key);
  for (const std::string& hop : hops) control.start_hop(hop);
}

po::Result<Settle> QueueChange::settle_of(const MessageId& id, const std::vector<FoundRow>& rows) {
  Settle settle;
  settle.id = id;
  if (options_.verb == Verb::kExpire || options_.verb == Verb::kBounce) {
    std::vector<store::WaitingRow> waiting;
    waiting.reserve(rows.size());
    for (const FoundRow& row : rows) waiting.push_back(row.waiting);
    bool expire = options_.verb == Verb::kExpire;
    return control_.fail(id, waiting, expire ? "4.4.7" : "5.7.1",
                         expire ? "the Postmaster has ended the attempts to deliver it"
                                : "the Postmaster has decided not to deliver it");
  }
  for (const FoundRow& row : rows) {
    if (options_.verb == Verb::kDiscard) {
      settle.gone.push_back(row.waiting.key.n);
      continue;
    }
    auto now = changed(row);
    if (!now) return tl::unexpected(now.error());
    settle.later.push_back({row.waiting.key.n, std::move(*now)});
  }
  return settle;
}

// ---- a batch

static std::vector<store::Accept> without_bodies(const std::vector<store::Accept>& notices) {
  std::vector<store::Accept> out;
  for (const store::Accept& notice : notices) {
    store::Accept& light = out.emplace_back();
    light.id = notice.id;
    light.deliveries = notice.deliveries;
    light.waiting = notice.waiting;
  }
  return out;
}

QueueChange::ByMessage QueueChange::claim(std::vector<FoundRow> found) {
  ByMessage messages;
  for (FoundRow& row : found) {
    if (!concerns(row)) {
      ++unchanged_;
    } else if (!control_.claim(row.waiting.key)) {
      ++busy_;
    } else {
      batch_->claimed.push_back(row.waiting.key);
      messages[row.waiting.key.id].push_back(std::move(row));
    }
  }
  return messages;
}

void QueueChange::begin_batch(ByMessage&& messages) {
  for (auto& [id, rows] : messages) {
    auto settle = settle_of(id, rows);
    if (!settle) {
      batch_->failed(rows, settle.error().text);
      continue;
    }
    if (id != last_) ++messages_;
    last_ = id;
    if (wakes(options_.verb)) {
      for (const auto& later : settle->later) batch_->hops.insert(later.now.hop);
    }
    ++batch_->open;
    office_.begin_change();
    auto shared = std::make_shared<Written>(Written{std::move(rows), without_bodies(settle->notices)});
    office_.writer.add(std::move(*settle),
                       [batch = batch_, shared](const store::Result<std::uint64_t>& result) {
                         batch->on_written(result, *shared);
                       });
  }
}

Step QueueChange::finish_batch(CommandOutput& out) {
  recipients_ += batch_->recipients;
  std::string failure = batch_->failure;
  batch_.reset();
  if (!failure.empty()) {
    (void)report(out);
    return fail(out, po::kExitTemporary, failure);
  }
  return scan_->done() ? report(out) : Step::kMore;
}

Step QueueChange::step(CommandOutput& out) {
  if (batch_) return batch_->open > 0 ? Step::kWait : finish_batch(out);
  auto found = scan_->next();
  if (!found) return fail(out, po::kExitTemporary, found.error().text);
  batch_ = std::make_shared<Batch>(Batch{office_, control_, options_.verb, {}, {}, 0, 0, {}, {}});
  begin_batch(claim(std::move(*found)));
  if (batch_->open == 0) {
    batch_->give_back();
    return finish_batch(out);
  }
  batch_->done = [this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) wake();
  };
  return Step::kWait;
}

// ---- report

static std::string_view done_word(Verb verb) {
  static constexpr std::string_view kWords[] = {"will be tried now", "held",     "released", "rerouted",
                                                "returned",          "returned", "discarded"};
  return kWords[static_cast<std::size_t>(verb)];
}

static std::string recipients_text(std::uint64_t n) {
  return fmt::format("{} recipient{}", n, n == 1 ? "" : "s");
}

Step QueueChange::report(CommandOutput& out) const {
  if (options_.json) {
    out.out += fmt::format("{{\"recipients\":{},\"messages\":{},\"busy\":{},\"unchanged\":{}}}\n",
                           recipients_, messages_, busy_, unchanged_);
  } else {
    if (recipients_ > 0) {
      out.out += fmt::format("{} of {} message{}: {}\n", recipients_text(recipients_), messages_,
                             messages_ == 1 ? "" : "s", done_word(options_.verb));
    } else if (busy_ == 0 && unchanged_ == 0) {
      out.out += "nothing that waits fits this selection\n";
    }
    if (busy_ > 0) {
      out.out += fmt::format("{} being delivered at this moment: left alone\n", recipients_text(busy_));
    }
    if (unchanged_ > 0) {
      out.out += fmt::format("{} {}: left alone\n", recipients_text(unchanged_),
                             options_.verb == Verb::kRelease ? "not held" : "held already");
    }
  }
  bool found = recipients_ > 0 || busy_ > 0 || unchanged_ > 0;
  out.exit_code = found || options_.all ? 0 : po::kExitRefused;
  return Step::kEnd;
}

}  // namespace queue
