// The lmtp-deliver process: the pipe to queue, the jobs, and a few connections to the mail store, which the
// dispatcher makes on request, because this process may open nothing. Caller: main.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "deliver/lmtp/delivery.h"
#include "deliver/pool.h"
#include "lib/channel.h"
#include "lib/lost_pipe.h"
#include "lib/module.h"

namespace lmtp_deliver {

class Server final : public po::ModuleHandler, public Desk {
 public:
  explicit Server(po::Module& module);

  // ---- po::ModuleHandler
  void on_peer(const po::messages::Peer& peer, po::Fd pipe) override;
  bool on_control(po::Frame& frame) override;
  void on_stop(std::uint32_t seconds) override;
  po::Counters counters() override;

  // ---- Desk
  void give_back(deliver::Connection& connection) override { pool_.give(connection); }
  void wait_again(Delivery& delivery) override;
  [[nodiscard]] bool store_works() override;
  void on_done(Delivery& delivery, const po::messages::JobDone& answer) override;

 private:
  static constexpr std::size_t kMostConnections = 8;
  static constexpr std::size_t kMostJobs = 100;  ///< in memory; then queue is not read

  void connect_queue(po::Fd pipe);
  void on_queue_gone();
  bool on_job(po::Frame& frame);
  void refuse(std::uint32_t serial, const po::messages::MaildropJob& job, const char* status, const char* why,
              po::messages::HopState state);
  void read_on();
  void work_soon();
  void work();
  void tick();
  [[nodiscard]] Delivery* first_waiting();
  void stop_all(bool may_wait);
  void stop_waiting();
  void finish_if_idle();

  po::Module& module_;
  std::unique_ptr<po::Channel> queue_;
  po::LostPipe lost_pipe_;
  std::list<std::unique_ptr<Delivery>> jobs_;     ///< the oldest first
  std::vector<std::unique_ptr<Delivery>> ended_;  ///< until the turn of the loop is over
  std::set<std::uint32_t> asked_;                 ///< serials of AskConnection
  std::uint64_t served_ = 0, failures_ = 0;
  bool stopping_ = false, reading_ = true;
  po::Event work_soon_, tick_, clear_, last_call_, end_, finish_;
  deliver::Pool pool_;  ///< goes first: its connections know the jobs
};

}  // namespace lmtp_deliver
