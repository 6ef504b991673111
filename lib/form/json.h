// Forms and lists as JSON (RFC 8259), for --json. Pure. Callers: lib/form/changes, the commands of accounts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/form/form.h"

namespace form {

/// {"User's-Real-Name": "Janie Lee", "Internet-Addresses": [..], ...}: lists are arrays, numbers numbers, yes
/// and no true and false, what is empty null; passwords are left out. With a revision, "Form-Revision" is the
/// last.
[[nodiscard]] std::string to_json(const Form& form, const Values& values,
                                  std::optional<std::uint64_t> revision = std::nullopt);

/// `json_of` gives each item as JSON.
template <class T, class F>
[[nodiscard]] std::string json_array(const std::vector<T>& list, F&& json_of) {
  std::string out = "[";
  for (const T& item : list) out.append(out.size() > 1 ? ", " : "").append(json_of(item));
  return out + "]";
}

}  // namespace form
