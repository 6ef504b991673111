#include "queue/mailboxes.h"

namespace queue {

// accounts and queue read the same clock, which is never stepped; this much room harms nobody.
static constexpr std::uint64_t kClockSlackMs = 2'000;

po::Result<std::uint64_t> Tickets::redeem(std::string_view sealed, std::string_view session,
                                          std::uint64_t now_ms) {
  auto ticket = po::open_ticket(key_, sealed);
  if (!ticket || ticket->account == 0) return po::permanent("not a mailbox ticket");
  if (ticket->issued_ms < started_ms_) return po::temporary("the mail queue has just started, log in again");
  if (ticket->issued_ms > now_ms + kClockSlackMs)
    return po::temporary("the ticket is of the future, log in again");
  if (ticket->issued_ms + po::kTicketLifeMs < now_ms)
    return po::temporary("the ticket is too old, log in again");
  forget_old(now_ms);
  if (used_.contains(ticket->nonce)) return po::permanent("the ticket was used before");
  if (used_.size() >= kMaxUsedTickets) return po::temporary("too many log-ins, try again later");
  // It is used up even where the session does not fit: who presents another's ticket shall not try again with
  // it. It is remembered for as long as it could pass the checks above.
  used_.insert(ticket->nonce);
  by_age_.emplace_back(now_ms + po::kTicketLifeMs + 2 * kClockSlackMs, ticket->nonce);
  if (ticket->session != session) return po::permanent("the ticket is for another session");
  return ticket->account;
}

void Tickets::forget_old(std::uint64_t now_ms) {
  while (!by_age_.empty() && by_age_.front().first < now_ms) {
    used_.erase(by_age_.front().second);
    by_age_.pop_front();
  }
}

std::optional<std::uint64_t> Handles::add(std::uint64_t account) {
  if (accounts_.size() >= kMaxHandles) return std::nullopt;
  accounts_.emplace(++last_, account);
  return last_;
}

std::optional<std::uint64_t> Handles::account_of(std::uint64_t handle) const {
  auto found = accounts_.find(handle);
  if (found == accounts_.end()) return std::nullopt;
  return found->second;
}

}  // namespace queue
