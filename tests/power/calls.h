// The system calls that change files, seen and decided about by a test before they are made. calls.cc defines
// them in the test's own program, so that the store and liblmdb, a shared library, call ours. Linked into
// test programs only.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace power {

enum class Kind : std::uint8_t { kOpen, kClose, kWrite, kSync, kResize, kRename, kUnlink, kMakeDirectory };

/// One call. Which members mean something depends on the kind.
struct Call {
  Kind kind;
  int fd = -1;                 ///< the file; for calls by name: the directory, or AT_FDCWD
  const char* name = nullptr;  ///< open, rename (from), unlink, make directory
  const char* to = nullptr;    ///< rename
  int flags = 0;               ///< open's
  std::span<const iovec> octets = {};
  bool whole = false;       ///< sync: fsync, not fdatasync
  std::int64_t offset = 0;  ///< write: where, also for writes at the file's position; resize: the new size
};

/// What is to become of a call.
struct Verdict {
  int error = 0;                   ///< not 0: the call fails with this errno
  bool made = false;               ///< it is made all the same, and then said to have failed
  std::size_t at_most = SIZE_MAX;  ///< a write: only so many octets are written
};

class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual Verdict before(const Call&) { return {}; }
  /// `result` as the caller will see it; errno is kept. A failed call is not shown.
  virtual void after(const Call&, long /*result*/) {}
};

/// Of all threads; nullptr: nobody looks. The watcher's own calls are to be made while nobody looks, or be
/// told apart by it.
void watch(Watcher* watcher);

}  // namespace power
