// `post.office check --dns`: what others find of this host in DNS (lib/setup_check.h). Asks the configured
// resolvers; reads the domains from the directory, if there is one yet. Changes nothing.
#pragma once

#include "lib/config.h"

namespace dispatcher {

/// Prints; returns the exit status: 1 if something is wrong.
[[nodiscard]] int run_dns_check(const po::config::Parsed& parsed);

}  // namespace dispatcher
