// The history of forms: one row for each change of a form, written in the transaction that makes the change.
// Values of passwords never stand in it. At most kMostRevisions of one form are kept, the oldest go first.
// Writer: accounts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "lib/wire.h"

namespace directory {

struct Revision {
  std::uint64_t revision = 0;  ///< the directory's generation of this change
  std::int64_t at = 0;         ///< seconds since 1970
  std::string who, from, way;  ///< accounts::Caller (accounts/form_service.h)
  enum class Kind : std::uint8_t { kChanged, kAdded, kRemoved } kind = Kind::kChanged;
  struct Line {
    std::string field;
    std::vector<std::string> before, after;
    auto fields() { return std::tie(field, before, after); }
  };
  std::vector<Line> lines;   ///< of what was added: none; of what was removed: all values that it had
  std::uint64_t undoes = 0;  ///< the revision that this one took back; 0: none

  auto fields() { return std::tie(revision, at, who, from, way, kind, lines, undoes); }
};

inline constexpr std::size_t kMostRevisions = 200;
/// Of one form, in octets: its oldest rows go where they would be more. The newest stays.
inline constexpr std::size_t kMostHistoryOctets = 32U << 20;

/// What a row of the history is about: a settings form by its name, or an account.
[[nodiscard]] std::string history_of_form(std::string_view form_name);
[[nodiscard]] std::string history_of_account(std::uint64_t account);

}  // namespace directory

template <>
struct po::wire::valid_enum<directory::Revision::Kind> {
  static bool ok(directory::Revision::Kind v) { return v <= directory::Revision::Kind::kRemoved; }
};
