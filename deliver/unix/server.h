// The unix-deliver process: jobs of queue, each a message for the mail drop of one user of this host. One
// drop is written at a time, whole, between two turns of the loop; who finds a drop locked, or not there yet,
// comes again. Caller: main.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "deliver/content.h"
#include "deliver/unix/mail_drop.h"
#include "lib/channel.h"
#include "lib/lost_pipe.h"
#include "lib/module.h"

namespace unix_deliver {

class Server final : public po::ModuleHandler {
 public:
  Server(po::Module& module, MailDrops drops);

  // ---- po::ModuleHandler
  void on_peer(const po::messages::Peer& peer, po::Fd pipe) override;
  bool on_control(po::Frame& frame) override;
  void on_stop(std::uint32_t seconds) override;
  po::Counters counters() override;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMostJobs = 100;  ///< in memory; then queue is not read

  struct Job {
    std::uint32_t serial = 0;
    std::shared_ptr<const po::messages::MaildropJob> job;
    std::unique_ptr<deliver::Content> content;
    Clock::time_point not_before{};
    std::optional<Clock::time_point> locked_since;
    std::uint32_t asked = 0;              ///< the serial of MakeMaildrop, while its answer is awaited
    std::optional<std::string> not_made;  ///< it was asked for; why it was not made, if it was not
  };
  using JobAt = std::list<Job>::iterator;

  void connect_queue(po::Fd pipe);
  bool on_job(po::Frame& frame);
  void on_queue_gone();
  void work_soon();
  void work();
  void attempt(JobAt job);
  void make_drop(Job& job);
  void settle(JobAt job, po::Kind kind, std::string words, std::string status, bool unseen = false);
  void give_all_back();
  void finish_if_idle();

  po::Module& module_;
  MailDrops drops_;
  std::unique_ptr<po::Channel> queue_;
  po::LostPipe lost_pipe_;
  std::list<Job> jobs_;
  std::uint64_t served_ = 0, failures_ = 0;
  bool stopping_ = false, reading_ = true;
  po::Event work_soon_, wake_, tick_, finish_;
};

}  // namespace unix_deliver
