// What a change of an account leaves for queue to do, because only queue may touch mailboxes: one row for
// each, written in the transaction that makes the change. queue reads them in order and remembers how far it
// came, so a row is not changed when it is done. Writer: accounts.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <tuple>

#include "lib/wire.h"

namespace directory {

/// Errands are done in this order: by the generation of their change, then as they were written in it.
struct ErrandPosition {
  std::uint64_t generation = 0, number = 0;
  auto operator<=>(const ErrandPosition&) const = default;
};

struct Errand {
  enum class Kind : std::uint8_t {
    kDeleteMailbox = 1,  ///< all mail of `account`, which is gone
    kHandOver = 2,       ///< all mail of `account`, which is gone, goes into the mailbox of `to`
    kGreet = 3,          ///< the Greeting's text into the mailbox of the new `account`
  };
  Kind kind = Kind::kDeleteMailbox;
  std::uint64_t account = 0;
  std::uint64_t to = 0;     ///< kHandOver
  std::string address;      ///< primary address of `account`
  ErrandPosition position;  ///< of the key, not of the record

  auto fields() { return std::tie(kind, account, to, address); }
};

/// The oldest go where there would be more: queue did them long ago.
inline constexpr std::size_t kMostErrands = 1'000'000;

}  // namespace directory

template <>
struct po::wire::valid_enum<directory::Errand::Kind> {
  static bool ok(directory::Errand::Kind v) {
    return v >= directory::Errand::Kind::kDeleteMailbox && v <= directory::Errand::Kind::kGreet;
  }
};
