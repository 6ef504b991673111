// One row of the privilege table becomes a process: descriptors, limits, empty environment, exec. Caller:
// supervisor.cc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "lib/error.h"

namespace dispatcher {

struct SpawnRequest {
  std::string path;                         ///< absolute, of the executable
  std::string name;                         ///< its argv[0], so that ps shows "smtpd.2"
  int control = -1, log = -1, notice = -1;  ///< become 3, 4 (and 2), 5
  std::uint64_t descriptors = 1024;         ///< RLIMIT_NOFILE
};

/// Returns when the program has been executed, or says why it could not be.
[[nodiscard]] po::Result<pid_t> spawn(const SpawnRequest& request);

}  // namespace dispatcher
