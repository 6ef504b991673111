// Tries calls in a process that confined itself by one row of the privilege table, and the same calls in one
// that did not: what only the first is refused, the walls refuse. Callers: walls_test.cc,
// tests/walls/wall_table.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lib/sandbox.h"
#include "tests/unit/walls/scene.h"

namespace walls {

/// One thing that somebody who has taken over a process may try.
struct Call {
  const char* group;
  std::string name;
  std::function<long(const Scene&)> run;  ///< -1 with errno, as a system call
  /// Whether this row may do it all the same. Null: no row may.
  bool (*given)(const po::sandbox::Row&, int landlock) = nullptr;
};

/// Every forbidden call, and a few that some row may do.
[[nodiscard]] const std::vector<Call>& calls();

struct Outcome {
  enum class Kind : std::uint8_t { kNone, kRunning, kDone, kErrno, kSignal } kind = Kind::kNone;
  int value = 0;

  /// ENOSYS is seccomp's answer, EACCES and EPERM are Landlock's, SIGSYS ends who enters as i386 or x32.
  [[nodiscard]] bool refused() const;
  [[nodiscard]] std::string text() const;
};

/// The row, and the newest Landlock that the kernel is taken to have. No row: not confined.
struct Walls {
  const po::sandbox::Row* row = nullptr;
  int landlock = po::sandbox::kNewestLandlock;
};

/// One outcome for each call; a process that a call ends or changes is replaced by a new one.
[[nodiscard]] std::vector<Outcome> try_calls(const Scene& scene, const Walls& walls,
                                             const std::vector<Call>& calls);
/// The numbers of system calls, 0 to 1023, that are not refused: tried with all arguments 1, and all -1.
[[nodiscard]] std::vector<int> reachable_calls(const Scene& scene, const Walls& walls);

/// The versions to try: the kernel's own, that of Debian 12, none.
[[nodiscard]] std::vector<int> landlock_versions();

}  // namespace walls
