// What finger says: accounts of the directory as text. Names and finger information come from forms that
// their owners fill in, hosts and names in refusals from the client; nothing of either can move a terminal's
// cursor, forge a line or turn the direction of writing (RFC 1288 3.3). Every line ends with CRLF. Pure.
// Caller: Desk.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/directory/account.h"

namespace fingerd {

/// Accounts in one list.
inline constexpr std::size_t kMostListed = 1000;

/// `text` for a terminal: UTF-8 as it is, but '?' for each control character (a tab too), each character that
/// changes the direction of writing for what follows or separates lines, and each octet that is no UTF-8.
/// What is longer than `max` octets is cut between characters and ends in "...".
[[nodiscard]] std::string printable(std::string_view text, std::size_t max);

/// Name and primary address, then, if there is any, a rule and the finger information. Its other addresses
/// and its forwarding addresses are not shown.
[[nodiscard]] std::string account_text(const directory::Account& account);

/// "NAME <PRIMARY ADDRESS>", a line for each.
[[nodiscard]] std::string list_text(const std::vector<directory::Account>& accounts, bool cut_short);

/// "[mx.podunk.edu]", as many finger programs print it before an answer.
[[nodiscard]] std::string host_line(std::string_view hostname);

/// One line each. `user` and `host` as the client gave them.
[[nodiscard]] std::string no_account_text(std::string_view user, std::string_view host);
[[nodiscard]] std::string no_forwarding_text(std::string_view host);
[[nodiscard]] std::string no_list_text(std::string_view hostname);
/// `sentence` of our own.
[[nodiscard]] std::string line_text(std::string_view sentence);

}  // namespace fingerd
