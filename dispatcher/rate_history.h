// What each module served and refused in the last day, in steps of ten minutes, from the counters of the
// alive notices: shown, never acted on. In memory alone; a new start begins anew. Pure: the time is passed
// in. Caller: the supervisor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace dispatcher {

class RateHistory {
 public:
  static constexpr std::int64_t kStepSeconds = 600;
  static constexpr std::size_t kSteps = 144;

  /// `now`: seconds since 1970. A clock that was put back counts into the newest step.
  void add(std::string_view module, std::uint64_t served, std::uint64_t refused, std::int64_t now);
  /// {"step_seconds":600,"end":T,"served":{"SMTP-Accept":[...]},"refused":{...}}: the oldest step first, the
  /// last one ends at `end`, which is now or still to come; a module without a count in all of it has no
  /// line.
  [[nodiscard]] std::string json(std::int64_t now) const;

 private:
  using Steps = std::array<std::uint64_t, kSteps>;
  struct Counts {
    Steps served{}, refused{};
  };
  [[nodiscard]] std::string lines_json(Steps Counts::*which, std::int64_t last) const;
  std::map<std::string, Counts, std::less<>> modules_;  ///< step n lies at n % kSteps
  std::int64_t newest_ = 0;                             ///< number of the newest step since 1970
};

}  // namespace dispatcher
