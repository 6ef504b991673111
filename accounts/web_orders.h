// Which commands somebody who is logged in on the web may have carried out, and which of them only look. What
// stands in no table is refused, or counts as a change. The words are foreign. Pure. Caller: web_server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/directory/account.h"

namespace accounts {

enum class OrderRight : std::uint8_t {
  kNone,     ///< not for this account
  kLooks,    ///< changes nothing
  kChanges,  ///< needs the seal
};

/// Of an order for queue or story ("queue", "mailbox", "route", "mailq", "trace"). Who is no Postmaster may
/// ask for `trace --json --own --limit=N --address=OWN-ADDRESS...` (in any order, an address or more) and
/// `mailbox OWN-PRIMARY-ADDRESS --json`, in just these forms.
[[nodiscard]] OrderRight order_right(const std::vector<std::string>& words, const directory::Account& account,
                                     bool postmaster);

/// Of a command that accounts runs itself, for a Postmaster.
[[nodiscard]] OrderRight command_right(const std::vector<std::string>& words);

}  // namespace accounts
