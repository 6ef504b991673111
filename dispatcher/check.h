// `post.office check`: each line names the thing, the place and the remedy. Reads only.
#pragma once

#include "lib/config.h"

namespace dispatcher {

/// Exit status 0 if nothing is wrong, else 1.
int run_check(const po::config::Parsed& parsed);

}  // namespace dispatcher
