#include "dispatcher/rate_history.h"

#include <catch2/catch.hpp>
#include <sstream>
#include <vector>

using dispatcher::RateHistory;

namespace {

/// The numbers of one module's line.
std::vector<std::uint64_t> line_of(const std::string& json, const std::string& which,
                                   const std::string& module) {
  auto at = json.find("\"" + which + "\":{");
  REQUIRE(at != std::string::npos);
  std::string line = json.substr(at, json.find('}', at) - at);
  at = line.find("\"" + module + "\":[");
  if (at == std::string::npos) return {};
  at = line.find('[', at) + 1;
  std::istringstream in(line.substr(at, line.find(']', at) - at));
  std::vector<std::uint64_t> out;
  for (std::string number; std::getline(in, number, ',');) out.push_back(std::stoull(number));
  return out;
}

std::uint64_t end_of(const std::string& json) {
  return std::stoull(json.substr(json.find("\"end\":") + 6));
}

}  // namespace

constexpr std::int64_t kBegin = 1'800'000'000;  // a step begins here

TEST_CASE("history: counts of one step are added up, those of a day later are gone") {
  RateHistory history;
  history.add("SMTP-Accept", 3, 1, kBegin + 10);
  history.add("SMTP-Accept", 4, 0, kBegin + 599);
  history.add("SMTP-Accept", 5, 0, kBegin + 600);
  history.add("Queue", 7, 2, kBegin + 1300);
  std::string json = history.json(kBegin + 1400);
  CHECK(end_of(json) == kBegin + 1800);
  auto served = line_of(json, "served", "SMTP-Accept");
  REQUIRE(served.size() == RateHistory::kSteps);
  CHECK(std::vector<std::uint64_t>(served.end() - 4, served.end()) == std::vector<std::uint64_t>{0, 7, 5, 0});
  CHECK(line_of(json, "refused", "SMTP-Accept")[141] == 1);
  CHECK(line_of(json, "served", "Queue").back() == 7);
  CHECK(line_of(json, "refused", "Queue").back() == 2);

  // Time goes on without a count.
  std::int64_t day = kBegin + 600 * 143;
  served = line_of(history.json(day), "served", "SMTP-Accept");
  CHECK(served[0] == 7);
  CHECK(served[1] == 5);
  CHECK(line_of(history.json(day + 600), "served", "SMTP-Accept")[0] == 5);
  for (std::uint64_t n : line_of(history.json(day + 1200), "served", "SMTP-Accept")) CHECK(n == 0);
  // And with one: what lay where it is counted is of the day before.
  history.add("SMTP-Accept", 1, 0, day + 600);
  served = line_of(history.json(day + 600), "served", "SMTP-Accept");
  CHECK(served[0] == 5);
  CHECK(served.back() == 1);
  history.add("SMTP-Accept", 2, 0, day + 600 * 1000);
  served = line_of(history.json(day + 600 * 1000), "served", "SMTP-Accept");
  CHECK(served.back() == 2);
  CHECK(std::count(served.begin(), served.end(), 0) == 143);
}

TEST_CASE("history: a clock that is put back loses nothing") {
  RateHistory history;
  history.add("Queue", 1, 0, kBegin + 6000);
  history.add("Queue", 2, 0, kBegin);
  CHECK(line_of(history.json(kBegin), "served", "Queue").back() == 3);
  CHECK(end_of(history.json(kBegin)) == kBegin + 6600);
  CHECK(RateHistory().json(kBegin) ==
        "{\"step_seconds\":600,\"end\":1800000600,\"served\":{},\"refused\":{}}");
}
