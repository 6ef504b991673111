// Login names of the users who come by the local socket, as /etc/passwd had them when this process started
// (it may read nothing later): for the trace and for Trusted-UNIX-Users. Pure. Caller: the server.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace smtpd {

class LocalUsers {
 public:
  LocalUsers() = default;
  /// Lines that are none of passwd(5), and names that could not stand in a comment of a Received field, are
  /// passed over. Of two names for one number the first counts.
  explicit LocalUsers(std::string_view passwd);
  /// Empty if nobody has the number.
  [[nodiscard]] std::string name(std::uint32_t uid) const;

 private:
  std::unordered_map<std::uint32_t, std::string> names_;
};

}  // namespace smtpd
