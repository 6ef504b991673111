// The message that welcomes a new account, in the manner of the Guide's Greeting. Pure. Caller: Errands.
#pragma once

#include <string>
#include <vector>

#include "lib/directory/account.h"

namespace queue {

struct GreetingParts {
  const directory::Account& account;     ///< has an address
  const std::vector<std::string>& text;  ///< Greeting-Text; empty: words of our own
  std::string hostname;
  std::string date;  ///< RFC 5322
  std::string id;
};

/// CRLF line ends; no line is longer than 998 octets.
[[nodiscard]] std::string make_greeting(const GreetingParts& parts);

}  // namespace queue
