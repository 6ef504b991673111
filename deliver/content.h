// The content of a job: octets that came in its frame, or a file that queue opened for reading. Read in
// pieces, from the front, as often as needed. Callers: delivery, connection, unix/server, lmtp/delivery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "deliver/to_7bit.h"
#include "lib/fd.h"

namespace deliver {

class Content {
 public:
  static constexpr std::size_t kPiece = 64 * 1024;

  /// `body`: the job's, whose owner stays as long; it counts if there is no `file`. `size`: of either.
  /// `before`: lines that come before it.
  Content(std::shared_ptr<const std::string> body, std::uint64_t size, po::Fd file, std::string before = {})
      : before_(std::move(before)), body_(std::move(body)), size_(size), file_(std::move(file)) {}

  /// The piece at `offset`, at most kPiece octets of a file or all the rest of what is in memory; valid until
  /// the next call. Empty at the end, and if the file cannot be read or is shorter than it should be.
  [[nodiscard]] std::string_view piece(std::uint64_t offset);

  [[nodiscard]] std::uint64_t size() const { return before_.size() + size_; }
  /// Whether there is an octet over 127; reads as far as needed.
  [[nodiscard]] bool has_8bit();
  /// Whether the header has one.
  [[nodiscard]] bool header_has_8bit();
  /// Which parts have (to_7bit.h); reads all.
  [[nodiscard]] EightBitParts parts();

 private:
  std::string before_;
  std::shared_ptr<const std::string> body_;
  std::uint64_t size_;
  po::Fd file_;
  std::string buffer_;
};

}  // namespace deliver
