// The forms of the system. Each is declared here once; a field's name in all but Account Data is that of its
// setting in lib/directory/settings.h (a unit test holds the two together).
#pragma once

#include <array>
#include <string_view>

#include "lib/form/form.h"

namespace form {

[[nodiscard]] const Form& account_data();
[[nodiscard]] const Form& system_configuration();
[[nodiscard]] const Form& system_security();
[[nodiscard]] const Form& mail_routing();
[[nodiscard]] const Form& channel_aliases();
[[nodiscard]] const Form& mail_queue();
[[nodiscard]] const Form& greeting();
[[nodiscard]] const Form& system_information();

[[nodiscard]] const std::array<const Form*, 8>& all_forms();
/// By name or title, letter case, spaces and punctuation aside; null if there is none.
[[nodiscard]] const Form* find_form(std::string_view name);

}  // namespace form
