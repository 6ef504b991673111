#include "lib/checksum.h"

#include <bit>
#include <cstring>

namespace po {

static constexpr std::uint64_t kPrime = 0x100000001b3ULL;

static std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash ^= word;
  hash *= kPrime;
  return hash ^ (hash >> 29);  // FNV alone carries nothing from high bits to low ones when fed whole words
}

/// Eight octets, the first the lowest, by one load: the compiler does not make one of a loop of shifts.
static std::uint64_t load_little_endian(const char* octets) {
  std::uint64_t word = 0;
  std::memcpy(&word, octets, sizeof word);
  return std::endian::native == std::endian::little ? word : __builtin_bswap64(word);
}

void Checksum::add(std::string_view bytes) {
  total_ += bytes.size();
  while (!bytes.empty() && pending_octets_ != 0) {
    pending_ |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[0])) << (8 * pending_octets_);
    bytes.remove_prefix(1);
    if (++pending_octets_ == 8) {
      hash_ = mix(hash_, pending_);
      pending_ = 0;
      pending_octets_ = 0;
    }
  }
  while (bytes.size() >= 8) {
    hash_ = mix(hash_, load_little_endian(bytes.data()));
    bytes.remove_prefix(8);
  }
  for (char c : bytes) {
    pending_ |= static_cast<std::uint64_t>(static_cast<unsigned char>(c)) << (8 * pending_octets_++);
  }
}

std::uint64_t Checksum::value() const {
  std::uint64_t hash = pending_octets_ == 0 ? hash_ : mix(hash_, pending_);
  return mix(hash, total_);
}

}  // namespace po
