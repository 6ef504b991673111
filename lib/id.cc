#include "lib/id.h"

namespace po {

static constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";

std::string MessageId::text() const {
  std::string out;
  out.reserve(20);
  unsigned acc = 0;
  int bits = 0;
  for (std::uint8_t o : octets) {
    acc = (acc << 8 | o) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out.push_back(kDigits[acc >> bits & 31]);
    }
  }
  if (bits > 0) out.push_back(kDigits[acc << (5 - bits) & 31]);
  return out;
}

std::uint64_t MessageId::made_ms() const {
  std::uint64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i) ms = ms << 8 | octets[i];
  return ms;
}

std::uint32_t MessageId::maker() const {
  return static_cast<std::uint32_t>(octets[6]) << 16 | static_cast<std::uint32_t>(octets[7]) << 8 | octets[8];
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
  if (text.size() != 20) return std::nullopt;
  MessageId id;
  std::size_t n = 0;
  unsigned acc = 0;
  int bits = 0;
  for (char c : text) {
    auto d = kDigits.find(c);
    if (d == std::string_view::npos) return std::nullopt;
    acc = (acc << 5 | static_cast<unsigned>(d)) & 0xffff;
    bits += 5;
    if (bits >= 8 && n < id.octets.size()) {
      bits -= 8;
      id.octets[n++] = static_cast<std::uint8_t>(acc >> bits);
    }
  }
  if ((acc & ((1U << bits) - 1)) != 0) return std::nullopt;  // the last digit has only one spelling
  return id;
}

MessageId IdMaker::next(std::int64_t now_ms) {
  MessageId id;
  auto t = static_cast<std::uint64_t>(now_ms);
  for (int i = 0; i < 6; ++i) id.octets[i] = static_cast<std::uint8_t>(t >> (40 - 8 * i));
  for (int i = 0; i < 3; ++i) id.octets[6 + i] = static_cast<std::uint8_t>(incarnation_ >> (16 - 8 * i));
  for (int i = 0; i < 3; ++i) id.octets[9 + i] = static_cast<std::uint8_t>(sequence_ >> (16 - 8 * i));
  sequence_ = (sequence_ + 1) & 0xffffff;
  return id;
}

std::string IdMaker::next_session() {
  std::string out;
  for (int i = 20; i >= 0; i -= 5) out.push_back(kDigits[incarnation_ >> i & 31]);
  out.push_back('-');
  std::uint64_t n = ++sessions_;
  std::string tail;
  do {
    tail.insert(tail.begin(), kDigits[n & 31]);
    n >>= 5;
  } while (n != 0);
  return out + tail;
}

}  // namespace po
