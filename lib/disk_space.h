// Room on a file system, and LMDB's way of saying that there is none. Callers: lib/store, lib/directory.
#pragma once

#include <sys/statvfs.h>

#include <cerrno>
#include <cstdint>
#include <optional>

namespace po {

/// Octets that we may still write where this file or directory lies; nothing, with errno, if nobody can say.
[[nodiscard]] inline std::optional<std::uint64_t> free_octets(int fd) {
  struct statvfs disk {};
  if (::fstatvfs(fd, &disk) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

/// LMDB calls a write that a full disk cut short an I/O error. It is none: the meta page was not written, and
/// nothing is in doubt. After such a write not even this much is left; then EIO becomes ENOSPC.
[[nodiscard]] inline int no_space_if_cut_short(int error, int fd) {
  constexpr std::uint64_t kFull = 64 * 1024;
  return error == EIO && free_octets(fd).value_or(kFull) < kFull ? ENOSPC : error;
}

}  // namespace po
