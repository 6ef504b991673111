#include "deliver/content.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/text.h"

namespace deliver {

std::string_view Content::piece(std::uint64_t offset) {
  if (offset < before_.size()) return std::string_view(before_).substr(offset);
  offset -= before_.size();
  if (!file_) return std::string_view(*body_).substr(std::min<std::size_t>(offset, body_->size()));
  if (offset >= size_) return {};
  buffer_.resize(std::min<std::uint64_t>(kPiece, size_ - offset));
  ssize_t n = 0;
  do {
    n = ::pread(file_.get(), buffer_.data(), buffer_.size(), static_cast<off_t>(offset));
  } while (n < 0 && errno == EINTR);
  return std::string_view(buffer_).substr(0, n > 0 ? static_cast<std::size_t>(n) : 0);
}

bool Content::has_8bit() {
  std::uint64_t at = 0;
  for (auto p = piece(0); !p.empty(); p = piece(at)) {
    if (!po::is_ascii(p)) return true;
    at += p.size();
  }
  return false;
}

bool Content::header_has_8bit() {
  std::uint64_t at = 0;
  bool blank = true;  // the line has nothing so far
  for (auto p = piece(0); !p.empty(); p = piece(at)) {
    for (char c : p) {
      if (static_cast<unsigned char>(c) >= 0x80) return true;
      if (c == '\n' && blank) return false;
      if (c == '\n') {
        blank = true;
      } else if (c != '\r') {
        blank = false;
      }
    }
    at += p.size();
  }
  return false;
}

EightBitParts Content::parts() {
  EightBitScan scan;
  std::uint64_t at = 0;
  for (auto p = piece(0); !p.empty(); p = piece(at)) {
    scan.add(p);
    at += p.size();
  }
  return scan.finish();
}

}  // namespace deliver
