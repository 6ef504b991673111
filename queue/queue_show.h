// `post.office queue show ID`: a message that waits: its envelope, each recipient with all that was tried and
// what comes next, and on request its header or all of it, as it lies in the store.
#pragma once

#include <memory>

#include "lib/command_task.h"
#include "queue/delivery_control.h"
#include "queue/queue_list.h"

namespace queue {

class QueueShow final : public po::CommandTask {
 public:
  enum class Part : std::uint8_t { kEnvelope, kHeaders, kContent };
  QueueShow(const store::Store& store, const DeliveryControl& control, const po::MessageId& id, Part part,
            bool json, std::uint64_t now_ms);
  Step step(po::messages::CommandOutput& out) override;

 private:
  Step begin(po::messages::CommandOutput& out);
  Step print_recipients(po::messages::CommandOutput& out);
  Step begin_body(po::messages::CommandOutput& out);
  Step print_body(po::messages::CommandOutput& out);
  void print_envelope(const store::Head& head, std::string& out) const;
  void print_recipient(const store::WaitingRow& row, std::string& out);
  void print_next(const store::WaitingRow& row, RowState state, std::string& out) const;

  const store::Store& store_;
  const DeliveryControl& control_;
  po::MessageId id_;
  Part part_;
  bool json_;
  std::uint64_t now_ms_;
  enum class Stage : std::uint8_t { kBegin, kRecipients, kBody } stage_ = Stage::kBegin;
  std::uint32_t from_ = 0;
  std::uint64_t printed_ = 0;
  store::Content body_;
  std::uint64_t body_at_ = 0;
  std::string tail_;  ///< the last octets before, for a blank line that is cut in two
};

}  // namespace queue
