#include "accounts/password.h"

#include <crypt.h>
#include <fmt/core.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <charconv>
#include <memory>
#include <optional>
#include <string>

#include "lib/text.h"

namespace accounts::password {
namespace {

constexpr Cost kCost;
constexpr std::size_t kSaltOctets = 16, kHashOctets = 32;
constexpr std::uint64_t kMostMemory = 64ULL << 20;
constexpr std::uint64_t kMostWork = 256ULL << 20;  // memory times p: eight of today's hashes
constexpr unsigned kMostParallel = 16;
constexpr std::string_view kPrefix = "$scrypt$";
constexpr std::string_view kCryptPrefix = "{crypt}";
/// Rounds of SHA-crypt and costs of bcrypt that stay below a second or so.
constexpr unsigned kMostRounds = 1'000'000, kMostBcrypt = 14;

struct Hash {
  Cost cost;
  std::string salt, octets;
};

std::uint64_t memory_of(const Cost& c) {
  return 128ULL * c.r << c.log_n;
}

bool in_bounds(const Cost& c) {
  return c.log_n >= 1 && c.log_n <= 20 && c.r >= 1 && c.r <= 64 && c.p >= 1 && c.p <= kMostParallel &&
         memory_of(c) <= kMostMemory && memory_of(c) * c.p <= kMostWork;
}

std::string unpadded_base64(std::string_view octets) {
  std::string text = po::base64_encode(octets);
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

std::optional<std::string> decode_unpadded(std::string_view text) {
  std::string padded(text);
  while (padded.size() % 4 != 0) padded.push_back('=');
  return po::base64_decode(padded);
}

/// Takes `name` and a number off the front.
bool take_number(std::string_view& text, std::string_view name, unsigned& number) {
  if (text.substr(0, name.size()) != name) return false;
  text.remove_prefix(name.size());
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::optional<Hash> parse(std::string_view text) {
  if (text.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  Hash hash;
  if (!take_number(text, "ln=", hash.cost.log_n) || !take_number(text, ",r=", hash.cost.r) ||
      !take_number(text, ",p=", hash.cost.p) || text.empty() || text[0] != '$')
    return std::nullopt;
  auto dollar = text.find('$', 1);
  if (dollar == std::string_view::npos) return std::nullopt;
  auto salt = decode_unpadded(text.substr(1, dollar - 1));
  auto octets = decode_unpadded(text.substr(dollar + 1));
  if (!salt || !octets || octets->size() < 16 || octets->size() > 64) return std::nullopt;
  hash.salt = std::move(*salt);
  hash.octets = std::move(*octets);
  return hash;
}

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool crypt_matches(const std::string& stored, std::string_view password) {
  // crypt(3) ends at the first NUL: a password that holds one would match a shorter one.
  if (password.size() >= CRYPT_MAX_PASSPHRASE_SIZE || password.find('\0') != std::string_view::npos)
    return false;
  auto data = std::make_unique<crypt_data>();  // 32 KiB
  std::string plain(password);
  const char* made = crypt_r(plain.c_str(), stored.c_str(), data.get());
  // A failure comes back as a string that begins with '*'.
  bool right = made != nullptr && made[0] != '*' && same(made, stored);
  OPENSSL_cleanse(plain.data(), plain.size());
  OPENSSL_cleanse(data.get(), sizeof *data);
  return right;
}

/// Why this hash of crypt(3) is not taken; nothing if it is.
std::optional<std::string> crypt_refusal(const std::string& hash) {
  if (hash.size() >= CRYPT_OUTPUT_SIZE || hash.find('\0') != std::string::npos)
    return "this is no password hash that crypt(3) knows";
  int salt = crypt_checksalt(hash.c_str());
  if (salt != CRYPT_SALT_OK && salt != CRYPT_SALT_METHOD_LEGACY)
    return "this is no password hash that crypt(3) of this system knows";
  unsigned cost = 0;
  std::string_view rest(hash);
  if (rest.substr(0, 3) == "$5$" || rest.substr(0, 3) == "$6$") {
    rest.remove_prefix(3);
    if (take_number(rest, "rounds=", cost) && cost > kMostRounds)
      return fmt::format("this hash takes too long to check (more than {} rounds)", kMostRounds);
  } else if (rest.substr(0, 2) == "$2" && rest.size() > 4) {
    rest.remove_prefix(4);
    if (take_number(rest, "", cost) && cost > kMostBcrypt)
      return fmt::format("this hash takes too long to check (bcrypt cost over {})", kMostBcrypt);
  } else if (rest.substr(0, 3) == "$y$" || rest.substr(0, 4) == "$gy$" || rest.substr(0, 3) == "$7$") {
    // Parameters are one character each; in all three the cost stands in an alphabet ./0-9A-Za-z of which the
    // first 18 or so stay below 64 MiB.
    std::size_t at = rest[1] == '7' ? 3 : rest[1] == 'g' ? 5 : 4;
    constexpr std::string_view kModest = "./0123456789ABCDEF";
    if (at >= rest.size() || kModest.find(rest[at]) == std::string_view::npos)
      return "this hash takes too long to check";
  }
  return std::nullopt;
}

/// Forms that nobody takes for a password by accident: a method, and as long as its hashes are.
bool looks_like_crypt(std::string_view value) {
  for (std::string_view method : {"$1$", "$2a$", "$2b$", "$2x$", "$2y$", "$5$", "$6$", "$7$", "$y$", "$gy$"})
    if (value.substr(0, method.size()) == method) return value.size() >= 26 && value.find(' ') == value.npos;
  return false;
}

}  // namespace

std::string scrypt(std::string_view password, std::string_view salt, const Cost& cost, std::size_t octets) {
  if (!in_bounds(cost)) return {};
  std::string out(octets, '\0');
  int ok =
      EVP_PBE_scrypt(password.data(), password.size(), reinterpret_cast<const unsigned char*>(salt.data()),
                     salt.size(), 1ULL << cost.log_n, cost.r, cost.p, 2 * kMostMemory,
                     reinterpret_cast<unsigned char*>(out.data()), out.size());
  return ok == 1 ? out : std::string();
}

std::string make_hash(std::string_view password) {
  std::string salt(kSaltOctets, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), kSaltOctets) != 1)
    po::panic("no random octets");
  std::string hash = scrypt(password, salt, kCost, kHashOctets);
  if (hash.empty()) po::panic("scrypt failed");
  return fmt::format("{}ln={},r={},p={}${}${}", kPrefix, kCost.log_n, kCost.r, kCost.p, unpadded_base64(salt),
                     unpadded_base64(hash));
}

bool is_current(std::string_view stored) {
  auto hash = parse(stored);
  return hash && hash->cost == kCost && hash->octets.size() == kHashOctets;
}

Checked check(std::string_view stored, std::string_view password) {
  if (auto hash = parse(stored)) {
    std::string made = scrypt(password, hash->salt, hash->cost, hash->octets.size());
    bool right = !made.empty() && same(made, hash->octets);
    OPENSSL_cleanse(made.data(), made.size());
    return {right, right && !is_current(stored) ? make_hash(password) : std::string()};
  }
  bool right = !stored.empty() && crypt_matches(std::string(stored), password);
  // Always made, so that the time does not tell which accounts exist or were imported.
  std::string replacement = make_hash(password);
  return {right, right ? std::move(replacement) : std::string()};
}

po::Result<std::string> ready_hash(std::string_view value) {
  if (value.substr(0, kPrefix.size()) == kPrefix) {
    auto hash = parse(value);
    if (!hash)
      return po::permanent("this begins as an scrypt hash, but is none: $scrypt$ln=N,r=N,p=N$salt$hash");
    if (!in_bounds(hash->cost)) return po::permanent("this hash takes too much memory or time to check");
    return std::string(value);
  }
  bool marked = po::starts_with_ignoring_case(value, kCryptPrefix);
  if (!marked && !looks_like_crypt(value)) return std::string();
  std::string hash(marked ? value.substr(kCryptPrefix.size()) : value);
  if (auto refusal = crypt_refusal(hash)) return po::permanent(*refusal);
  return hash;
}

}  // namespace accounts::password
