// Random numbers that are the same everywhere for the same seed, and cost nothing to seed.
#pragma once

#include <cstdint>

namespace power {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {  // splitmix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  bool chance(unsigned of_256) { return (next() & 255) < of_256; }

 private:
  std::uint64_t state_;
};

}  // namespace power
