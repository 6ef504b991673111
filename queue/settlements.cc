#include "queue/settlements.h"

#include <map>
#include <utility>

namespace queue {

using po::MessageId;
using store::Accept;
using store::Waiting;

static constexpr auto kTryAgain = std::chrono::seconds(1);

/// Twice what it holds: the transaction holds it too.
template <class Change>
static std::size_t octets_in_memory(const Change& change) {
  return 2 * octets_of(change);
}

void Settlements::write(Settlement settlement) {
  ++open_;
  settlement.octets = octets_in_memory(settlement.change);
  office_.begin_change(settlement.octets);
  add(std::make_shared<Settlement>(std::move(settlement)));
}

void Settlements::add(const Shared& s) {
  office_.writer.add(s->change, [this, s](const store::Result<std::uint64_t>& result) { finish(s, result); });
}

// Order: first the commit, then the line in the log, then the scheduler may hand the recipient out again.
void Settlements::finish(const Shared& s, const store::Result<std::uint64_t>& result) {
  if (!result) {
    const store::Failure& f = result.error();
    if (office_.lost(f)) return;
    if (f.no_space) office_.note_space(false, f.text);
    office_.parts.log.event("not-settled").kv("id", s->change.id.text()).kv("why", f.text);
    if (f.status == store::Status::kRefused) take_less(s->change);
    if (!std::exchange(s->stuck, true)) ++office_.stuck;
    return try_again(s);
  }
  --open_;
  if (s->stuck) --office_.stuck;
  office_.end_change(s->octets);
  log(*s);
  std::uint64_t now = now_ms();
  for (std::uint32_t n : s->in_flight) scheduler_.let_go({s->change.id, n});
  for (const auto& later : s->change.later) {
    if (!later.now.held) scheduler_.note(later.now.hop, later.now.next_ms, now);
  }
  for (const Accept& notice : s->change.notices) noticed(notice, s->change.id, s->action);
  changed_();
}

void Settlements::noticed(const Accept& notice, const MessageId& about, std::string_view action) {
  log_notice(notice, about, action);
  queued(notice.id, {}, notice.waiting);
}

/// Of what the store would never take: first the notices go, then what is only told in later ones. What
/// became of the recipients must be written.
void Settlements::take_less(store::Settle& change) {
  if (!change.notices.empty()) return change.notices.clear();
  for (auto& later : change.later) {
    later.now.original.clear();
    later.now.orcpt.clear();
  }
}

void Settlements::try_again(const Shared& s) {
  again_.push_back(s);
  again_soon_.after(office_.parts.loop, kTryAgain, [this] {
    std::deque<Shared> now;
    now.swap(again_);
    for (const Shared& each : now) add(each);
  });
}

void Settlements::write_notice(Accept notice, const MessageId& about, std::string_view action) {
  std::size_t octets = octets_in_memory(notice);
  office_.begin_change(octets);
  auto shared = std::make_shared<Accept>(std::move(notice));
  office_.writer.add(
      *shared, [this, shared, about, octets, action = std::string(action)](const auto& result) {
        office_.end_change(octets);
        if (!result) {
          if (office_.lost(result.error())) return;
          office_.parts.log.event("not-told").kv("id", about.text()).kv("why", result.error().text);
          return;
        }
        noticed(*shared, about, action);
        changed_();
      });
}

void Settlements::queued(const MessageId& id, std::string_view sender, const std::vector<Waiting>& waiting) {
  std::map<std::string_view, std::vector<std::uint32_t>> by_hop;
  for (std::uint32_t n = 0; n < waiting.size(); ++n) {
    const Waiting& w = waiting[n];
    auto line = office_.parts.log.event(w.held ? "held" : "queued");
    line.kv("id", id.text()).kv("from", sender).kv("to", w.address);
    if (!w.original.empty()) line.kv("orig", w.original);
    line.kv("hop", w.hop);
    if (!w.held) by_hop[w.hop].push_back(n);
  }
  std::uint64_t now = now_ms();
  for (auto& [hop, numbers] : by_hop) {
    std::uint8_t lane = waiting[numbers[0]].lane;
    scheduler_.accepted(hop, lane, id, std::move(numbers), now);
  }
}

void Settlements::log(const Settlement& s) {
  std::uint64_t now = now_ms();
  for (const OutcomeLine& l : s.lines) {
    auto line = office_.parts.log.event(l.event);
    line.kv("id", s.change.id.text()).kv("from", s.sender).kv("to", l.to).kv("hop", s.hop);
    if (!s.host.empty()) line.kv("host", s.host).kv("tls", s.tls.empty() ? "no" : s.tls);
    line.kv("status", l.status).kv("reply", l.words).kv("attempts", l.attempts);
    if (l.next_ms > now) line.kv("next", (l.next_ms - now) / 1000);
    if (s.arrival_ms != 0 && now >= s.arrival_ms) line.kv("age", (now - s.arrival_ms) / 1000);
  }
}

void Settlements::log_notice(const Accept& notice, const MessageId& about, std::string_view action) {
  auto line = office_.parts.log.event("notice");
  line.kv("id", notice.id.text()).kv("about", about.text()).kv("action", action);
  if (!notice.deliveries.empty()) line.kv("account", notice.deliveries[0].account);
  if (!notice.waiting.empty()) line.kv("to", notice.waiting[0].address);
}

}  // namespace queue
