#include "smtpd/local_users.h"

#include <algorithm>
#include <charconv>

#include "lib/text.h"

namespace smtpd {

/// "a:b:c" -> "a", and the rest behind the colon.
static std::string_view take_part(std::string_view& line) {
  std::size_t colon = std::min(line.find(':'), line.size());
  std::string_view part = line.substr(0, colon);
  line.remove_prefix(std::min(colon + 1, line.size()));
  return part;
}

static bool is_name(std::string_view name) {
  auto ok = [](char c) { return po::is_alnum(c) || c == '-' || c == '_' || c == '.' || c == '$'; };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), ok);
}

LocalUsers::LocalUsers(std::string_view passwd) {
  while (!passwd.empty()) {
    std::size_t end = std::min(passwd.find('\n'), passwd.size());
    std::string_view line = passwd.substr(0, end);
    passwd.remove_prefix(std::min(end + 1, passwd.size()));
    std::string_view name = take_part(line);
    take_part(line);  // the password, long since elsewhere
    std::string_view number = take_part(line);
    std::uint32_t uid = 0;
    auto [at, error] = std::from_chars(number.data(), number.data() + number.size(), uid);
    if (error != std::errc() || at != number.data() + number.size() || !is_name(name)) continue;
    names_.try_emplace(uid, name);
  }
}

std::string LocalUsers::name(std::uint32_t uid) const {
  auto found = names_.find(uid);
  return found == names_.end() ? std::string() : found->second;
}

}  // namespace smtpd
