// One client: turns the octets of a Stream into events of the Session, and its actions into writes, questions
// to accounts and queue, and log lines. The only part of smtpd that knows both sockets and the session. It is
// owned by the server and ends by Host::on_gone(). Nothing here judges what the client says.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lib/dns.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/stream.h"
#include "smtpd/accounts_client.h"
#include "smtpd/peers.h"
#include "smtpd/policy.h"
#include "smtpd/queue_client.h"
#include "smtpd/session.h"

namespace smtpd {

class Connection;

/// What connections share; the server.
class Host {
 public:
  virtual ~Host() = default;
  virtual const po::Loop& loop() = 0;
  virtual po::Log& log() = 0;
  virtual World& world() = 0;
  virtual QueueClient& queue() = 0;
  virtual AccountsClient& accounts() = 0;
  virtual po::Resolver* resolver() = 0;  ///< null: there is none
  virtual std::shared_ptr<const po::TlsContext> tls() = 0;
  virtual void on_message(bool taken) = 0;  ///< for the counters
  /// Destroys the connection; called as its last act.
  virtual void on_gone(Connection& connection) = 0;
};

class Connection final : public po::StreamHandler, public Waiter {
 public:
  Connection(Host& host, po::Fd socket, Client client);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Greets, or begins with TLS.
  void start();
  /// Says no and closes.
  void refuse(const Reply& why);
  /// Each second: ends it if the client is too slow.
  void tick(Moment now);
  void stop();
  [[nodiscard]] const Client& client() const { return session_.client(); }

  // ---- po::StreamHandler
  std::size_t on_input(std::string_view input) override;
  void on_drained() override;
  void on_end_of_input() override;
  void on_tls() override;
  void on_idle() override;
  void on_closed(std::string_view why) override;

  // ---- Waiter
  void on_verdict(const po::messages::Verdict& verdict) override;
  void on_usage(bool known, std::uint64_t octets) override;
  void on_body_file(const po::messages::BodyFile& answer, po::Fd file) override;
  void on_submitted(const po::messages::Submitted& answer) override;
  void on_started(bool known, std::uint64_t messages) override;

 private:
  [[nodiscard]] bool spoke_too_early() const;
  void look_up_name();
  void perform();
  void perform_one(Action& action);
  void after_answer();
  void pause();
  void resume();
  void write_body(std::string_view octets);
  void submit(po::messages::Submit& message);
  void drop_body(const po::MessageId& id);
  void log(const Report& report);
  void log_end(std::string_view why, bool waited);
  void note_progress();

  Host& host_;
  int socket_;  // owned by stream_; for a look at what the client said before the greeting
  po::Stream stream_;
  Session session_;
  Actions actions_;
  Patience patience_;
  Moment began_;
  po::DnsQuestion question_;
  bool looked_up_ = false;
  bool paused_ = false;       // not reading
  bool tls_pending_ = false;  // a handshake is under way: nothing can be said
  po::Fd body_;               // the body file being written
  std::uint64_t body_generation_ = 0;
  bool body_failed_ = false;  // it could not be written, or its queue is gone
  bool body_no_space_ = false;
  std::string ended_;  // the reply with which we ended it
};

}  // namespace smtpd
