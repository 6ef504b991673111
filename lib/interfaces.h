// The addresses of this host's network interfaces. Callers: smtp-deliver, wwwd, the set-up check.
#pragma once

#include <vector>

#include "lib/messages.h"

namespace po {

/// As the kernel tells them, loopback and link-local ones as well, ports 0; empty if it does not. A process
/// asks before it is confined.
[[nodiscard]] std::vector<messages::NetAddress> own_addresses();

}  // namespace po
