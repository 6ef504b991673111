// A story read from the log files, a piece of a file at a time: by the command line to its end, by story
// between other work of its loop. Reads the log directory and nothing else; nothing of the running system is
// asked, so it works on a stopped one as well. Callers: trace_command.cc, story_server.cc.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "dispatcher/trace.h"
#include "lib/command_task.h"
#include "lib/fd.h"

namespace dispatcher {

class TraceTask final : public po::CommandTask {
 public:
  /// Opens the files at the first step. Exit code 1: nothing is said about it; 77: the log cannot be read.
  TraceTask(std::string log_directory, TraceQuery query);
  ~TraceTask() override;
  Step step(po::messages::CommandOutput& out) override;

  static constexpr std::size_t kPiece = 128 * 1024;          ///< of a file, in one step
  static constexpr std::size_t kMostKept = 8 * 1024 * 1024;  ///< octets that --limit keeps in memory

 private:
  class Reader;
  enum class Phase : std::uint8_t { kOpen, kLearn, kTake, kPrint };
  po::Result<void> open();
  po::Result<bool> read_piece(po::messages::CommandOutput& out);
  void take(std::string_view line, std::string& out);
  void keep(std::string text);
  Step print_kept(po::messages::CommandOutput& out);
  Step finish(po::messages::CommandOutput& out) const;
  Step refuse(po::messages::CommandOutput& out, const po::Error& error) const;

  std::string directory_;
  TraceQuery query_;
  TraceFilter filter_;
  std::string begin_;  ///< lines that sort before it are too old
  Phase phase_ = Phase::kOpen;
  std::unique_ptr<Reader> reader_;
  std::uint64_t lines_ = 0;
  std::deque<std::string> kept_;  ///< --limit: the newest at the end
  std::size_t kept_octets_ = 0;
  bool dropped_ = false;  ///< some of the newest lines for want of memory
};

/// Of the words behind "trace"; words that are wrong make a task that says so.
[[nodiscard]] std::unique_ptr<po::CommandTask> make_trace_task(const std::string& log_directory,
                                                               const std::vector<std::string>& words);

}  // namespace dispatcher
