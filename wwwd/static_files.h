// The style sheet and the script, part of the program: what the pages look like needs no file to be found.
// Each has a path with a number made from its content, so a browser may keep it until it changes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wwwd/response.h"

namespace wwwd {

[[nodiscard]] const std::string& style_path();
[[nodiscard]] const std::string& script_path();
/// Nothing if it is none of the two.
[[nodiscard]] std::optional<Response> static_file(std::string_view path);

}  // namespace wwwd
