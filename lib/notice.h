// UDP notices on the loopback address: [u32 incarnation of the sender][u64 counter][payload:
// messages::Notice][32 octets HMAC-SHA256 over all before, with that module's key of this start]. The
// receiver checks length, MAC, that the counter rises, and that this sender may say this kind. A notice has
// no authority: lost, repeated or forged, at most something happens a second later.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/messages.h"

namespace po {

class NoticeWriter {
 public:
  NoticeWriter(std::uint32_t incarnation, const messages::Key& key) : incarnation_(incarnation), key_(key) {}
  [[nodiscard]] std::string seal(const messages::Notice& notice);

 private:
  std::uint32_t incarnation_;
  messages::Key key_;
  std::uint64_t counter_ = 0;
};

class NoticeReader {
 public:
  NoticeReader(std::uint32_t incarnation, const messages::Key& key) : incarnation_(incarnation), key_(key) {}
  /// Nothing if it is not from that sender, was changed, or is not newer than the last one.
  [[nodiscard]] std::optional<messages::Notice> open(std::string_view datagram);

 private:
  std::uint32_t incarnation_;
  messages::Key key_;
  std::uint64_t last_ = 0;
};

/// The sender's incarnation as a datagram claims it, to find its key.
[[nodiscard]] std::optional<std::uint32_t> notice_sender(std::string_view datagram);

/// HMAC-SHA256.
[[nodiscard]] std::string hmac_sha256(const messages::Key& key, std::string_view data);
/// In constant time.
[[nodiscard]] bool same_octets(std::string_view a, std::string_view b);
/// Tickets and orders: `body`, and behind it 32 octets of HMAC-SHA256 over `purpose` and it. The purpose is
/// in there so that no other use of the key can make one.
[[nodiscard]] std::string seal(const messages::Key& key, std::string_view purpose, std::string_view body);
/// The body, inside `sealed`; nothing if it was changed, or sealed with another key or for something else.
[[nodiscard]] std::optional<std::string_view> unseal(const messages::Key& key, std::string_view purpose,
                                                     std::string_view sealed);

}  // namespace po
