// Who calls sendmail, and where the suite is: what the system's files say. Callers: main.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace sendmail {

struct Caller {
  std::string login;      ///< of the real user; "uid1234" if nobody has this number
  std::string full_name;  ///< from the user's comment field; may be empty
};
[[nodiscard]] Caller find_caller();
/// The name in a comment field (GECOS): up to the first comma, '&' is the login name with a capital letter.
[[nodiscard]] std::string name_in_comment(std::string_view comment, std::string_view login);

struct Place {
  std::string socket;       ///< of local submission
  std::string program;      ///< post.office
  std::string config_file;  ///< empty: there is none, all has its default
  std::string hostname;
};
/// From the configuration in `file`. If the default file cannot be read by this user, or is not there, the
/// defaults count. Otherwise a sentence; the exit status is EX_CONFIG.
[[nodiscard]] tl::expected<Place, std::string> find_place(const std::string& file);

/// Now, in local time, as a Date field has it.
[[nodiscard]] std::string date_now();
/// "<...@host>", unlike any other.
[[nodiscard]] std::string new_message_id(std::string_view host);

}  // namespace sendmail
