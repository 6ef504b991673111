#include "lib/order.h"

#include "lib/notice.h"
#include "lib/ticket.h"

namespace po {

static constexpr std::string_view kPurpose = "post.office order";
/// Of the clock of two processes that read it one after the other.
static constexpr std::uint64_t kSlackMs = 1000;

std::string seal_order(const messages::Key& key, const Order& order) {
  return seal(key, kPurpose, wire::encode(order));
}

std::optional<Order> OrderBook::open(std::string_view sealed, std::uint64_t now_ms) {
  if (sealed.size() > messages::CarryOut::kMax) return std::nullopt;
  auto body = unseal(key_, kPurpose, sealed);
  Order order;
  if (!body || !wire::decode(*body, order)) return std::nullopt;
  if (order.issued_ms > now_ms + kSlackMs || now_ms > order.issued_ms + kOrderLifeMs) return std::nullopt;
  while (!seen_.empty() && seen_.begin()->first + kOrderLifeMs + kSlackMs < now_ms)
    seen_.erase(seen_.begin());
  if (!seen_.emplace(order.issued_ms, order.nonce).second) return std::nullopt;
  return order;
}

}  // namespace po
