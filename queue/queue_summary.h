// `post.office queue summary`: how many recipients wait for each next hop, and for how long, in the manner of
// qshape. Memory goes by the number of hops and is bounded: over that, further hops are counted together.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include "lib/command_task.h"
#include "queue/queue_scan.h"

namespace queue {

class QueueSummary final : public po::CommandTask {
 public:
  enum class By : std::uint8_t { kHop, kSenderDomain };
  struct Options {
    By by = By::kHop;
    bool json = false;
    std::size_t limit = 0;  ///< so many lines, the largest; 0: all
  };
  QueueSummary(std::unique_ptr<QueueScan> scan, Options options, std::uint64_t now_ms);
  Step step(po::messages::CommandOutput& out) override;

  static constexpr std::size_t kMostKeys = 100'000;
  /// Upper bounds of the columns in minutes; the last column is what is older.
  static constexpr std::array<unsigned, 9> kMinutes = {5, 10, 20, 40, 80, 160, 320, 640, 1280};

 private:
  using Counts = std::array<std::uint64_t, kMinutes.size() + 1>;
  using Lines = std::vector<std::pair<std::string_view, Counts>>;
  void count(const FoundRow& row);
  [[nodiscard]] Lines sorted() const;
  void print_text(std::string& out) const;
  void print_json(std::string& out) const;

  std::unique_ptr<QueueScan> scan_;
  Options options_;
  std::uint64_t now_ms_;
  bool begun_ = false;
  Counts total_{};
  std::array<std::uint64_t, kRowStates> states_{};
  std::uint64_t messages_ = 0;
  po::MessageId last_;
  std::map<std::string, Counts, std::less<>> by_key_;
};

}  // namespace queue
