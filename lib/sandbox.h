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
  std::vector<std::uint16_t> resolver_ports;  ///< where DNS is asked over TCP; empty: no connect at all
};

/// Sets of system calls; a row is a union of them. The lists are in sandbox.cc.
enum Calls : unsigned {
  kBase = 1,       ///< what any of our processes needs: memory, its own descriptors, event loop, clock
  kThreads = 2,    ///< threads of its own process
  kDatabase = 4,   ///< writing and syncing files that are open already
  kBodies = 8,     ///< opening, naming and unlinking files; Landlock says where
  kResolver = 16,  ///< sockets and connect, IPv4 and IPv6, only when there are resolvers
};

/// One row. The text columns are printed in internals.7; `calls`, `store` and `threads` are enforced.
struct Row {
  messages::Role role;
  const char* executable;   ///< in the program directory
  const char* descriptors;  ///< inherited, number and meaning
  const char* peers;        ///< other ends of pipes
  const char* files;        ///< what can be opened after confinement, and what was opened before
  const char* sockets;      ///< what can be made after confinement
  unsigned calls;
  bool store;  ///< Landlock rule: store/ may be read and written
};

[[nodiscard]] std::span<const Row> table();
/// nullptr for roles that are not confined processes (dispatcher, command).
[[nodiscard]] const Row* row(messages::Role role);
/// The sets of a row by name: "base threads database".
[[nodiscard]] std::string calls_text(unsigned calls);

/// Which walls to put up. Only tests leave one out, to show that the other holds alone.
enum class Walls : std::uint8_t { kAll, kSeccompOnly };

/// no-new-privs, not dumpable, no core files, Landlock (as far as the kernel has it), seccomp; for every
/// thread made later too. Permanent failure if no-new-privs or seccomp cannot be had, or a thread runs
/// already. Returns the Landlock ABI in use (0: none).
[[nodiscard]] Result<int> confine(messages::Role role, const Paths& paths, Walls walls = Walls::kAll);

}  // namespace po::sandbox
