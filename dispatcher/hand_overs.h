// Clients that inetd accepted, on their way to a process that serves them. A program that inetd started
// brings one on run/inetd (lib/inetd.h); it is passed on, and kept here until that process says that it has
// it: if the process dies before, another one gets the client. Nothing of the client is read. Who connects to
// run/inetd must be of the suite's own user, and what is not one HandOver with a TCP connection drops who
// sent it. Owned by the supervisor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/channel.h"
#include "lib/config.h"
#include "lib/listener.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/messages.h"

namespace dispatcher {

class HandOvers {
 public:
  /// Passes a client to a process of this program: the process by the number under which took() and gone()
  /// will speak of it, or 0 if none is ready.
  using Give = std::function<std::uint32_t(const std::string& program, std::uint32_t serial,
                                           const po::messages::HandedClient& handed, po::Fd client)>;
  struct Limits {
    std::size_t guests = 256;                    ///< on their way at once; more are dropped
    std::chrono::milliseconds patience{10'000};  ///< for a frame to come, and for a process to be ready
  };

  HandOvers(const po::Loop& loop, const po::config::Config& config, uid_t own, po::Log& log, Give give,
            Limits limits);
  HandOvers(const po::Loop& loop, const po::config::Config& config, uid_t own, po::Log& log, Give give)
      : HandOvers(loop, config, own, log, std::move(give), Limits{}) {}

  void open(po::Fd listener);
  /// That process has the client. False: it was never given it.
  [[nodiscard]] bool took(std::uint32_t process, std::uint32_t serial);
  /// That process is no more: its clients that it did not take go to others.
  void gone(std::uint32_t process);
  /// A process has become ready.
  void ready();
  [[nodiscard]] std::size_t guests() const { return guests_.size(); }

 private:
  enum class State { kSilent, kWaiting, kGiven, kAnswered };
  struct Guest {
    std::unique_ptr<po::Channel> program;  ///< null: it has gone, the client with it or to `process`
    State state = State::kSilent;
    std::uint32_t serial = 0;  ///< of its frame
    std::string served_by;     ///< program of the service
    po::messages::HandedClient handed;
    po::Fd client;
    std::uint32_t process = 0;
    po::Event limit;
  };

  void on_connection(po::Fd socket);
  bool on_frame(std::uint32_t number, po::Frame& frame);
  void on_closed(std::uint32_t number, std::string_view why);
  void on_limit(std::uint32_t number);
  void place(std::uint32_t number, Guest& guest);
  void answer(Guest& guest, po::Kind kind, std::string text);
  void wait(std::uint32_t number, Guest& guest);
  [[nodiscard]] const po::config::Service* find_service(std::string_view name) const;

  const po::Loop& loop_;
  const po::config::Config& config_;
  uid_t own_;
  po::Log& log_;
  Give give_;
  Limits limits_;
  std::optional<po::Listener> listener_;
  std::map<std::uint32_t, Guest> guests_;  // by number: who came first is placed first
  std::uint32_t last_number_ = 0;
};

}  // namespace dispatcher
