// Forms as JSON (RFC 8259), for --json. Pure. Caller: the account and form commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/form/form.h"

namespace form {

/// {"User's-Real-Name": "Janie Lee", "Internet-Addresses": [..], ...}: lists are arrays, numbers numbers, yes
/// and no true and false, what is empty null; passwords are left out. With a revision, "Form-Revision" is the
/// last.
[[nodiscard]] std::string to_json(const Form& form, const Values& values,
                                  std::optional<std::uint64_t> revision = std::nullopt);

}  // namespace form
