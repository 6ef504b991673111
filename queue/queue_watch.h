// `post.office queue watch`: what queue writes into its log about messages, told as it happens, until the
// terminal goes. All that watch share one ear; a terminal that does not keep up misses lines and is told how
// many.
#pragma once

#include <set>
#include <string>

#include "lib/command_task.h"
#include "lib/log.h"
#include "lib/log_parse.h"
#include "lib/loop.h"
#include "queue/queue_filter.h"

namespace queue {

class QueueWatch;

/// Listens to the log while somebody watches.
class Watchers {
 public:
  explicit Watchers(po::Log& log) : log_(log) {}
  void add(QueueWatch* watch);
  void remove(QueueWatch* watch);

 private:
  void on_line(std::string_view line);
  po::Log& log_;
  std::set<QueueWatch*> watches_;
};

class QueueWatch final : public po::CommandTask {
 public:
  /// `greeting` comes first.
  QueueWatch(const po::Loop& loop, Watchers& watchers, QueueFilter filter, bool json, std::string greeting);
  ~QueueWatch() override;
  Step step(po::messages::CommandOutput& out) override;
  void on_record(const po::LogRecord& record);

  static constexpr std::size_t kMostText = 256 * 1024;

 private:
  [[nodiscard]] bool takes(const po::LogRecord& record) const;
  Watchers& watchers_;
  QueueFilter filter_;
  bool json_;
  std::string text_;
  std::uint64_t missed_ = 0;
  po::Event alive_;
};

}  // namespace queue
