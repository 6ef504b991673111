// `post.office trace` on the command line: reads the files itself and prints as it reads.
#pragma once

#include <string>
#include <vector>

#include "lib/config.h"

namespace dispatcher {

/// `words`: those behind "trace". Returns the exit status.
[[nodiscard]] int run_trace(const po::config::Config& config, const std::vector<std::string>& words);

}  // namespace dispatcher
