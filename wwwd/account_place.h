// Where the pages of one account stand, for the Postmaster who looks at it. Callers: account and access
// pages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wwwd/html.h"

namespace wwwd {

/// "/accounts/17/history" for below "/history".
[[nodiscard]] std::string account_path(std::uint64_t account, std::string_view below = {});
/// Links between the pages of an account; `here`: what is below account_path() on this one.
void write_account_tabs(Html& h, std::uint64_t account, std::string_view here);

}  // namespace wwwd
