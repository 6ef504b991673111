// `post.office export`: all forms and all accounts as one text, which `post.office import` reads back into an
// empty system to the same state. Caller: commands.
#pragma once

#include <string_view>

#include "accounts/command_words.h"

namespace accounts {

CommandResult run_export_command(const Office& office, Words words, std::string_view input);

}  // namespace accounts
