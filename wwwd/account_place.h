// Where the pages of the accounts stand, for the Postmaster who looks at them, and the beginning of their
// list. Callers: account and access pages, the front page.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/web_messages.h"
#include "wwwd/html.h"

namespace wwwd {

/// "/accounts/17/history" for below "/history".
[[nodiscard]] std::string account_path(std::uint64_t account, std::string_view below = {});
/// Links between the pages of an account; `here`: what is below account_path() on this one.
void write_account_tabs(Html& h, std::uint64_t account, std::string_view here);

/// What accounts is asked for the List of Accounts as it begins: by address, the first few.
[[nodiscard]] po::messages::WebAskAccounts first_accounts();
/// The answer to that: search and table, whose links lead to /accounts.
void write_accounts(Html& h, const po::messages::WebAccounts& list);

}  // namespace wwwd
