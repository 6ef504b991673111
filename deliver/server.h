// The smtp-deliver process: pipes to queue and accounts, the jobs, and what deliveries share. Caller: main.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "deliver/delivery.h"
#include "deliver/hosts.h"
#include "deliver/lookup.h"
#include "deliver/pool.h"
#include "deliver/relay_passwords.h"
#include "lib/channel.h"
#include "lib/dns.h"
#include "lib/lost_pipe.h"
#include "lib/module.h"
#include "lib/tls.h"

namespace deliver {

/// What was read and opened before confinement.
struct Surroundings {
  std::string hosts;   ///< what /etc/hosts holds
  po::Fd authorities;  ///< the list of certificate authorities; read when it is first needed
  std::vector<po::messages::NetAddress> interfaces;
};

class Server final : public po::ModuleHandler, public Office {
 public:
  Server(po::Module& module, Surroundings surroundings);
  ~Server() override;

  // ---- po::ModuleHandler
  void on_peer(const po::messages::Peer& peer, po::Fd pipe) override;
  void on_stop(std::uint32_t seconds) override;
  po::Counters counters() override;

 private:
  static constexpr std::size_t kMostAtOnce = po::messages::kJobsAtOnce;  ///< more wait in memory
  static constexpr std::size_t kMostInMemory = 2 * kMostAtOnce;  ///< with those; then queue is not read

  struct WaitingJob {
    std::uint32_t serial = 0;
    po::messages::Job job;
    po::Fd file;
  };
  struct Question {
    std::uint32_t serial = 0;
    std::unique_ptr<Lookup> lookup;
  };

  void connect_queue(po::Fd pipe);
  bool on_frame(po::Frame& frame);
  bool on_job(po::Frame& frame);
  bool on_ask_hosts(po::Frame& frame);
  void answer_hosts(Question& question, HostList hosts);
  void begin(WaitingJob waiting);
  void begin_waiting();
  void refuse(std::uint32_t serial, const po::messages::Job& job);
  void on_queue_gone();
  void stop_all(bool may_wait, bool idle_only);
  void finish_if_idle();
  void tick();
  void clear_ended();

  // ---- Office
  const po::Loop& loop() override { return module_.loop(); }
  po::Log& log() override { return module_.log(); }
  Pool& pool() override { return pool_; }
  po::Resolver& resolver() override { return *resolver_; }
  RelayPasswords& passwords() override { return passwords_; }
  const OwnHost& own() override { return own_; }
  const Chance& chance() override { return chance_; }
  std::shared_ptr<const po::TlsContext> tls(po::messages::TlsLevel level, std::string& why) override;
  void on_done(Delivery& delivery, const po::messages::JobDone& answer) override;

  po::Module& module_;
  OwnHost own_;
  Chance chance_;
  po::Fd authorities_;
  std::unique_ptr<po::Resolver> resolver_;
  std::shared_ptr<const po::TlsContext> any_certificate_, verified_;
  RelayPasswords passwords_;
  std::unique_ptr<po::Channel> queue_;
  po::LostPipe lost_pipe_;
  std::vector<Question> questions_, answered_;
  std::deque<WaitingJob> waiting_;
  std::uint64_t served_ = 0, failures_ = 0;
  bool stopping_ = false, reading_ = true;
  Pool pool_;  // its connections go before what they use, and after those who have them
  std::unordered_map<Delivery*, std::shared_ptr<Delivery>> deliveries_;
  std::vector<std::shared_ptr<Delivery>> ended_;
  po::Event tick_, clear_, last_call_, end_, finish_;
};

}  // namespace deliver
