// One client's connection: octets of its Stream become events of its Session, actions become octets and
// questions to accounts, queue and DNS. Keeps the messages that were fetched ahead (bounded by the session's
// window and read-ahead; while a client pauses, none) and sends large ones from their file in pieces as the
// client takes them, so no message is ever in memory whole unless it is small. Owned by Server, which also
// calls check_time().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "lib/dns.h"
#include "lib/dot_encoder.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/stream.h"
#include "pop3d/pipes.h"
#include "pop3d/session.h"

namespace pop3d {

/// Counted over all sessions since the start.
struct Totals {
  std::uint64_t retrieved = 0;
  std::uint64_t failures = 0;
};

/// What all connections of the process share.
struct Surroundings {
  const po::Loop& loop;
  po::Log& log;
  Pipes& pipes;
  po::Resolver& resolver;
  Totals& totals;
};

struct Client {
  std::uint64_t number = 0;  ///< of the connection, in this process
  std::string session;       ///< id for the log
  po::messages::NetAddress address;
};

class Connection final : public po::StreamHandler, public PipeClient {
 public:
  using Clock = std::chrono::steady_clock;
  using OnGone = std::function<void(std::uint64_t number)>;  ///< last call; destroys the connection

  /// From one command to the next, while nobody is logged in. It counts from the last whole command, so an
  /// octet now and then does not stretch it.
  static constexpr std::chrono::seconds kLogInIdle{60};
  /// For the whole time before the log-in.
  static constexpr std::chrono::seconds kLogInLimit{300};
  /// How long messages that were read ahead are kept for a client that sends no command.
  static constexpr std::chrono::seconds kAheadKept{5};
  /// How long accounts, queue or DNS may take over one question.
  static constexpr std::chrono::seconds kAnswerLimit{60};

  Connection(const Surroundings& surroundings, Client client, Conditions conditions,
             std::chrono::seconds idle, std::shared_ptr<const po::TlsContext> tls, po::Fd socket,
             OnGone on_gone);
  ~Connection() override;

  void start();
  void stop();
  void check_time(Clock::time_point now);
  [[nodiscard]] const po::messages::NetAddress& address() const { return client_.address; }

  std::size_t on_input(std::string_view input) override;
  void on_drained() override;
  void on_end_of_input() override;
  void on_tls() override;
  void on_idle() override;
  void on_closed(std::string_view why) override;

  void on_verdict(const po::messages::Verdict& verdict) override;
  void on_mailbox(const po::messages::Mailbox& mailbox) override;
  void on_message(std::uint32_t slot, po::messages::Message message, po::Fd file) override;
  void on_expunged(const po::messages::Expunged& expunged) override;
  void on_mailbox_lost() override;

 private:
  struct Fetched {
    std::string prefix, body;
    std::uint64_t size = 0;  ///< of the body
    po::Fd file;             ///< the body's, if it is not in `body`
  };
  struct Transfer {
    Fetched message;
    po::DotEncoder encoder;
    std::uint64_t offset = 0;
  };

  void perform();
  void act(Write& action);
  void act(StartTls& action);
  void act(Authenticate& action);
  void act(LookUpName& action);
  void act(OpenMailbox& action);
  void act(Fetch& action);
  void act(SendMessage& action);
  void act(Forget& action);
  void act(SendListing& action);
  void act(Expunge& action);
  void act(CloseMailbox& action);
  void act(LoggedIn& action);
  void act(LogInFailed& action);
  void act(Close& action);
  void pump();
  void pump_message();
  void pump_listing();
  void finish_message();
  void abort_message(std::string_view why);
  void send(std::string_view octets);
  void update_reading();
  [[nodiscard]] bool full() const { return stream_.queued() > po::Stream::kHighWater; }
  void log_end(std::string_view why);

  Surroundings around_;
  Client client_;
  std::chrono::seconds idle_;
  std::shared_ptr<const po::TlsContext> tls_;
  OnGone on_gone_;
  Session session_;
  po::Stream stream_;
  po::DnsQuestion name_question_;
  Actions actions_;
  bool performing_ = false, paused_ = false, sending_listing_ = false;
  bool input_ended_ = false;  ///< the client has closed its half
  std::uint64_t handle_ = 0;
  std::unordered_map<std::uint32_t, Fetched> fetched_;
  std::optional<Transfer> transfer_;
  std::uint64_t octets_ = 0;  ///< of messages, sent
  const char* why_ = nullptr;
  Clock::time_point started_ = Clock::now(), last_action_ = started_;
};

}  // namespace pop3d
