// What a command of queue, story or accounts printed, as a page tells it: why it failed, or its JSON. Pure.
// Callers: the page files that ask by commands.
#pragma once

#include <string>
#include <string_view>

#include "wwwd/json_reader.h"
#include "wwwd/page.h"
#include "wwwd/visit.h"

namespace wwwd {

/// Why it failed, as a sentence for people: what stands on standard error, without the program's name before
/// it and without the usage behind it, which is for a terminal.
[[nodiscard]] std::string failure_text(const Printed& printed);
/// A notice with that sentence.
[[nodiscard]] Notice failure_notice(std::string_view title, const Printed& printed);

/// The JSON on standard output. A null value if the command failed or printed something else.
[[nodiscard]] Json json_of(const Printed& printed);
/// One value a line, as `queue list --json` prints it; none in the same cases.
[[nodiscard]] std::vector<Json> json_lines_of(const Printed& printed);

}  // namespace wwwd
