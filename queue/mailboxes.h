// Who may see which mailbox: tickets are redeemed once, for a handle that is bound to the pipe it was
// redeemed on. A pop3d that was taken over reaches the mailboxes of those who log in through it while it is,
// and no other. Pure: the clock is passed in.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "lib/error.h"
#include "lib/messages.h"
#include "lib/ticket.h"

namespace queue {

class Tickets {
 public:
  /// `started_ms`: tickets issued before it are refused, for this process cannot know whether they were used.
  Tickets(const po::messages::Key& key, std::uint64_t started_ms) : key_(key), started_ms_(started_ms) {}

  /// The account. Permanent: it is no ticket of ours for this session, or it was used. Temporary: log in
  /// again.
  [[nodiscard]] po::Result<std::uint64_t> redeem(std::string_view sealed, std::string_view session,
                                                 std::uint64_t now_ms);
  [[nodiscard]] std::size_t remembered() const { return used_.size(); }

 private:
  void forget_old(std::uint64_t now_ms);
  po::messages::Key key_;
  std::uint64_t started_ms_;
  std::unordered_set<std::uint64_t> used_;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> by_age_;  ///< (forget at, nonce)
};

/// The open mailboxes of one pipe.
class Handles {
 public:
  /// Nothing if there are too many.
  [[nodiscard]] std::optional<std::uint64_t> add(std::uint64_t account);
  [[nodiscard]] std::optional<std::uint64_t> account_of(std::uint64_t handle) const;
  void remove(std::uint64_t handle) { accounts_.erase(handle); }
  [[nodiscard]] std::size_t size() const { return accounts_.size(); }

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> accounts_;
  std::uint64_t last_ = 0;
};

inline constexpr std::size_t kMaxHandles = 16'384;       ///< a pipe
inline constexpr std::size_t kMaxUsedTickets = 200'000;  ///< log-ins within the life of a ticket

}  // namespace queue
