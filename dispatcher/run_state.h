// What the dispatcher keeps under run/: the locked pid file and the count of all processes ever started. See
// internals.7. Used by the dispatcher after the drop; lock_holder() by the `post.office` command.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "lib/error.h"
#include "lib/fd.h"

namespace dispatcher {

/// run/pid, locked while it lives: one dispatcher for one spool directory.
class PidFile {
 public:
  /// Take it in the process that stays (the lock does not pass a fork).
  [[nodiscard]] static po::Result<PidFile> lock(const std::string& path);
  void release();

 private:
  po::Fd fd_;
};

/// Who holds the lock on run/pid, as the kernel says; nothing if nobody does or the file is not there.
[[nodiscard]] std::optional<pid_t> lock_holder(const std::string& path);

/// run/incarnation: a decimal number. Numbers are taken in blocks that are on disk before the first is used,
/// so none is used twice however the host goes down.
class Incarnations {
 public:
  [[nodiscard]] static po::Result<Incarnations> open(std::string path);
  [[nodiscard]] po::Result<std::uint32_t> next();

 private:
  explicit Incarnations(std::string path) : path_(std::move(path)) {}
  po::Result<void> reserve();
  std::string path_;
  std::uint32_t next_ = 1, limit_ = 1;
};

/// Writes a file beside, syncs it and gives it the name: the old or the new content, never part of one.
[[nodiscard]] po::Result<void> replace_file(const std::string& path, const std::string& content, mode_t mode);

}  // namespace dispatcher
