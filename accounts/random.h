// Random octets from OpenSSL for what must not be guessed: tokens, seals, salts, keys. No random octets is
// the end of the process. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "lib/messages.h"

namespace accounts {

[[nodiscard]] std::string random_octets(std::size_t count);
[[nodiscard]] po::messages::Key random_key();
[[nodiscard]] std::uint64_t random_number();

}  // namespace accounts
