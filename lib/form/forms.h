// The forms of the system. Each is declared here once; a field's name in a settings form is that of its
// setting in lib/directory/settings.h (a unit test holds the two together). Fields that are only shown are no
// settings: whoever shows the form fills them in.
#pragma once

#include <array>
#include <string_view>

#include "lib/form/form.h"

namespace form {

[[nodiscard]] const Form& account_data();
/// What an account's owner sees of account_data(), made from its declaration: what he may not change is shown
/// only.
[[nodiscard]] const Form& individual_account_information();
/// What new accounts begin as, made from account_data() likewise: without what is each account's own.
[[nodiscard]] const Form& default_account();
/// Shown only: a line for each account.
[[nodiscard]] const Form& list_of_accounts();
[[nodiscard]] const Form& system_configuration();
[[nodiscard]] const Form& system_security();
[[nodiscard]] const Form& mail_routing();
[[nodiscard]] const Form& channel_aliases();
[[nodiscard]] const Form& mail_queue();
[[nodiscard]] const Form& greeting();
[[nodiscard]] const Form& system_information();

[[nodiscard]] const std::array<const Form*, 11>& all_forms();
/// Whether it is a form of one account: account_data() or individual_account_information().
[[nodiscard]] bool is_of_account(const Form& form);
/// Whether its fields are settings.
[[nodiscard]] bool is_of_settings(const Form& form);
/// By name or title, letter case, spaces and punctuation aside; null if there is none.
[[nodiscard]] const Form* find_form(std::string_view name);

}  // namespace form
