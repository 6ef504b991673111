// What one field of the settings' forms alone cannot tell: whether aliases lead in a circle, whether the
// catch-all address is anybody's. Callers: form_service, import_commands.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/administration.h"
#include "lib/directory/settings.h"
#include "lib/form/form.h"

namespace accounts {

struct SettingsQuestions {
  std::string hostname;
  /// Whether an account has this address.
  std::function<po::Result<bool>(std::string_view)> is_address;
};
/// Of the directory as it is committed.
[[nodiscard]] SettingsQuestions questions_of(const Administration& administration);

/// Adds to `problems` what would be wrong with `after`, as far as it differs from `before`.
[[nodiscard]] po::Result<void> check_settings(const SettingsQuestions& questions,
                                              const directory::Settings& before,
                                              const directory::Settings& after,
                                              std::vector<form::Problem>& problems);
/// One line for each user= of the routing table that no password is kept for; empty if all have one.
[[nodiscard]] po::Result<std::string> missing_relay_passwords(const Administration& administration,
                                                              const directory::Settings& settings);

}  // namespace accounts
