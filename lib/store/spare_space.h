// A file of zeros that holds space on the store's disk for deletions (man/store.5, spare). A tree is changed
// by copying, so a disk that others have filled to the last block could not even be emptied; then the file is
// emptied. While it is, mail must leave so much free instead. Caller: LmdbStore, on the writer
// thread.
#pragma once

#include <cstdint>

#include "lib/fd.h"

namespace store {

class SpareSpace {
 public:
  static constexpr std::uint64_t kOctets = 4U << 20;

  /// The file stays open: queue, once confined, opens nothing in this directory.
  void open(int directory);
  /// Empties the file; false if it was empty.
  [[nodiscard]] bool give_up();
  /// Fills it again if it is empty and the disk has plenty.
  void keep();
  /// What it should hold and does not.
  [[nodiscard]] std::uint64_t missing() const { return there_ ? 0 : kOctets; }

 private:
  bool fill();
  po::Fd file_;
  bool there_ = false;
};

}  // namespace store
