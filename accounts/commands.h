// `post.office account ...`, `form ...`, `alias ...`, `domain ...`, `route list|add|remove`, `export`,
// `import`, `relay-password ...` and `app-password ...`: one function for the running accounts process, which
// serves the command socket and the web, and for the post.office program on a stopped system, so all give the
// same output. The caller has made sure that an administrator or a Postmaster asks; words and input are
// checked here all the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/administration.h"
#include "accounts/form_service.h"
#include "lib/exit_codes.h"

namespace accounts {

struct CommandResult {
  std::string out, err;
  std::uint8_t exit_code = 0;  ///< as in messages::CommandOutput
};

using po::kExitNotAllowed;
using po::kExitRefused;
using po::kExitTemporary;
using po::kExitUsage;

/// What a command may read from standard input, on a running system and on a stopped one.
inline constexpr std::size_t kMostInput = 256U << 20;

/// Whether `words` are for run_command ("account ...", "form ..." and so on).
[[nodiscard]] bool is_accounts_command(const std::vector<std::string>& words);
/// Whether the command takes what stands on standard input.
[[nodiscard]] bool reads_input(const std::vector<std::string>& words);

/// Whether that is a password alone, which a terminal must not show.
[[nodiscard]] bool reads_password(const std::vector<std::string>& words);

/// Does it. May take long (a password takes a tenth of a second): not for an event loop. A caller without a
/// Postmaster's rights is refused.
[[nodiscard]] CommandResult run_command(Administration& administration, const Caller& caller,
                                        const std::vector<std::string>& words, std::string_view input);

}  // namespace accounts
