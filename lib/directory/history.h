// The history of forms: one row for each change of a form, written in the transaction that makes the change.
// Values of passwords never stand in it. At most kMostRevisions of one form are kept, the oldest go first.
// Writer: accounts.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

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

}  // namespace directory
