// Keys and values of the store's tables: man/store.5 in C++. Pure; the values are encoded by lib/wire.h.
//
// Why small bodies stand in LMDB and not in a log of segments in which holes are punched, measured with
// tests/bench/store_churn.cc and a model of such a log, messages deleted at random: a hole frees whole blocks
// only, so the bodies alone take 1.25 times their size (mail of mixed sizes), 1.46 (all of 4,350 octets) and
// 1.70 (1 to 4 KiB); these tables, rows and free pages included, take 1.26, 1.18 and 1.70. A log that does
// better has to copy what is live out of old segments, and needs a second sync in every commit.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "lib/id.h"
#include "lib/wire.h"

namespace store::layout {

inline constexpr std::uint32_t kVersion = 3;
/// One value of this size fills one overflow page of LMDB (4,096 less the 16 octets of its head).
inline constexpr std::size_t kPiece = 4080;
/// What remains of a body after its whole pieces stands in the row of `message` if it is no longer than this.
/// A longer remainder takes a page of its own: leaves from which messages go at random are less than half
/// full in the long run (LMDB merges them below a quarter), so there it would take as much.
inline constexpr std::size_t kMaxRest = 1700;
/// Longest value of `mailbox` and of `recipient`, and longest envelope: with the longest remainder it still
/// fits one page, so that LMDB never searches for runs of pages.
inline constexpr std::size_t kMaxRow = 2000;
/// Longest name of a next hop: the key of `due` then keeps below LMDB's 511 octets.
inline constexpr std::size_t kMaxHop = 300;
/// Address, original, orcpt and hop of a recipient together: the rest of its row is for replies.
inline constexpr std::size_t kMaxNames = 1500;

inline constexpr std::string_view kVersionKey = "version";
inline constexpr std::string_view kTotalsKey = "totals";
inline constexpr std::string_view kErrandKey = "errand";  ///< no row: none was ever done

/// The beginning of a row of `message`; the envelope and what remains of the body follow.
struct MessageRecord {
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;
  std::uint64_t arrival_ms = 0;
  std::uint32_t references = 0;
  bool in_file = false;
  auto fields() { return std::tie(size, checksum, arrival_ms, references, in_file); }
};

/// The envelope is not decoded.
[[nodiscard]] inline bool read_record(std::string_view row, MessageRecord& record) {
  po::wire::Reader reader(row);
  reader.get(record);
  return reader.ok();
}

/// Rows of `body` that a body of this size has.
[[nodiscard]] inline std::size_t pieces(std::uint64_t size) {
  return static_cast<std::size_t>(size / kPiece + (size % kPiece > kMaxRest ? 1 : 0));
}

/// Octets at the end of its row of `message`.
[[nodiscard]] inline std::size_t rest(std::uint64_t size) {
  return size % kPiece > kMaxRest ? 0 : static_cast<std::size_t>(size % kPiece);
}

struct TotalsRecord {
  std::uint64_t messages = 0, octets = 0, mailboxes = 0, entries = 0, waiting = 0;
  auto fields() { return std::tie(messages, octets, mailboxes, entries, waiting); }
};

struct MailboxHead {
  std::uint64_t messages = 0, octets = 0;
  auto fields() { return std::tie(messages, octets); }
};

/// The strings point into what was decoded.
struct MailboxRow {
  std::uint64_t size = 0;
  std::uint8_t notify = 0;
  std::string_view orcpt, prefix;
  auto fields() { return std::tie(size, notify, orcpt, prefix); }
};

/// The beginning of a row of `recipient`, which is a Waiting: as far as `due` follows it. The strings point
/// into what was decoded.
struct RecipientStart {
  std::string_view address, original;
  std::uint8_t notify = 0;
  std::string_view orcpt, hop;
  std::uint8_t lane = 0;
  std::uint64_t next_ms = 0;
  bool held = false;
  auto fields() { return std::tie(address, original, notify, orcpt, hop, lane, next_ms, held); }
};

template <std::size_t N>
struct Key {
  std::array<char, N> octets{};
  [[nodiscard]] std::string_view view() const { return {octets.data(), N}; }
};

inline void put_big_endian(char* at, std::uint64_t value, int octets) {
  for (int i = 0; i < octets; ++i) at[i] = static_cast<char>(value >> (8 * (octets - 1 - i)));
}

/// The next one in order.
template <std::size_t N>
void add_one(Key<N>& key) {
  for (std::size_t i = N; i-- > 0 && ++key.octets[i] == 0;) {
  }
}

[[nodiscard]] inline Key<14> body_key(const po::MessageId& id, std::uint16_t n) {
  Key<14> key;
  std::ranges::copy(id.bytes(), key.octets.begin());
  put_big_endian(&key.octets[12], n, 2);
  return key;
}

/// A zero id gives the key of the mailbox's head row, which sorts before all its messages.
[[nodiscard]] inline Key<20> mailbox_key(std::uint64_t account, const po::MessageId& id = {}) {
  Key<20> key;
  put_big_endian(key.octets.data(), account, 8);
  std::ranges::copy(id.bytes(), &key.octets[8]);
  return key;
}

[[nodiscard]] inline std::uint64_t read_big_endian(std::string_view octets) {
  std::uint64_t value = 0;
  for (char c : octets) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

/// `octets` must have 12.
[[nodiscard]] inline po::MessageId id_of(std::string_view octets) {
  po::MessageId id;
  std::transform(octets.begin(), octets.begin() + 12, id.octets.begin(),
                 [](char c) { return static_cast<std::uint8_t>(c); });
  return id;
}

[[nodiscard]] inline Key<16> recipient_key(const po::MessageId& id, std::uint32_t n) {
  Key<16> key;
  std::ranges::copy(id.bytes(), key.octets.begin());
  put_big_endian(&key.octets[12], n, 4);
  return key;
}

/// What a key of `due` says; `hop` points into it.
struct DueParts {
  std::string_view hop;
  std::uint8_t lane = 0;
  std::uint64_t next_ms = 0;
  po::MessageId id;
  std::uint32_t n = 0;
};

/// Behind the hop and its NUL: lane, time, id, number.
inline constexpr std::size_t kDueTail = 1 + 8 + 12 + 4;

class DueKey {
 public:
  /// The hop must not be longer than kMaxHop.
  explicit DueKey(const DueParts& parts) : size_(parts.hop.size() + 1 + kDueTail) {
    char* at = std::ranges::copy(parts.hop, octets_.data()).out;
    *at++ = '\0';
    *at++ = static_cast<char>(parts.lane);
    put_big_endian(at, parts.next_ms, 8);
    std::ranges::copy(parts.id.bytes(), at + 8);
    put_big_endian(at + 20, parts.n, 4);
  }
  [[nodiscard]] std::string_view view() const { return {octets_.data(), size_}; }

 private:
  std::array<char, kMaxHop + 1 + kDueTail> octets_{};
  std::size_t size_;
};

/// False: that is no key of `due`.
[[nodiscard]] inline bool read_due_key(std::string_view key, DueParts& parts) {
  if (key.size() <= 1 + kDueTail || key.size() > kMaxHop + 1 + kDueTail) return false;
  std::string_view tail = key.substr(key.size() - kDueTail);
  parts.hop = key.substr(0, key.size() - kDueTail - 1);
  parts.lane = static_cast<std::uint8_t>(tail[0]);
  parts.next_ms = read_big_endian(tail.substr(1, 8));
  parts.id = id_of(tail.substr(9));
  parts.n = static_cast<std::uint32_t>(read_big_endian(tail.substr(21)));
  return key[parts.hop.size()] == '\0' && parts.hop.find('\0') == std::string_view::npos;
}

}  // namespace store::layout
