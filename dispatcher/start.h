// `post.office start`: from the configuration to a running system, in the order of shrinking power.
#pragma once

#include "lib/config.h"

namespace dispatcher {

/// Returns the exit status: of the caller's wait for readiness, or, in the foreground, of the whole run.
int run_start(const po::config::Config& config, bool foreground);

/// Problems with the executables of the program directory that make a start pointless or unsafe; empty: none.
[[nodiscard]] std::string examine_programs(const po::config::Config& config, unsigned suite_uid);

}  // namespace dispatcher
