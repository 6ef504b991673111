// Forms and text as JSON (RFC 8259), for --json. Octets that are not UTF-8 become U+FFFD, so that what comes
// out is always legal.
#pragma once

#include <string>
#include <string_view>

#include "lib/form/form.h"

namespace form {

/// With its quotation marks.
[[nodiscard]] std::string json_string(std::string_view text);
/// {"User's-Real-Name": "Janie Lee", "Internet-Addresses": [..], ...}: lists are arrays, numbers numbers, yes
/// and no true and false, what is empty null; passwords are left out.
[[nodiscard]] std::string to_json(const Form& form, const Values& values);

}  // namespace form
