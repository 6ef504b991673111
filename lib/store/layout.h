// Keys and values of the store's tables: man/store.5 in C++. Pure; the values are encoded by lib/wire.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "lib/id.h"
#include "lib/wire.h"

namespace store::layout {

inline constexpr std::uint32_t kVersion = 1;
/// One value of this size fills one overflow page of LMDB (4,096 less the 16 octets of its head).
inline constexpr std::size_t kPiece = 4080;
/// Ids in one row of `released`: 1,536 octets, which stay inside a leaf page.
inline constexpr std::size_t kReleasedIds = 128;
/// Longest value of `mailbox` and `envelope`: larger ones would leave the leaf page and take runs of pages.
inline constexpr std::size_t kMaxRow = 2000;

inline constexpr std::string_view kVersionKey = "version";
inline constexpr std::string_view kTotalsKey = "totals";

struct MessageRecord {
  std::uint64_t size = 0;
  std::uint64_t checksum = 0;
  std::uint64_t arrival_ms = 0;
  std::uint32_t references = 0;
  bool in_file = false;
  auto fields() { return std::tie(size, checksum, arrival_ms, references, in_file); }
};

struct TotalsRecord {
  std::uint64_t messages = 0, octets = 0, mailboxes = 0, entries = 0;
  auto fields() { return std::tie(messages, octets, mailboxes, entries); }
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

template <std::size_t N>
struct Key {
  std::array<char, N> octets{};
  [[nodiscard]] std::string_view view() const { return {octets.data(), N}; }
};

inline void put_big_endian(char* at, std::uint64_t value, int octets) {
  for (int i = 0; i < octets; ++i) at[i] = static_cast<char>(value >> (8 * (octets - 1 - i)));
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

[[nodiscard]] inline Key<8> released_key(std::uint64_t n) {
  Key<8> key;
  put_big_endian(key.octets.data(), n, 8);
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

}  // namespace store::layout
