// One finger query, as RFC 1288 section 2.3 has it and as finger programs send it: `/W` (more words, please),
// a name, and hosts that it is to be sent on to. The line is hostile; the result points into it. Pure.
// Caller: Session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fingerd {

/// Octets of a query without its line end.
inline constexpr std::size_t kMaxQuery = 512;
/// Said to whoever sends more.
inline constexpr std::string_view kTooLong = "A query has at most 512 octets.";
static_assert(kMaxQuery == 512);

enum class Ask : std::uint8_t {
  kList,     ///< nobody in particular: the users, if they are listed
  kPerson,   ///< `user`
  kForward,  ///< more than one host: whoever the first one is, another one is to be asked
  kBad       ///< none of these: `problem`
};

struct Query {
  Ask ask = Ask::kBad;
  std::string_view user;  ///< kPerson: a local part, with its quotes if it has some, or a log-in name
  std::string_view host;  ///< kList, kPerson: the host behind the '@', or empty; kForward: the last one
  std::string_view problem = {};  ///< kBad: one sentence for the client
};

/// `line` without its line end. `/W` may stand in front, as the RFC wants it, or at the end, as old programs
/// send it; the answer is the same with it. A quoted local part may hold blanks and '@'. Control characters,
/// a tab included, and octets that are no UTF-8 are bad; so is a line over kMaxQuery, and an '@' with nothing
/// behind it.
[[nodiscard]] Query parse_query(std::string_view line);

}  // namespace fingerd
