// THE privilege table: what each process may still do after confine_or_die. See lib/sandbox.cc for the table
// itself, internals.7 for its printed form, tests/unit/lib/sandbox_test.cc for the check that they agree.
#pragma once

#include <string>
#include <vector>

#include "lib/error.h"
#include "lib/messages.h"

namespace po::sandbox {

/// What only run time knows about a row: absolute paths behind the table's names.
struct Paths {
  std::string directory;                      ///< directory/ of the spool
  std::string secrets;                        ///< secrets/ of the spool
  std::string store;                          ///< store/ of the mailbox directory
  std::vector<std::uint16_t> resolver_ports;  ///< where DNS is asked over TCP; empty: no connect at all
};

/// no-new-privs, not dumpable, rlimits, Landlock (as far as the kernel has it), seccomp; for every thread
/// made later too. Permanent failure if no-new-privs or seccomp cannot be had. Returns the Landlock ABI in
/// use (0: none).
[[nodiscard]] Result<int> confine(messages::Role role, const Paths& paths);

}  // namespace po::sandbox
