// From the log to the states that a loss of power may leave: which instants are looked at, which of what was
// pending then is taken to have reached the disk, and that state made of real files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/power/dice.h"
#include "tests/power/disk.h"

namespace power {

/// One commit: from the answer before it to its own answer.
struct Window {
  std::size_t from = 0, to = 0;  ///< events
  std::size_t change = 0;
};
[[nodiscard]] std::vector<Window> windows_of(const Log& log);
/// The instants of a window are before its events with these numbers: where most may be lost, which is just
/// before a sync is done, and the end.
[[nodiscard]] std::vector<std::size_t> instants_of(const Log& log, const Window& window);

/// What of the pending reached the disk.
struct Choice {
  std::vector<std::uint8_t> parts;  ///< for each: a bit for each sector of its page; 0: nothing of it
  enum class Sizes : std::uint8_t { kAsWritten, kOld, kNew } sizes = Sizes::kAsWritten;
  bool spoil_lock = false;  ///< LMDB's lock file, which promises nothing, holds anything
};

/// The choices at one instant: all subsets, whole and torn, if there are few pending; else `most` by the
/// seed.
class Choices {
 public:
  Choices(const std::vector<Pending>& pending, std::uint64_t seed, std::size_t most);
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] Choice at(std::size_t number) const;
  [[nodiscard]] static bool few(const std::vector<Pending>& pending) { return pending.size() <= 10; }

 private:
  [[nodiscard]] Choice subset(std::size_t number) const;
  [[nodiscard]] Choice random(std::size_t number) const;

  const std::vector<Pending>& pending_;
  std::uint64_t seed_;
  std::size_t count_ = 0;
};

/// A directory that holds what a disk holds. Making a state and undoing it touch only what differs.
class Scene {
 public:
  explicit Scene(std::string directory) : directory_(std::move(directory)) {}
  /// All that lasts for sure on this disk, which must stay until the next call.
  void stage(const Disk& disk);
  void make(const Choice& choice);
  /// After a state was made and a store has worked on it: as after stage(). `log`: all that was done since.
  void undo(const Log& log);

 private:
  void put_file(const std::string& path, const std::string& octets);
  void patch(const std::string& path, int file, const Choice& choice);
  [[nodiscard]] std::string full(const std::string& path) const { return directory_ + "/" + path; }

  std::string directory_;
  const Disk* disk_ = nullptr;
};

}  // namespace power
