// An account as the values of its Account Data form, and back. Values must have been checked by form::check.
// Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/directory/account.h"
#include "lib/form/form.h"

namespace accounts {

/// The form field that holds a password; its value never comes from an account.
inline constexpr std::string_view kPasswordField = "Mail-Account-Password";

[[nodiscard]] form::Values account_values(const directory::Account& account);
/// Changes what `values` names.
void apply_values(const form::Values& values, directory::Account& account);
/// The value of a field with one; empty if it is empty or was not given.
[[nodiscard]] std::string_view one_value(const form::Values& values, std::string_view field);
/// Empty of the Default Account.
[[nodiscard]] inline std::string primary_address(const directory::Account& account) {
  return account.addresses.empty() ? std::string() : account.addresses[0];
}
/// The Postmaster always has one.
[[nodiscard]] inline bool has_mailbox(const directory::Account& account) {
  return account.pop3_delivery || account.id == directory::kPostmaster;
}
/// What one field alone cannot tell: an account's mail has to go somewhere.
void check_account(const directory::Account& account, int line, std::vector<form::Problem>& problems);

}  // namespace accounts
