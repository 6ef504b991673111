// The pipe to queue. A Submit whose answer is lost with the pipe is neither done nor undone: it is asked for
// by its id on the next pipe, and the client hears 250 or 451 by what is said there; if nothing is said
// within 30 s of the break, 451 (smtpd(8), "What 250 means"). Everything else that was pending becomes a
// temporary failure. queue is more trusted than this process, but a frame that does not decode closes the
// pipe all the same. Caller: the server (pipes, ticks), connections (questions).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/channel.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/lost_pipe.h"
#include "smtpd/peers.h"
#include "smtpd/policy.h"

namespace smtpd {

class QueueClient {
 public:
  static constexpr auto kGiveUp = std::chrono::seconds(30);
  /// Usage answers are believed that long.
  static constexpr auto kUsageLife = std::chrono::seconds(5);

  QueueClient(const po::Loop& loop, po::Log& log) : loop_(loop), log_(log) {}

  void connect(po::Fd pipe);
  [[nodiscard]] bool ready() const {
    return channel_ && channel_->open() && channel_->backlog() < kMaxBacklog;
  }
  /// Counts pipes: a body file lives on the pipe that it came by.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  [[nodiscard]] std::size_t pending() const { return pending_.size() + lost_.size(); }

  void submit(const po::messages::Submit& message, Waiter& waiter);
  void open_body(const po::MessageId& id, Waiter& waiter);
  void drop_body(const po::MessageId& id);
  /// An answer of the last seconds, if there is one; else ask_usage().
  [[nodiscard]] std::optional<std::uint64_t> cached_usage(std::uint64_t account) const;
  void ask_usage(std::uint64_t account, Waiter& waiter);
  void start_domain(const std::string& domain, bool subdomains, Waiter& waiter);
  /// The waiter is gone. A Submit under way is still watched for the log.
  void forget(Waiter& waiter);
  /// Twice a second or so: gives up what has waited too long.
  void tick(Moment now);
  /// There will be no new pipe.
  [[nodiscard]] bool hopeless(Moment now) const { return lost_pipe_.hopeless(now); }

 private:
  static constexpr std::size_t kMaxBacklog = 64U << 20;
  static constexpr std::size_t kMaxUsages = 10'000;
  enum class What : std::uint8_t { kSubmit, kBody, kUsage, kStored, kStart };
  struct Pending {
    What what = What::kSubmit;
    Waiter* waiter = nullptr;  ///< null: gone
    po::MessageId id;
    std::uint64_t account = 0;
    Moment give_up{};  ///< of a lost Submit
  };
  struct CachedUsage {
    std::uint64_t octets = 0;
    Moment until{};
  };

  bool on_frame(po::Frame& frame);
  bool on_stored(const po::messages::Stored& answer, Pending pending);
  void on_broken();
  void ask_stored(Pending pending);
  void settle(const Pending& pending, po::Kind kind, std::string text);
  void fail(const Pending& pending);
  void fail_soon(Pending pending);
  void answer_usage(Pending pending, bool known, std::uint64_t octets);
  std::uint32_t remember(Pending pending);

  const po::Loop& loop_;
  po::Log& log_;
  std::unique_ptr<po::Channel> channel_;
  po::LostPipe lost_pipe_;
  std::uint64_t generation_ = 0;
  std::unordered_map<std::uint32_t, Pending> pending_;  // by serial
  std::vector<Pending> lost_;                           // Submits that wait for a new pipe or another try
  std::vector<Pending> failing_;                        // to be failed from the loop
  std::unordered_map<std::uint64_t, CachedUsage> usages_;
  po::Event soon_;
};

}  // namespace smtpd
