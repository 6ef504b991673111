#include "lib/ticket.h"

#include <time.h>

#include "lib/notice.h"

namespace po {

static constexpr std::size_t kMac = 32;
static constexpr std::size_t kMaxTicket = 512;
// What is sealed begins with its purpose, so that no other use of the key can make a ticket.
static constexpr std::string_view kPurpose = "post.office mailbox ticket";

std::uint64_t ticket_now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

std::string seal_ticket(const messages::Key& key, const Ticket& ticket) {
  std::string body = wire::encode(ticket);
  return body + hmac_sha256(key, std::string(kPurpose) + body);
}

std::optional<Ticket> open_ticket(const messages::Key& key, std::string_view sealed) {
  if (sealed.size() < kMac || sealed.size() > kMaxTicket) return std::nullopt;
  std::string_view body = sealed.substr(0, sealed.size() - kMac);
  if (!same_octets(hmac_sha256(key, std::string(kPurpose).append(body)), sealed.substr(body.size()))) {
    return std::nullopt;
  }
  Ticket ticket;
  if (!wire::decode(body, ticket)) return std::nullopt;
  return ticket;
}

}  // namespace po
