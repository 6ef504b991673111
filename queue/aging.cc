#include "queue/aging.h"

#include <algorithm>

namespace queue {

using po::MessageId;
using store::WaitingRow;

static constexpr std::size_t kPiece = 500;
static constexpr auto kBetweenPieces = std::chrono::milliseconds(50);
static constexpr auto kBetweenWalks = std::chrono::minutes(1);
static constexpr auto kFirstWalk = std::chrono::seconds(1);  // what came of age while nothing ran
static constexpr std::size_t kHeaderLooked = 64 * 1024;

Aging::Aging(Office& office, Deliveries& deliveries) : office_(office), deliveries_(deliveries) {
  next_.after(office_.parts.loop, kFirstWalk, [this] { step(); });
}

static std::uint64_t made_at(const MessageId& id) {
  std::uint64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i) ms = ms << 8 | id.octets[i];
  return ms;
}

void Aging::step() {
  Lifetimes times = lifetimes_of(*office_.parts.settings());
  std::uint64_t now = now_ms();
  std::uint64_t least =
      times.warning_ms == 0 ? times.lifetime_ms : std::min(times.lifetime_ms, times.warning_ms);
  auto rows = office_.parts.store.all_waiting(after_, kPiece);
  if (!rows) {
    if (office_.lost(rows.error())) return;
    office_.parts.log.event("queue-unreadable").kv("why", rows.error().text);
    next_.after(office_.parts.loop, kBetweenWalks);
    return;
  }
  bool end = rows->size() < kPiece;
  std::span<const WaitingRow> left(*rows);
  // Half a million that come of age together are settled as fast as the store takes them: what is on its way
  // there is in memory, with its notices.
  while (!left.empty()) {
    if (!office_.may_walk()) {
      end = false;
      break;
    }
    const MessageId& id = left.front().key.id;
    std::size_t n = 1;
    while (n < left.size() && left[n].key.id == id) ++n;
    if (made_at(id) + least > now) {
      end = true;
      break;
    }
    look_at(left.first(n), times, now);
    after_ = left[n - 1].key;
    left = left.subspan(n);
  }
  if (end) after_ = {};
  next_.after(office_.parts.loop, end ? std::chrono::milliseconds(kBetweenWalks) : kBetweenPieces);
}

/// Whether anybody waits at the other end. If it cannot be read now, nobody is told now.
bool Aging::tells_delay(const MessageId& id, const store::Head& head) const {
  if (head.envelope.sender.empty()) return false;
  auto content = office_.parts.store.body(id);
  if (!content) return false;
  auto header = beginning_of(*content, kHeaderLooked);
  return header && !is_bulk(*header);
}

static Report late_report(const WaitingRow& row) {
  Report r;
  r.action = Action::kDelayed;
  r.address = row.row.address;
  r.original = row.row.original;
  r.orcpt = row.row.orcpt;
  r.status = "4.4.1";
  r.words = "It has not been possible to reach the next mail system yet.";
  if (row.row.last.empty()) return r;
  const store::Attempt& last = row.row.last.back();
  r.status = "4.0.0";  // the last attempt's words say more
  r.words = last.reply;
  r.host = last.host;
  r.remote = !last.host.empty();
  r.at_ms = last.at_ms;
  return r;
}

void Aging::claim_each(std::span<const WaitingRow> rows, const store::Head& head, const Lifetimes& times,
                       std::uint64_t now, Settlement& s, Verdicts& verdicts) {
  for (const WaitingRow& row : rows) {
    bool old = is_expired(times, head.arrival_ms, now);
    if (row.row.held || (!old && row.row.delay_told) || !deliveries_.claim(row.key)) continue;
    s.in_flight.push_back(row.key.n);
    if (old) {
      expire(row, verdicts);
      continue;
    }
    store::Settle::Later later{row.key.n, row.row};
    later.now.delay_told = true;
    verdicts.later.push_back(std::move(later));
    if (wants_notice(row.row.notify, Action::kDelayed)) verdicts.reports.push_back(late_report(row));
  }
}

/// Another walk comes by.
void Aging::give_up(const Settlement& s) {
  for (std::uint32_t n : s.in_flight) deliveries_.let_go({s.change.id, n});
}

void Aging::look_at(std::span<const WaitingRow> rows, const Lifetimes& times, std::uint64_t now) {
  auto head = office_.parts.store.head(rows[0].key.id);
  if (!head) {
    (void)office_.lost(head.error());
    return;
  }
  bool old = is_expired(times, head->arrival_ms, now);
  if (!old && !is_late(times, head->arrival_ms, now)) return;
  Settlement s;
  Verdicts verdicts;
  s.change.id = rows[0].key.id;
  s.sender = head->envelope.sender;
  s.arrival_ms = head->arrival_ms;
  claim_each(rows, *head, times, now, s, verdicts);
  if (s.in_flight.empty()) return;
  if (!old && !verdicts.reports.empty() && !tells_delay(s.change.id, *head)) verdicts.reports.clear();
  if (!old) {
    for (const Report& r : verdicts.reports) {
      verdicts.lines.push_back({"delayed", r.address, r.words, r.status, 0, 0});
    }
  }
  auto notices = deliveries_.notices().make(s.change.id, *head, std::move(verdicts.reports));
  if (!notices) return give_up(s);
  s.action = old ? "failed" : "delayed";
  s.change.gone = std::move(verdicts.gone);
  s.change.later = std::move(verdicts.later);
  s.change.notices = std::move(*notices);
  s.lines = std::move(verdicts.lines);
  deliveries_.settlements().write(std::move(s));
}

}  // namespace queue
