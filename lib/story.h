// A line of the log told to people: what happened to a message, with all that the line says about it, or the
// same as JSON. Fields that it does not know it passes on as they are, so that nothing is lost. Pure; what
// strangers sent is made fit for a terminal. Callers: `post.office trace`, `queue watch`.
#pragma once

#include <string>

#include "lib/log_parse.h"

namespace po {

/// One line with its end: the time, the event, then the other fields as "key=value".
[[nodiscard]] std::string story_line(const LogRecord& record);
/// One JSON object with all fields as strings, and a line end.
[[nodiscard]] std::string story_json(const LogRecord& record);

}  // namespace po
