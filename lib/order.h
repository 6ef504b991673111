// Orders: accounts has looked at who asks and seals the command, word for word; queue or story opens it once,
// within 30 s, and does just that. So wwwd carries commands for those who are logged in through it, and can
// neither make nor change one. The key comes from the dispatcher and is the same after a restart of any of
// the three.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "lib/messages.h"
#include "lib/web_messages.h"

namespace po {

struct Order {
  std::vector<std::string> words;
  std::uint64_t account = 0;    ///< who asked, for the log
  std::uint64_t issued_ms = 0;  ///< ticket_now_ms() (lib/ticket.h)
  std::uint64_t nonce = 0;
  auto fields() { return std::tie(words, account, issued_ms, nonce); }
};

inline constexpr std::uint64_t kOrderLifeMs = 30'000;

[[nodiscard]] std::string seal_order(const messages::Key& key, const Order& order);

/// Opens orders; remembers those that it opened for as long as they could be good.
class OrderBook {
 public:
  explicit OrderBook(const messages::Key& key) : key_(key) {}
  /// Nothing if the seal is wrong, it is too old, or it was opened before.
  [[nodiscard]] std::optional<Order> open(std::string_view sealed, std::uint64_t now_ms);

 private:
  messages::Key key_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen_;  ///< time and nonce
};

}  // namespace po
