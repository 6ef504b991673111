// A file of zeros that holds space on the store's disk for deletions (man/store.5, spare). A tree is changed
// by copying, so a disk that others have filled to the last block could not even be emptied; then the file is
// given up. While it is missing, mail must leave so much free instead. Caller: LmdbStore, on the writer
// thread.
#pragma once

#include <cstdint>

namespace store {

class SpareSpace {
 public:
  static constexpr std::uint64_t kOctets = 4U << 20;

  /// `directory` must outlive it.
  void open(int directory);
  /// Removes the file; false if there was none.
  [[nodiscard]] bool give_up();
  /// Makes it again if it is missing and the disk has plenty.
  void keep();
  /// What it should hold and does not.
  [[nodiscard]] std::uint64_t missing() const { return there_ ? 0 : kOctets; }

 private:
  bool make();
  int directory_ = -1;
  bool there_ = false;
};

}  // namespace store
