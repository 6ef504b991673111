// Checks what a form says against its declaration and brings every value into its one right form: addresses
// completed and canonical, domains in A-labels, words in lower case. All that is wrong is collected, so that
// a person corrects a form once. The values are foreign. Callers: accounts, for every form whatever way it
// came.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/form/form.h"
#include "lib/form/text.h"

namespace form {

struct CheckContext {
  std::string completion_domain;  ///< added to addresses without a domain
  Who who = Who::kPostmaster;
  bool whole = false;              ///< a new thing is made: required fields must be there
  std::uint32_t min_password = 6;  ///< characters (Minimum-Password-Length)
};

/// Adds to `problems` what is wrong; the values are good only if nothing was added. Read-only fields are
/// skipped.
[[nodiscard]] Values check(const Form& form, const Parsed& parsed, const CheckContext& context,
                           std::vector<Problem>& problems);

/// For a new thing: which required fields `values` has not.
void check_required(const Form& form, const Values& values, int line, std::vector<Problem>& problems);

/// `Field=value`, `Field=` (empty), and for lists `Field+=value`, `Field-=value`, the latter two starting
/// from `current`. A field may be named several times: `Field=a Field=b` is a list of two. Unchecked; what is
/// wrong with the words themselves is among the problems of what comes back.
[[nodiscard]] Parsed read_words(const Form& form, const std::vector<std::string>& words,
                                const Values& current, const CheckContext& context);

}  // namespace form
