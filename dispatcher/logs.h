// The log file that all processes append to: opened by the dispatcher, handed out, changed by size, old ones
// removed by count and age. Names: post.office.log, and post.office.log.20261123T022500Z for old ones.
#pragma once

#include <string>

#include "lib/config.h"
#include "lib/error.h"
#include "lib/fd.h"

namespace dispatcher {

class LogFiles {
 public:
  /// `to_stderr`: no file, a copy of descriptor 2 (foreground and `log stderr`).
  LogFiles(const po::config::Config& config, bool to_stderr);
  /// Opens it (again: somebody may have moved it away) for appending.
  [[nodiscard]] po::Result<void> open();
  [[nodiscard]] po::Fd duplicate() const;
  /// True if the file was full and a new one is open: hand it out.
  [[nodiscard]] bool rotate_if_full();
  void remove_old() const;
  void set_limits(const po::config::Config& config);
  [[nodiscard]] std::string path() const { return directory_ + "/post.office.log"; }

 private:
  std::string directory_;
  std::uint64_t size_;
  std::uint32_t files_, days_;
  bool to_stderr_;
  po::Fd fd_;
};

/// The last `lines` lines of a file, at most 8 KiB; for a start that failed.
[[nodiscard]] std::string tail_of(const std::string& path, unsigned lines);

}  // namespace dispatcher
