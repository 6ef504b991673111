// Passwords to hashes and back to a yes or no. Stored form: `$scrypt$ln=15,r=8,p=1$SALT$HASH` (base64 without
// padding); hashes of crypt(3) are read so that people can bring their users along, and are replaced at the
// next log-in that proves the password. Everything here takes as long as one scrypt, whatever the answer.
// Callers: authenticate (in a thread), administration. Nothing here logs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/error.h"

namespace accounts::password {

/// N = 2^log_n; memory is 128 * r * N octets.
struct Cost {
  unsigned log_n = 15, r = 8, p = 1;
  bool operator==(const Cost&) const = default;
};

/// scrypt (RFC 7914); empty if the cost is out of bounds (over 64 MiB, or work over eight times today's).
[[nodiscard]] std::string scrypt(std::string_view password, std::string_view salt, const Cost& cost,
                                 std::size_t octets);

/// A new hash with a random salt. Takes a tenth of a second and 32 MiB.
[[nodiscard]] std::string make_hash(std::string_view password);

/// True if `stored` is of our form with today's cost.
[[nodiscard]] bool is_current(std::string_view stored);

struct Checked {
  bool right = false;
  std::string replacement;  ///< not empty: right, and this is to be stored instead
};
/// Empty `stored` is an account that does not exist or has no password: never right, but takes as long.
[[nodiscard]] Checked check(std::string_view stored, std::string_view password);

/// What Mail-Account-Password says: a ready hash comes back as it is to be stored, plain text comes back
/// empty. A hash that would take too long to check, or that this system's crypt(3) does not know, is refused.
/// Ready are
/// `$scrypt$...`, `{crypt}` and any form of crypt(3), and those forms of crypt(3) that begin with `$` by
/// themselves.
[[nodiscard]] po::Result<std::string> ready_hash(std::string_view value);

}  // namespace accounts::password
