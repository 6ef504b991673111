#include "queue/domain_starts.h"

namespace queue {

using po::messages::Started;
using store::WaitingRow;

static constexpr std::size_t kPiece = 500;
static constexpr auto kBetweenPieces = std::chrono::milliseconds(1);
static constexpr auto kWhileMuchWork = std::chrono::milliseconds(50);

bool is_in_domain(std::string_view address, std::string_view domain, bool under) {
  std::string_view own = domain_part(address);
  if (domain.empty() || own == domain) return !domain.empty();
  return under && own.size() > domain.size() && own.ends_with(domain) &&
         own[own.size() - domain.size() - 1] == '.';
}

void DomainStarts::start(po::messages::StartDomain ask, Reply reply) {
  if (walks_.size() >= kMost) return reply(Started{});
  auto walk = std::make_shared<Walk>();
  walk->ask = std::move(ask);
  walk->reply = std::move(reply);
  walks_.insert(walk);
  step(walk);
}

void DomainStarts::step(const Shared& walk) {
  if (!office_.may_walk()) return step_after(walk, kWhileMuchWork);
  auto rows = office_.parts.store.all_waiting(walk->after, kPiece);
  if (!rows) {
    if (!office_.lost(rows.error())) finish(walk, false);
    return;
  }
  wake_rows(*walk, *rows);
  if (rows->size() < kPiece) return finish(walk, true);
  walk->after = rows->back().key;
  step_after(walk, kBetweenPieces);
}

void DomainStarts::step_after(const Shared& walk, std::chrono::milliseconds pause) {
  walk->next.after(office_.parts.loop, pause, [this, weak = std::weak_ptr<Walk>(walk)] {
    if (auto alive = weak.lock()) step(alive);
  });
}

/// What is in flight is being tried anyway, what is held is the Postmaster's.
void DomainStarts::wake_rows(Walk& walk, const std::vector<WaitingRow>& rows) {
  std::uint64_t now = now_ms();
  Settlement s;
  auto write = [&] {
    if (!s.in_flight.empty()) deliveries_.settlements().write(std::move(s));
    s = {};
  };
  for (const WaitingRow& row : rows) {
    if (row.row.held || !is_in_domain(row.row.address, walk.ask.domain, walk.ask.subdomains)) continue;
    if (walk.counted != row.key.id) ++walk.messages;
    walk.counted = row.key.id;
    walk.hops.insert(row.row.hop);
    if (row.row.next_ms <= now || !deliveries_.claim(row.key)) continue;
    if (s.change.id != row.key.id) write();
    s.change.id = row.key.id;
    s.in_flight.push_back(row.key.n);
    s.change.later.push_back({row.key.n, row.row});
    s.change.later.back().now.next_ms = now;
  }
  write();
}

void DomainStarts::finish(const Shared& walk, bool known) {
  office_.parts.log.event("domain-started")
      .kv("domain", walk->ask.domain)
      .kv("messages", walk->messages)
      .kv("known", known ? "yes" : "no");
  for (const std::string& hop : walk->hops) deliveries_.start_hop(hop);
  walk->reply({known, walk->messages});
  walks_.erase(walk);
}

}  // namespace queue
