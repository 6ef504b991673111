// Settings as form values and back, by name: every setting is one field of one form. Values must have been
// checked. Callers: accounts; the declarations, for their
// defaults.
#pragma once

#include "lib/directory/settings.h"
#include "lib/form/form.h"

namespace form {

/// Of all forms but Account Data; rendering a form takes its own.
[[nodiscard]] Values settings_values(const directory::Settings& settings);
/// Changes the settings that `values` names; true if one is different now.
bool apply_settings(const Values& values, directory::Settings& settings);

}  // namespace form
