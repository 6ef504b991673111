// What differs between two states of a form, field by field: what a check shows, a history keeps and an undo
// takes back. Pure. Caller: accounts.
#pragma once

#include <string>
#include <vector>

#include "lib/directory/history.h"
#include "lib/form/form.h"
#include "lib/form/text.h"

namespace form {

/// In the order of the form. Fields that `after` does not name, and passwords, do not differ.
[[nodiscard]] std::vector<directory::Revision::Line> changes_between(const Form& form, const Values& before,
                                                                     const Values& after);
/// Those of `list` that are not in `other`, in their order: what went, or the other way round what came.
[[nodiscard]] std::vector<std::string> missing_in(const std::vector<std::string>& list,
                                                  const std::vector<std::string>& other);
/// The line of a field, or where the form begins if it does not name it.
[[nodiscard]] int line_of(const Parsed& where, std::string_view field);

/// One line: "Relay-Domains: [a.org] -> [a.org] [b.org]"; of a long list what came and went:
/// "Relay-Domains: + [b.org] - [c.org]".
[[nodiscard]] std::string change_text(const directory::Revision::Line& line);
/// {"field": "...", "before": [...], "after": [...]}
[[nodiscard]] std::string change_json(const directory::Revision::Line& line);

}  // namespace form
