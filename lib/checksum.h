// FNV-1a over 64-bit words, running: a body checksum against torn and mixed-up writes, not against an enemy.
// Octets are taken eight at a time; how the input is cut does not change the result.
#pragma once

#include <cstdint>
#include <string_view>

namespace po {

class Checksum {
 public:
  void add(std::string_view bytes);
  [[nodiscard]] std::uint64_t value() const;

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
  std::uint64_t pending_ = 0;
  unsigned pending_octets_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace po
