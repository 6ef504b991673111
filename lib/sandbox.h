// THE privilege table: what each process may still do after confine_or_die. See lib/sandbox.cc for the table
// itself, internals.7 for its printed form, tests/unit/lib/sandbox_test.cc for the check that they agree and
// that the walls hold. Callers: lib/module.cc (confine), the dispatcher (which executable a role is).
#pragma once

#include <cstdint>
#include <span>
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
  std::string logs;                           ///< the log directory
  std::string maildrops;                      ///< /var/mail
  std::vector<std::uint16_t> resolver_ports;  ///< where DNS is asked over TCP; empty: no connect at all
};

/// Sets of system calls; a row is a union of them. The lists are in sandbox.cc.
enum Calls : unsigned {
  kBase = 1,       ///< what any of our processes needs: memory, its own descriptors, event loop, clock
  kThreads = 2,    ///< threads of its own process
  kDatabase = 4,   ///< writing and syncing files that are open already
  kBodies = 8,     ///< making, opening, naming and unlinking files in store/bodies/; off without Landlock
  kResolver = 16,  ///< UDP sockets, and where Landlock has TCP rules also TCP; only when there are resolvers
  kConnect =
      32,      ///< connections to any host and port; with or without Landlock, for it is what the row is for
  kLogs = 64,  ///< opening files of the log directory for reading; off without Landlock
  kMaildrops = 128  ///< opening files of /var/mail, making and unlinking locks there; off without Landlock
};

/// One row. The text columns are printed in internals.7; `calls` is enforced, and so are the limits, by the
/// dispatcher (descriptors) and by confine (the others).
struct Row {
  messages::Role role;
  const char* executable;   ///< in the program directory
  const char* descriptors;  ///< inherited, number and meaning
  const char* peers;        ///< other ends of pipes
  const char* files;        ///< what can be opened after confinement, and what was opened before
  const char* sockets;      ///< what can be made after confinement
  const char* limits;       ///< setrlimit
  unsigned calls;
};

[[nodiscard]] std::span<const Row> table();
/// nullptr for roles that are not confined processes (dispatcher, command).
[[nodiscard]] const Row* row(messages::Role role);
/// The sets of a row by name: "base threads database".
[[nodiscard]] std::string calls_text(unsigned calls);

/// The newest version of Landlock's interface that confine makes use of.
inline constexpr int kNewestLandlock = 6;

/// The version of the running kernel's Landlock; 0: it has none.
[[nodiscard]] int landlock_version();

/// What a process got. A right that rests on Landlock alone is not given where the kernel lacks it.
struct Confined {
  int landlock = 0;  ///< the version of the interface in use; 0: none
  std::string off;   ///< what this process cannot do for want of Landlock, for the log; empty: nothing
};

/// no-new-privs, not dumpable, limits, Landlock (as far as the kernel has it), seccomp; for every thread made
/// later too. Permanent failure if no-new-privs or seccomp cannot be had, or a thread runs already. Only
/// tests give `newest`: they see that the walls hold as well on a kernel with an older Landlock, or with none
/// (0).
[[nodiscard]] Result<Confined> confine(messages::Role role, const Paths& paths, int newest = kNewestLandlock);

}  // namespace po::sandbox
