#include "dispatcher/rate_history.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/text.h"

namespace dispatcher {

static std::size_t place_of(std::int64_t step) {
  return static_cast<std::size_t>(step) % RateHistory::kSteps;
}

void RateHistory::add(std::string_view module, std::uint64_t served, std::uint64_t refused,
                      std::int64_t now) {
  std::int64_t step = std::max<std::int64_t>(now, 0) / kStepSeconds;
  if (newest_ == 0) newest_ = step;
  // What the steps in between held is more than a day old.
  std::int64_t passed = std::min<std::int64_t>(step - newest_, kSteps);
  for (std::int64_t i = 1; i <= passed; ++i) {
    for (auto& [name, counts] : modules_)
      counts.served[place_of(step - passed + i)] = counts.refused[place_of(step - passed + i)] = 0;
  }
  newest_ = std::max(newest_, step);
  auto at = modules_.find(module);
  if (at == modules_.end()) at = modules_.emplace(module, Counts{}).first;
  at->second.served[place_of(newest_)] += served;
  at->second.refused[place_of(newest_)] += refused;
}

std::string RateHistory::lines_json(Steps Counts::*which, std::int64_t last) const {
  std::string out = "{";
  for (const auto& [module, counts] : modules_) {
    out += fmt::format("{}{}:[", out.size() > 1 ? "," : "", po::json_string(module));
    for (std::int64_t step = last - static_cast<std::int64_t>(kSteps) + 1; step <= last; ++step) {
      bool known = step <= newest_ && step > newest_ - static_cast<std::int64_t>(kSteps);
      out += fmt::format("{}{}", out.back() == '[' ? "" : ",", known ? (counts.*which)[place_of(step)] : 0);
    }
    out += "]";
  }
  return out + "}";
}

std::string RateHistory::json(std::int64_t now) const {
  std::int64_t last = std::max(newest_, std::max<std::int64_t>(now, 0) / kStepSeconds);
  return fmt::format("{{\"step_seconds\":{},\"end\":{},\"served\":{},\"refused\":{}}}", kStepSeconds,
                     (last + 1) * kStepSeconds, lines_json(&Counts::served, last),
                     lines_json(&Counts::refused, last));
}

}  // namespace dispatcher
