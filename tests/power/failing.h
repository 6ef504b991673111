// Each call that a load makes fails once, in each way, and the rest of the time the disk is well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace power {

struct FailingCalls {
  std::size_t calls = 0;        ///< that the load makes without faults
  std::size_t runs = 0;         ///< a call and a way to fail
  std::size_t unknown = 0;      ///< ended with: perhaps done
  std::size_t unavailable = 0;  ///< ended with: not done
  std::size_t went_on = 0;      ///< the store found a way, or did not need that call
  std::size_t wrong = 0;        ///< of the runs; each is printed
};

/// In `directory`, which is emptied for each run.
[[nodiscard]] FailingCalls fail_each_call(std::uint64_t seed, const std::string& directory);

}  // namespace power
