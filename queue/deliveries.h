// Hands the jobs that the scheduler starts to smtp-deliver, unix-deliver and lmtp-deliver processes, and has
// settled what they answer. A recipient is in flight from the moment its job begins until what became of it
// is committed; a deliverer that dies gives its recipients back. Also what administrators' commands ask of
// delivery. The deliverers speak with strangers: their answers are checked, and one that makes no sense costs
// its sender the pipe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/loop.h"
#include "queue/delivery_control.h"
#include "queue/notices.h"
#include "queue/office.h"
#include "queue/scheduler.h"
#include "queue/settlements.h"

namespace queue {

/// The way to one smtp-deliver, unix-deliver or lmtp-deliver process.
class Deliverer {
 public:
  virtual ~Deliverer() = default;
  /// Whether it is unix-deliver or lmtp-deliver: what it is sent are MaildropJobs alone.
  [[nodiscard]] virtual bool is_for_maildrops() const = 0;
  virtual void send(std::uint32_t serial, const po::messages::MaildropJob& job, po::Fd body) = 0;
  virtual void send(std::uint32_t serial, const po::messages::Job& job, po::Fd body) = 0;
  virtual void send(std::uint32_t serial, const po::messages::AskHosts& ask) = 0;
  /// It has not read what it was sent.
  [[nodiscard]] virtual bool is_behind() const = 0;
};

class Deliveries final : public DeliveryControl {
 public:
  explicit Deliveries(Office& office);

  void add(Deliverer& deliverer);
  /// What it was doing is done again.
  void remove(Deliverer& deliverer);
  /// False: that is no answer to anything that it was asked.
  [[nodiscard]] bool on_done(Deliverer& from, std::uint32_t serial, const po::messages::JobDone& done);
  [[nodiscard]] bool on_hosts(Deliverer& from, std::uint32_t serial, const po::messages::Hosts& hosts);
  /// Nothing is begun any more.
  void stop() { stopping_ = true; }

  /// A message is stored: what waits of it may go, and who wanted to hear of success hears.
  void accepted(const po::MessageId& id, std::string_view sender, const std::vector<store::Waiting>& waiting,
                const std::vector<Reached>& reached);
  [[nodiscard]] Settlements& settlements() { return settlements_; }
  [[nodiscard]] Notices& notices() { return notices_; }
  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }

  // ---- DeliveryControl
  [[nodiscard]] bool in_flight(const store::RecipientKey& key) const override;
  [[nodiscard]] bool claim(const store::RecipientKey& key) override;
  void let_go(const store::RecipientKey& key) override;
  void start_hop(std::string_view hop) override;
  [[nodiscard]] std::uint64_t spared_until(std::string_view hop) const override;
  [[nodiscard]] po::Result<store::Settle> fail(const po::MessageId& id,
                                               const std::vector<store::WaitingRow>& rows,
                                               std::string_view status, std::string_view why) override;
  void noticed(const store::Accept& notice, const po::MessageId& about) override;
  [[nodiscard]] po::Result<directory::Resolution> explain(std::string_view address) const override;
  [[nodiscard]] po::messages::NextHop next_hop(std::string_view address,
                                               std::string_view sender) const override;
  [[nodiscard]] po::Result<std::string> hop_by(std::string_view host,
                                               std::string_view address) const override;
  void ask_hosts(const po::messages::NextHop& hop,
                 std::function<void(const po::messages::Hosts&)> answer) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Desk {
    Deliverer* deliverer = nullptr;
    std::size_t jobs = 0;
    Clock::time_point rests_until{};  ///< it said that it stops
  };
  struct Running {
    Scheduler::Start start;
    Deliverer* by = nullptr;
    store::Head head;
    std::vector<store::WaitingRow> rows;
    Clock::time_point since;
  };
  struct Asked {
    Deliverer* by = nullptr;
    std::function<void(const po::messages::Hosts&)> answer;
  };

  void read_hops();
  void pump();
  void pump_soon();
  void arm();
  [[nodiscard]] Desk* desk_of(const Deliverer& deliverer);
  [[nodiscard]] Desk* idlest(bool maildrops);
  [[nodiscard]] bool any_free();
  void wait_for_desk(const Scheduler::Start& start);
  void end_without_desk(const Scheduler::Start& start);
  std::string keep_one_maildrop(Running& job);
  void begin(Scheduler::Start start, Desk& desk);
  [[nodiscard]] store::Result<std::vector<store::WaitingRow>> rows_of(const Scheduler::Start& start);
  void sort_out(const Scheduler::Start& start, std::vector<store::WaitingRow>& rows);
  po::Result<po::messages::NextHop> route(Running& job);
  void move_rows(const Running& job, std::vector<store::Settle::Later> moved);
  void settle_released(Running job);
  store::Result<bool> send(std::uint32_t serial, Running& job, po::messages::NextHop hop);
  store::Result<bool> begin_by_smtp(std::uint32_t serial, Running& job);
  store::Result<bool> begin_maildrops(std::uint32_t serial, Running& job);
  void end_looped(const Running& job);
  void give_back(const Scheduler::Start& start, std::uint64_t due_ms);
  void give_back_row(const Scheduler::Start& start, std::uint32_t n, std::uint64_t due_ms);
  void settle(Running job, po::messages::JobDone done);
  void settle_part(const Running& job, const po::messages::JobDone& done);
  void settle_all(const Running& job, po::messages::JobOutcome outcome);
  void end_without_answer(const Running& job, std::string_view why);
  void again_soon(std::function<void()> work);
  void check_patience();
  [[nodiscard]] Moment moment();
  [[nodiscard]] std::uint32_t chance();

  Office& office_;
  Scheduler scheduler_;
  Notices notices_;
  Settlements settlements_;
  std::vector<Desk> desks_;                          ///< the oldest first
  Clock::time_point maildrops_seen_ = Clock::now();  ///< when there was one for mail drops, or we began
  const std::uint64_t began_ms_;
  std::map<std::uint32_t, Running> running_;
  std::map<std::uint32_t, Asked> asked_;
  std::map<po::MessageId, unsigned> deaths_;  ///< deliverers that died over it
  std::uint32_t serial_ = 0;
  std::string hops_after_;
  std::vector<std::function<void()>> again_;
  po::Event pump_soon_, wake_, read_soon_, patience_, again_timer_;
  bool stopping_ = false;
  std::uint64_t random_;
};

/// Settings of form Mail Queue, as times.
[[nodiscard]] Lifetimes lifetimes_of(const directory::Settings& settings);

}  // namespace queue
