// A list of a form that is too long for one input: searched, added to and taken from, entry by entry. It is
// put together here and sent to accounts whole, with the revision that it was made from. Callers: the pages
// of forms.
#pragma once

#include <string_view>

#include "wwwd/form_visit.h"

namespace wwwd {

/// At `place.path` + "/list/" + the field's name; a field that is no list is not found.
void show_long_list(const VisitPtr& visit, const FormPlace& place, std::string_view field);
/// A POST with `remove` (entries, as they stand) and `add` (lines).
void edit_long_list(const VisitPtr& visit, const FormPlace& place, std::string_view field);

}  // namespace wwwd
