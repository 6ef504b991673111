#include "dispatcher/trace_command.h"

#include <cstdio>

#include "dispatcher/trace_task.h"

namespace dispatcher {

int run_trace(const po::config::Config& config, const std::vector<std::string>& words) {
  auto task = make_trace_task(config.log_directory, words);
  while (true) {
    po::messages::CommandOutput piece;
    auto step = task->step(piece);
    std::fwrite(piece.out.data(), 1, piece.out.size(), stdout);
    std::fflush(stdout);
    std::fwrite(piece.err.data(), 1, piece.err.size(), stderr);
    if (step == po::CommandTask::Step::kEnd) return piece.exit_code;
  }
}

}  // namespace dispatcher
