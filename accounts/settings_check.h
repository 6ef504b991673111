// What one field of the settings' forms alone cannot tell: whether aliases lead in a circle, whether the
// catch-all address is anybody's. Caller: form_commands.
#pragma once

#include <string>
#include <vector>

#include "accounts/administration.h"
#include "lib/directory/settings.h"
#include "lib/form/form.h"

namespace accounts {

/// Adds to `problems` what would be wrong with `after`, as far as it differs from `before`.
[[nodiscard]] po::Result<void> check_settings(const Administration& administration,
                                              const directory::Settings& before,
                                              const directory::Settings& after,
                                              std::vector<form::Problem>& problems);
/// One line for each user= of the routing table that no password is kept for; empty if all have one.
[[nodiscard]] po::Result<std::string> missing_relay_passwords(const Administration& administration,
                                                              const directory::Settings& settings);

}  // namespace accounts
