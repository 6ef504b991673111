#include "accounts/app_passwords.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "accounts/random.h"
#include "accounts/secrets.h"
#include "lib/notice.h"
#include "lib/text.h"

namespace accounts {

namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t kCharacters = 16, kGroup = 4;
/// Of what is looked at: the characters and a separator for each, and some.
constexpr std::size_t kLongestGiven = 64;
/// Numbers short enough to be typed.
constexpr std::uint32_t kMostIds = 999'999;

std::string hash_of(const po::messages::Key& salt, std::string_view core) {
  return po::hmac_sha256(salt, core);
}

/// The character that was meant; 0 if there is none.
char meant(char c) {
  c = po::ascii_lower(c);
  if (c == 'o') return '0';
  if (c == 'i' || c == 'l') return '1';
  return kAlphabet.find(c) == std::string_view::npos ? '\0' : c;
}

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), po::is_digit);
}

/// Nothing if it will do; else the sentence to show.
std::string name_problem(std::string_view name, const std::vector<AppPassword>& others) {
  if (name.empty()) return "give the application password a name, such as the program that it is for";
  if (name.size() > kLongestAppPasswordName)
    return fmt::format("the name is longer than {} octets", kLongestAppPasswordName);
  if (!po::is_utf8(name) || po::has_control(name)) return "the name holds what is no printable text";
  if (all_digits(name)) return "the name must hold more than digits, or it would be taken for a number";
  bool taken = std::any_of(others.begin(), others.end(),
                           [&](const AppPassword& p) { return po::equal_ignoring_case(p.name, name); });
  return taken ? fmt::format("there is an application password '{}' already; revoke it first", name) : "";
}

std::uint32_t free_id(const std::vector<AppPassword>& others) {
  for (;;) {
    auto id = static_cast<std::uint32_t>(1 + random_number() % kMostIds);
    if (std::none_of(others.begin(), others.end(), [&](const AppPassword& p) { return p.id == id; }))
      return id;
  }
}

}  // namespace

std::string random_app_password() {
  std::string out;
  for (unsigned char octet : random_octets(kCharacters)) {
    if (out.size() % (kGroup + 1) == kGroup) out += '-';
    out += kAlphabet[octet % kAlphabet.size()];  // 256 is a multiple of 32: no character is likelier
  }
  return out;
}

std::optional<std::string> app_password_core(std::string_view given) {
  if (given.size() < kCharacters || given.size() > kLongestGiven) return std::nullopt;
  std::string core;
  for (char c : given) {
    if (c == ' ' || c == '-') continue;
    char wanted = meant(c);
    if (wanted == '\0' || core.size() == kCharacters) return std::nullopt;
    core += wanted;
  }
  if (core.size() != kCharacters) return std::nullopt;
  return core;
}

const AppPassword* find_app_password(const std::vector<AppPassword>& passwords, std::string_view given) {
  auto core = app_password_core(given);
  if (!core) return nullptr;
  const AppPassword* found = nullptr;
  for (const AppPassword& password : passwords)
    if (po::same_octets(hash_of(password.salt, *core), password.hash)) found = &password;
  return found;
}

po::Result<MadeAppPassword> make_app_password(Secrets& secrets, std::uint64_t account, std::string_view name,
                                              std::int64_t now) {
  auto others = secrets.app_passwords(account);
  if (!others) return tl::make_unexpected(others.error());
  name = po::trim(name);
  if (std::string problem = name_problem(name, *others); !problem.empty()) return po::permanent(problem);
  if (others->size() >= kMostAppPasswords)
    return po::permanent(
        fmt::format("an account has at most {} application passwords; revoke one that is "
                    "not used",
                    kMostAppPasswords));
  MadeAppPassword made{free_id(*others), random_app_password()};
  AppPassword kept;
  kept.id = made.id;
  kept.name = std::string(name);
  kept.salt = random_key();
  kept.hash = hash_of(kept.salt, app_password_core(made.password).value());
  kept.made = now;
  auto change = secrets.begin();
  if (!change) return tl::make_unexpected(change.error());
  if (auto ok = change->put_app_password(account, kept); !ok) return tl::make_unexpected(ok.error());
  if (auto ok = change->commit(); !ok) return tl::make_unexpected(ok.error());
  return made;
}

po::Result<std::string> revoke_app_password(Secrets& secrets, std::uint64_t account, std::uint32_t id) {
  auto all = secrets.app_passwords(account);
  if (!all) return tl::make_unexpected(all.error());
  auto found = std::find_if(all->begin(), all->end(), [&](const AppPassword& p) { return p.id == id; });
  if (found == all->end()) return po::permanent("there is no such application password");
  auto change = secrets.begin();
  if (!change) return tl::make_unexpected(change.error());
  if (auto ok = change->remove_app_password(account, id); !ok) return tl::make_unexpected(ok.error());
  if (auto ok = change->commit(); !ok) return tl::make_unexpected(ok.error());
  return found->name;
}

}  // namespace accounts
