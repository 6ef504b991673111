// For a host without 8BITMIME (RFC 6152 section 3): content with octets over 127 made 7-bit. Leaf parts of
// MIME that have such octets are recoded, text as quoted-printable and all else as base64; parts within
// multipart/* and message/rfc822 are walked to any depth that their bound allows; everything else stays as
// it is to the octet. Content without MIME gets the fields of RFC 1428. Content is hostile and of any size:
// both passes stream it, with bounded memory. Pure. Caller: smtp_client, delivery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace deliver {

/// Of each part, in the order of their beginnings, whether its body has octets over 127.
using EightBitParts = std::vector<bool>;

/// The first pass.
class EightBitScan {
 public:
  EightBitScan();
  EightBitScan(EightBitScan&&) noexcept;
  EightBitScan& operator=(EightBitScan&&) noexcept;
  ~EightBitScan();
  void add(std::string_view piece);
  /// The content is over.
  [[nodiscard]] EightBitParts finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The second: gives the content in the same pieces or in others, and gets it in 7 bits, but for a header
/// with octets over 127, which has no 7-bit form that would not change its meaning.
class To7Bit {
 public:
  explicit To7Bit(EightBitParts parts);
  To7Bit(To7Bit&&) noexcept;
  To7Bit& operator=(To7Bit&&) noexcept;
  ~To7Bit();
  void add(std::string_view piece, std::string& out);
  void finish(std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace deliver
