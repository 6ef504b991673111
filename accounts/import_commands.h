// `post.office import`: reads a file of forms, as `post.office export` writes it or a person does, says what
// it would change, and with --yes changes it, all or nothing. Caller: commands.
#pragma once

#include <string_view>

#include "accounts/command_words.h"

namespace accounts {

CommandResult run_import_command(const Office& office, Words words, std::string_view input);

}  // namespace accounts
