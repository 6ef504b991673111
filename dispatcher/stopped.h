// `post.office account ...`, `form ...` and the like while nothing runs: this program takes the directory's
// lock itself and runs the same function that accounts would. Root becomes the suite's user first, so that no
// file gets another owner.
#pragma once

#include "dispatcher/client.h"
#include "lib/config.h"

namespace dispatcher {

[[nodiscard]] int run_on_stopped_system(const po::config::Config& config, const CommandLine& command);

}  // namespace dispatcher
