// What the form System Information says of this installation, from its configuration. Caller: the
// supervisor, for accounts.
#pragma once

#include "lib/config.h"
#include "lib/messages.h"

namespace dispatcher {

[[nodiscard]] po::messages::SystemFacts system_facts(const po::config::Config& config);

}  // namespace dispatcher
