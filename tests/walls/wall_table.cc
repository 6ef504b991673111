// build/tests/wall_table [UID]: prints the table of internals.7's PRIVILEGES in action: a line for each call,
// what it says without walls, and what it says in each row, with Landlock as the kernel has it, as Debian 12
// has it, and with none. As root, UID (default: that of root) is who tries. The exit status is 1 if anything
// forbidden was let through.
#include <fmt/core.h>

#include <cstdlib>
#include <stdexcept>

#include "tests/unit/walls/trial.h"

namespace {

using walls::Outcome;

struct Column {
  walls::Walls walls;
  std::vector<Outcome> outcomes;
};

struct Counts {
  std::size_t refused = 0, given = 0, through = 0, shown = 0;
};

std::string cell(const walls::Call& call, const Column& column, const Outcome& outcome, Counts& counts) {
  bool given = call.given != nullptr && call.given(*column.walls.row, column.walls.landlock);
  bool good = given != outcome.refused();
  ++(!good ? counts.through : given ? counts.given : counts.refused);
  return good ? given ? "given" : outcome.text() : "!" + outcome.text();
}

int print_table(uid_t uid) {
  walls::Scene scene(uid);
  const auto& calls = walls::calls();
  std::vector<Outcome> control = walls::try_calls(scene, {}, calls);
  std::vector<Column> columns;
  fmt::print("{:<62} {:<12}", "", "no walls");
  for (const auto& row : po::sandbox::table()) {
    for (int version : walls::landlock_versions()) {
      columns.push_back({{&row, version}, {}});
      columns.back().outcomes = walls::try_calls(scene, columns.back().walls, calls);
      fmt::print(" {:>8}/{}", row.executable, version);
    }
  }
  Counts counts;
  const char* group = "";
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].group != std::string_view(group)) fmt::print("\n-- {}", calls[i].group);
    group = calls[i].group;
    fmt::print("\n{:<62} {:<12}", calls[i].name, control[i].text());
    counts.shown += !control[i].refused();
    for (const Column& c : columns) fmt::print(" {:>10}", cell(calls[i], c, c.outcomes[i], counts));
  }
  fmt::print("\n\n{} rows, {} calls, {} cells: {} refused, {} given by the row, {} wrong (!)\n",
             po::sandbox::table().size(), calls.size(), columns.size() * calls.size(), counts.refused,
             counts.given, counts.through);
  fmt::print(
      "{} of the calls do something, or fail in another way, without walls; of the others the kernel or this "
      "user has none\n",
      counts.shown);
  return counts.through == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return print_table(argc > 1 ? static_cast<uid_t>(std::atoi(argv[1])) : static_cast<uid_t>(-1));
  } catch (const std::runtime_error& e) {
    fmt::print(stderr, "wall_table: {}\n", e.what());
    return 2;
  }
}
