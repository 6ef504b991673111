// Starts, watches, restarts and stops the processes of one instance. Trusts nothing that a child says: an
// unexpected frame costs the child its life, not the dispatcher's. start.cc owns it; control.cc holds what an
// administrator may ask.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "dispatcher/certificates.h"
#include "dispatcher/hand_overs.h"
#include "dispatcher/logs.h"
#include "dispatcher/maildrop_maker.h"
#include "dispatcher/notices.h"
#include "dispatcher/rate_history.h"
#include "dispatcher/restart.h"
#include "dispatcher/run_state.h"
#include "dispatcher/services.h"
#include "dispatcher/status.h"
#include "dispatcher/wiring.h"
#include "lib/channel.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/notice.h"

namespace dispatcher {

class Supervisor {
 public:
  struct Hooks {
    std::function<void()> on_ready;  ///< all processes serve, for the first time
    std::function<void(const std::string&)>
        on_start_failed;  ///< one of them will not come up; stop() follows
  };

  Supervisor(const po::Loop& loop, Instance& instance, LogFiles& files, po::Log& log,
             Incarnations& incarnations, Hooks hooks);

  [[nodiscard]] po::Result<void> begin();
  /// Drains for at most 10 s, then calls `when_gone` once.
  void stop(std::string_view why, std::function<void()> when_gone);
  [[nodiscard]] bool stopping() const { return phase_ != Phase::kRunning; }
  /// For SIGCHLD.
  void reap();
  /// New certificates, log files, process numbers. Says in words what has changed and what needs more.
  [[nodiscard]] po::Result<std::string> reload();
  /// All modules anew, the listening sockets kept.
  void restart_modules();
  [[nodiscard]] std::vector<StatusRow> rows() const;

  /// What accounts asks in an administrator's name ends up here.
  using OnStopAsked = std::function<void()>;
  void set_on_stop_asked(OnStopAsked f) { on_stop_asked_ = std::move(f); }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase { kRunning, kDraining, kClosing };
  enum class State { kWaiting, kStarting, kUp, kStopping, kDown };

  struct Child {
    explicit Child(ChildSpec s) : spec(std::move(s)) {}
    ChildSpec spec;
    State state = State::kWaiting;
    pid_t pid = 0;
    std::unique_ptr<po::Channel> control;
    std::uint32_t incarnation = 0;
    std::optional<po::NoticeReader> notices_in;
    std::optional<po::NoticeWriter> notices_out;
    std::uint16_t notice_port = 0;
    Clock::time_point started{};
    std::optional<Clock::time_point> last_alive;
    po::messages::Notice last;
    double rate = 0;
    unsigned restarts = 0;
    bool dismissed = false;  ///< reload wants fewer: not started again
    Backoff backoff;
    po::Event restart_timer, ready_timer;
  };

  void advance();
  void start_child(Child& child);
  [[nodiscard]] po::Result<void> try_start(Child& child);
  [[nodiscard]] po::Result<void> wire(Child& child, const WelcomeParts& parts);
  bool on_frame(Child& child, po::Frame& frame);
  void on_ready(Child& child);
  std::uint32_t give_client(const std::string& program, std::uint32_t serial,
                            const po::messages::HandedClient& handed, po::Fd client);
  bool on_administer(Child& child, const po::Frame& frame);
  bool on_pass_command(Child& child, po::Frame& frame);
  bool on_ask_connection(Child& child, const po::Frame& frame);
  bool on_make_maildrop(Child& child, const po::Frame& frame);
  void on_control_closed(Child& child, std::string_view why);
  void on_death(Child& child, int status);
  void schedule_restart(Child& child, std::chrono::milliseconds lived);
  void on_datagram(std::string_view datagram);
  void on_alive(Child& child, const po::messages::Notice& notice);
  void after_death_while_stopping();
  void send_stop(bool servers, std::uint32_t seconds);
  void kill_all(bool servers_only);
  [[nodiscard]] bool any_alive(bool servers_only) const;
  void send_certificates(Child& child);
  void enter(Child& child, State state);
  void send_facts();
  void hand_out_log();
  void look_after_log();
  std::string apply_services(const po::config::Config& fresh);
  Child* find(po::messages::Role role);
  [[nodiscard]] StatusHead head() const;

  const po::Loop& loop_;
  Instance& instance_;
  LogFiles& files_;
  po::Log& log_;
  Incarnations& incarnations_;
  Hooks hooks_;
  OnStopAsked on_stop_asked_;
  NoticeHub hub_;
  RateHistory history_;
  po::messages::Key ticket_key_ = random_key();
  po::messages::Key order_key_ = random_key();
  SessionTicketKeys session_keys_;
  std::list<Child> children_;
  std::optional<HandOvers> hand_overs_;
  MaildropMaker maildrops_;
  std::uint32_t turn_ = 0;  ///< whose turn it is to be given a client
  Phase phase_ = Phase::kRunning;
  bool announced_ = false;
  std::function<void()> when_gone_;
  po::Event drain_deadline_, last_deadline_, log_timer_, session_keys_timer_, advance_soon_, facts_soon_,
      gone_, asked_;
  const Clock::time_point began_ = Clock::now();
};

}  // namespace dispatcher
