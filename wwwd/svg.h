// Pictures of what happened over the last day, drawn on the server: for each rate a row of bars with its sum
// and its peak in words, and below them a table of the same numbers by the hour, for who does not see
// pictures or wants to know it exactly. Colours come from the style sheet by class. Pure. Caller: the front
// page.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "wwwd/html.h"

namespace wwwd {

struct Rate {
  std::string name;  ///< "Messages taken in"
  std::string one;   ///< "message"; with an s behind it for several
  /// In each step of time; nothing where nobody counted (the system stood still).
  std::vector<std::optional<std::uint64_t>> counts;
  bool bad = false;  ///< the more of them, the worse: another colour
};

struct Rates {
  std::time_t end = 0;  ///< of the last step
  std::chrono::seconds step{900};
  std::vector<Rate> rates;  ///< of one length
};

/// At most so many steps are drawn, the last ones.
inline constexpr std::size_t kMostBars = 192;

/// A figure for each of them, and a table in a details element.
void draw_rates(Html& html, const Rates& rates);

}  // namespace wwwd
