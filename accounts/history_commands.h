// What can be done with one form once it is known which: show, set, check, diff, history, undo, for
// `post.office form ...` and `post.office account ...` alike. Callers: form_commands, account_commands.
#pragma once

#include <string>
#include <string_view>

#include "accounts/command_words.h"
#include "accounts/form_service.h"

namespace accounts {

/// Whether run_on_form knows this verb.
[[nodiscard]] bool is_form_verb(std::string_view verb);

/// The number of the account that is meant: one that is there, or for its history and to make it again, by
/// its number, one that was.
[[nodiscard]] po::Result<std::uint64_t> account_meant(const Office& office, std::string_view verb,
                                                      const std::string& who);

struct FormCommand {
  std::string_view command;  ///< "form" or "account", for the usage
  std::string_view verb;
  Subject subject;
};
/// `words`: what stands behind the form's name and the account.
[[nodiscard]] CommandResult run_on_form(const Office& office, const FormCommand& what, Words words,
                                        std::string_view input);

}  // namespace accounts
