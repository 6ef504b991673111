// The pipes to accounts and queue, shared by all connections of this process: which answer is for whom, what
// is asked again on a new pipe, and how long a request waits for one. accounts and queue are trusted for what
// they answer; a frame that nobody asked for drops the pipe. Callers: Server (connects), Connection (asks, as
// a PipeClient).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "lib/channel.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/lost_pipe.h"
#include "lib/messages.h"

namespace pop3d {

class PipeClient {
 public:
  virtual ~PipeClient() = default;
  virtual void on_verdict(const po::messages::Verdict& verdict) = 0;
  virtual void on_mailbox(const po::messages::Mailbox& mailbox) = 0;
  virtual void on_message(std::uint32_t slot, po::messages::Message message, po::Fd file) = 0;
  virtual void on_expunged(const po::messages::Expunged& expunged) = 0;
  /// The pipe to queue broke or could not be had: every handle and unanswered question is gone.
  virtual void on_mailbox_lost() = 0;
};

class Pipes {
 public:
  /// How long a log-in waits for a module that is being started again.
  static constexpr std::chrono::seconds kPatience{5};

  Pipes(const po::Loop& loop, po::Log& log) : loop_(loop), log_(log) {}

  /// A new pipe; what was the pipe to that role is given up.
  void connect(po::messages::Role role, po::Fd fd);

  void add(std::uint64_t client, PipeClient& callbacks) { clients_[client] = &callbacks; }
  void remove(std::uint64_t client);
  /// Its unanswered questions are nobody's from now on; a mailbox opened late is closed again.
  void forget(std::uint64_t client);

  /// Asked again if accounts restarts meanwhile; kUnavailable if it stays away.
  void authenticate(std::uint64_t client, po::messages::Authenticate question);
  void open_mailbox(std::uint64_t client, po::messages::OpenMailbox question);
  void retrieve(std::uint64_t client, std::uint32_t slot, std::uint64_t handle, const po::MessageId& id);
  void expunge(std::uint64_t client, po::messages::Expunge question);
  void close_mailbox(std::uint64_t handle);
  /// There will be no new pipe to one of the two.
  [[nodiscard]] bool hopeless(std::chrono::steady_clock::time_point now) const {
    return lost_accounts_.hopeless(now) || lost_queue_.hopeless(now);
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Question {
    std::uint64_t client = 0;
    po::messages::Authenticate frame;
    Clock::time_point waiting_since;  ///< for a pipe
  };
  struct Opening {
    std::uint64_t client = 0;
    po::messages::OpenMailbox frame;
    Clock::time_point waiting_since;
  };
  /// Whom an answer of queue is for.
  struct Expected {
    std::uint64_t client = 0;  ///< 0: nobody any more
    std::uint16_t type = 0;
    std::uint32_t slot = 0;
  };

  [[nodiscard]] PipeClient* find(std::uint64_t client) const;
  [[nodiscard]] std::uint32_t expect(std::uint64_t client, std::uint16_t type, std::uint32_t slot = 0);
  void send_opening(std::uint64_t client, const po::messages::OpenMailbox& question);
  bool on_accounts_frame(po::Frame& frame);
  bool on_queue_frame(po::Frame& frame);
  bool on_mailbox_frame(const Expected& expected, const po::messages::Mailbox& mailbox);
  void on_accounts_closed(std::string_view why);
  void on_queue_closed(std::string_view why);
  void lose_mailboxes();
  void wait_for_pipes();
  void give_up_waiting();

  const po::Loop& loop_;
  po::Log& log_;
  std::unordered_map<std::uint64_t, PipeClient*> clients_;
  std::uint32_t serial_ = 0;
  std::unordered_map<std::uint32_t, Question> questions_;  ///< to accounts, asked or waiting for a pipe
  std::vector<Opening> openings_;                          ///< waiting for a pipe to queue
  std::unordered_map<std::uint32_t, Expected> expected_;   ///< of queue
  std::unique_ptr<po::Channel> accounts_, queue_;
  po::LostPipe lost_accounts_, lost_queue_;
  po::Event patience_;
};

}  // namespace pop3d
