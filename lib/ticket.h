// Mailbox tickets: accounts seals one for a session that logged in, queue opens it once within 30 s. The key
// comes from the dispatcher and is the same after a restart of either. Layout: account u64, issued u64
// (milliseconds of the clock below), nonce u64, session string, HMAC-SHA256 of all before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "lib/messages.h"

namespace po {

struct Ticket {
  std::uint64_t account = 0;
  std::uint64_t issued_ms = 0;  ///< ticket_now_ms()
  std::uint64_t nonce = 0;
  std::string session;
  auto fields() { return std::tie(account, issued_ms, nonce, session); }
};

inline constexpr std::uint64_t kTicketLifeMs = 30'000;
/// Milliseconds since this machine was started: one clock for all processes, and one that nobody steps. With
/// the time of day, a step back would make each new ticket older than its queue, and nobody could log in.
[[nodiscard]] std::uint64_t ticket_now_ms();

[[nodiscard]] std::string seal_ticket(const messages::Key& key, const Ticket& ticket);
/// Nothing if the seal is wrong or it does not decode. Age and single use are the caller's to check.
[[nodiscard]] std::optional<Ticket> open_ticket(const messages::Key& key, std::string_view sealed);

}  // namespace po
