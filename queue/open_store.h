// The store that queue works on, opened before confinement. In a file of its own so that a test can link
// queue with another one (tests/system/open_faulty_store.cc).
#pragma once

#include <memory>

#include "lib/module.h"
#include "lib/store/store.h"

namespace queue {

/// A line in the log if it is open.
[[nodiscard]] store::Result<std::unique_ptr<store::Store>> open_store(po::Module& module);

}  // namespace queue
