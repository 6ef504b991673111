#include "lib/ticket.h"

#include <time.h>

#include "lib/notice.h"

namespace po {

static constexpr std::size_t kMaxTicket = 512;
static constexpr std::string_view kPurpose = "post.office mailbox ticket";

std::uint64_t ticket_now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

std::string seal_ticket(const messages::Key& key, const Ticket& ticket) {
  return seal(key, kPurpose, wire::encode(ticket));
}

std::optional<Ticket> open_ticket(const messages::Key& key, std::string_view sealed) {
  if (sealed.size() > kMaxTicket) return std::nullopt;
  auto body = unseal(key, kPurpose, sealed);
  Ticket ticket;
  if (!body || !wire::decode(*body, ticket)) return std::nullopt;
  return ticket;
}

}  // namespace po
