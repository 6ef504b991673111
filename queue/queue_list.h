// `post.office queue list`: one line for each waiting recipient, or one JSON object a line; and `mailq`, the
// same in the form that Sendmail and Postfix print and that scripts read.
#pragma once

#include <memory>

#include "lib/command_task.h"
#include "queue/queue_scan.h"

namespace queue {

class QueueList final : public po::CommandTask {
 public:
  enum class Form : std::uint8_t { kText, kJson, kMailq };
  /// `limit`: so many recipients at most.
  QueueList(std::unique_ptr<QueueScan> scan, Form form, std::uint64_t limit, std::uint64_t now_ms);
  Step step(po::messages::CommandOutput& out) override;

 private:
  void print(const FoundRow& row, std::string& out);
  void print_mailq(const FoundRow& row, std::string& out);
  Step finish(po::messages::CommandOutput& out) const;

  std::unique_ptr<QueueScan> scan_;
  Form form_;
  std::uint64_t limit_, now_ms_;
  std::uint64_t printed_ = 0, messages_ = 0, octets_ = 0;
  po::MessageId last_;
};

/// One recipient as JSON, with all its attempts if `attempts`; without a line end.
[[nodiscard]] std::string row_json(const store::WaitingRow& row, RowState state, bool attempts);

}  // namespace queue
