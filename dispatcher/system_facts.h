// What the form System Information says of this installation, from its configuration and from what its
// processes do. Pure. Callers: the supervisor, for accounts; stopped.cc.
#pragma once

#include <vector>

#include "dispatcher/status.h"
#include "lib/config.h"
#include "lib/messages.h"

namespace dispatcher {

/// A module's line ends with the state of its processes in `rows` ("up", "1 up, 1 starting"); one that has
/// none there is "not running".
[[nodiscard]] po::messages::SystemFacts system_facts(const po::config::Config& config,
                                                     const std::vector<StatusRow>& rows);

}  // namespace dispatcher
