#include "lib/directory/history.h"

#include "lib/directory/record.h"

namespace directory {

std::string history_of_form(std::string_view form_name) {
  return std::string("f").append(form_name).append(1, '\0');  // no name begins another
}

std::string history_of_account(std::uint64_t account) {
  return "a" + record::id_key(account);
}

}  // namespace directory
