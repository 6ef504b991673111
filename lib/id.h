// Message ids and session ids. A message id is made by the smtpd that reads the message, before it is sent to
// queue: 48 bits of milliseconds since 1970, 24 bits of the maker's incarnation (the dispatcher counts every
// process that it ever started, in run state), 24 bits of sequence. It is the queue id in replies and log,
// the key in the store and the POP3 UIDL. Ids of one maker never repeat, even if the clock steps back; ids
// sort roughly by age. Printed as 20 digits of lower-case base 32 (Crockford's alphabet, no i, l, o, u).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace po {

struct MessageId {
  std::array<std::uint8_t, 12> octets{};  ///< big-endian, so that keys sort by time

  auto operator<=>(const MessageId&) const = default;
  auto fields() { return std::tie(octets); }
  [[nodiscard]] std::string text() const;       ///< 20 characters
  [[nodiscard]] std::uint64_t made_ms() const;  ///< milliseconds since 1970 by its maker's clock
  [[nodiscard]] std::uint32_t maker() const;    ///< the 24 bits of the incarnation
  [[nodiscard]] static std::optional<MessageId> parse(std::string_view text);
  [[nodiscard]] std::string_view bytes() const {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
  }
};

/// Makes message ids and session ids for one process.
class IdMaker {
 public:
  explicit IdMaker(std::uint32_t incarnation) : incarnation_(incarnation & 0xffffff) {}
  /// `now_ms`: milliseconds since 1970, by the caller's clock.
  [[nodiscard]] MessageId next(std::int64_t now_ms);
  /// A short name for a session in the log: incarnation and counter in base 32.
  [[nodiscard]] std::string next_session();

 private:
  std::uint32_t incarnation_;
  std::uint32_t sequence_ = 0;
  std::uint64_t sessions_ = 0;
};

}  // namespace po
