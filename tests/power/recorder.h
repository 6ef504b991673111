// Writes the log of what this process does to the files below one directory.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "tests/power/calls.h"
#include "tests/power/disk.h"

namespace power {

class Recorder final : public Watcher {
 public:
  /// `directory`: absolute; what lies outside it is not recorded.
  explicit Recorder(std::string directory) : directory_(std::move(directory)) {}
  /// These are there already; files that are made later have other numbers.
  Recorder(std::string directory, const Names& names);

  Verdict before(const Call& call) override;
  void after(const Call& call, long result) override;
  /// For Begun and Answered.
  void mark(Event event) { log_.push_back(std::move(event)); }
  [[nodiscard]] const Log& log() const { return log_; }

 private:
  struct Open {
    std::string path;  ///< of a directory
    int file = 0;
    bool directory = false, synced_writes = false;
  };
  [[nodiscard]] std::optional<std::string> path_of(int at, const char* name) const;
  void opened(const Call& call, int fd);
  void wrote(const Open& open, const Call& call, long result);

  std::string directory_;
  Log log_;
  std::map<int, Open> open_;
  std::map<std::string, int> files_;  ///< by path, as they are now
  int last_file_ = 0;
};

}  // namespace power
