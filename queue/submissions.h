// Messages on their way from an smtpd into the store: Submit, OpenBody, DropBody, AskStored. One object for
// all pipes, because a message outlives the pipe it came on: its smtpd may have lost the pipe and ask on a
// new one.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/fd.h"
#include "lib/messages.h"
#include "queue/brake.h"
#include "queue/deliveries.h"
#include "queue/office.h"

namespace queue {

/// Bodies that were opened on one pipe and are neither submitted nor dropped: who may speak of a file is who
/// asked for it.
using OpenBodies = std::set<po::MessageId>;
inline constexpr std::size_t kMaxOpenBodies = 4096;  ///< a pipe

class Submissions {
 public:
  using Reply = std::function<void(const po::messages::Submitted&)>;
  using StoredReply = std::function<void(const po::messages::Stored&)>;
  Submissions(Office& office, Deliveries& deliveries) : office_(office), deliveries_(deliveries) {}

  void submit(po::messages::Submit&& submit, OpenBodies& open, Reply reply);
  /// The descriptor is set if the answer is done.
  [[nodiscard]] po::messages::BodyFile open_body(const po::MessageId& id, OpenBodies& open, po::Fd& fd);
  void drop_body(const po::MessageId& id, OpenBodies& open);
  void drop_all(OpenBodies& open);
  /// Answers when nothing of that id is on its way any more.
  void ask_stored(const po::MessageId& id, StoredReply reply);

 private:
  struct Work {
    Reply reply;
    std::size_t octets = 0;
    bool in_file = false;
    std::chrono::steady_clock::time_point since;
    std::string sender, first, session;  ///< for the log
    std::uint64_t size = 0;
    std::size_t recipients = 0;
    std::vector<StoredReply> waiting;
    // What there is to do when it is stored.
    std::vector<store::Waiting> elsewhere;
    std::vector<Reached> reached;
  };
  void refuse(bool in_file, const Reply& reply, const po::messages::Submitted& why);
  /// Why not, if the sender is over its limit of recipients elsewhere; then the Postmaster hears of it.
  [[nodiscard]] std::optional<std::string> brake(const store::Accept& accept);
  void tell_postmaster(const BrakedSender& sender, const store::Accept& accept, const BrakeVerdict& verdict);
  void keep_body(store::Accept accept);
  void write(store::Accept accept);
  void finish(const po::MessageId& id, const store::Result<std::uint64_t>& result);
  po::messages::Submitted answer(const po::MessageId& id, const store::Result<std::uint64_t>& result);
  po::messages::Stored look(const po::MessageId& id);
  void log_stored(const po::MessageId& id, const Work& work);

  Office& office_;
  Deliveries& deliveries_;
  std::map<po::MessageId, Work> work_;
  Brake brake_;
};

}  // namespace queue
