// Application passwords: further passwords of an account, one for each mail program, that open the mailbox
// and submit mail but do not log in on the web. The server makes them, shows each once, and keeps a salted
// SHA-256 (as HMAC-SHA-256 with the salt for its key). scrypt would add nothing: it makes guesses dear, and
// 80 random bits are not to be guessed at any price; and mail programs log in every few minutes. What a
// client gives is foreign text. Storage is accounts/secrets.h. Callers: authenticate, web_server,
// app_password_commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "lib/error.h"
#include "lib/messages.h"

namespace accounts {

class Secrets;

struct AppPassword {
  std::uint32_t id = 0;  ///< within the account
  std::string name;      ///< UTF-8, what the user calls it
  po::messages::Key salt{};
  std::string hash;
  std::int64_t made = 0, used = 0;  ///< seconds since 1970; `used` to about a minute; 0: never
  std::string used_from;            ///< limit_key()
  auto fields() { return std::tie(id, name, salt, hash, made, used, used_from); }
};

inline constexpr std::size_t kMostAppPasswords = 20;        ///< of an account
inline constexpr std::size_t kLongestAppPasswordName = 64;  ///< octets

/// Sixteen characters of the base-32 alphabet without i, l, o and u, so 80 random bits:
/// "k7d2-9xqm-4vtb-h3zn".
[[nodiscard]] std::string random_app_password();
/// The sixteen characters, if it can be one: without spaces and hyphens, in lower case, with 0 for o and 1
/// for i and l.
[[nodiscard]] std::optional<std::string> app_password_core(std::string_view given);
/// Which of them it is; null if none. Takes the same time for any of them.
[[nodiscard]] const AppPassword* find_app_password(const std::vector<AppPassword>& passwords,
                                                   std::string_view given);

struct MadeAppPassword {
  std::uint32_t id = 0;
  std::string password;  ///< shown once
};
/// Permanent failure with a sentence for the user if the name will not do or there are kMostAppPasswords.
/// Changes the databases: the writer's thread.
[[nodiscard]] po::Result<MadeAppPassword> make_app_password(Secrets& secrets, std::uint64_t account,
                                                            std::string_view name, std::int64_t now);
/// Its name. Permanent failure if there is none with this number. The writer's thread.
[[nodiscard]] po::Result<std::string> revoke_app_password(Secrets& secrets, std::uint64_t account,
                                                          std::uint32_t id);

}  // namespace accounts
