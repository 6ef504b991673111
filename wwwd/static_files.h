// The style sheet, the script and the icon, part of the program: what the pages look like needs no file to be
// found. Each has a path with a number made from its content, so a browser may keep it until it changes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wwwd/response.h"

namespace wwwd {

[[nodiscard]] const std::string& style_path();
[[nodiscard]] const std::string& script_path();
[[nodiscard]] const std::string& icon_path();
/// Also the icon by the path that browsers try on pages that name none. Nothing if it is none of these.
[[nodiscard]] std::optional<Response> static_file(std::string_view path);

}  // namespace wwwd
