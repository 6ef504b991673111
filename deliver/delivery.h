// One job: finds the hosts of its next hop, offers the message to one after the other until all recipients
// have their outcome or no host is left, and answers once. Caller: server.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deliver/connection.h"
#include "deliver/content.h"
#include "deliver/hosts.h"
#include "deliver/lookup.h"
#include "deliver/pool.h"
#include "deliver/relay_passwords.h"
#include "lib/dns.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/messages.h"

namespace deliver {

class Delivery;

/// What all deliveries share; the server.
class Office {
 public:
  virtual ~Office() = default;
  virtual const po::Loop& loop() = 0;
  virtual po::Log& log() = 0;
  virtual Pool& pool() = 0;
  virtual po::Resolver& resolver() = 0;
  virtual RelayPasswords& passwords() = 0;
  virtual const OwnHost& own() = 0;
  virtual const Chance& chance() = 0;
  /// Null with a reason: this level cannot be had.
  virtual std::shared_ptr<const po::TlsContext> tls(po::messages::TlsLevel level, std::string& why) = 0;
  /// The answer to the job. The delivery may be destroyed when the turn of the loop is over, not before.
  virtual void on_done(Delivery& delivery, const po::messages::JobDone& answer) = 0;
};

class Delivery final : public ConnectionUser, public std::enable_shared_from_this<Delivery> {
 public:
  /// A whole attempt; queue waits for 30 minutes.
  static constexpr auto kLimit = std::chrono::minutes(29);

  /// `serial`: of the job's frame. `file`: its content, if it is not in the frame.
  Delivery(Office& office, std::uint32_t serial, po::messages::Job job, po::Fd file);
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  void start();
  /// Breaks off, unless the end of the message is sent and `may_wait`: what is open is temporary, for this
  /// reason. Answers before it returns, if it does not wait.
  void stop(const char* status, const std::string& why, bool may_wait);
  /// Each second.
  void tick(Moment now);
  /// 0: nobody waits for its answer any more.
  [[nodiscard]] std::uint32_t serial() const { return serial_; }
  /// The queue that asked has gone; another one has serials of its own, from 1.
  void orphan() { serial_ = 0; }
  /// A transaction has begun and not ended.
  [[nodiscard]] bool at_work() const { return in_transaction_; }

  // ---- ConnectionUser
  void on_ready(Connection& connection) override;
  void on_finished(Connection& connection, Finished& finished) override;
  void on_failed(Connection& connection, Failed& failed) override;

 private:
  /// Addresses that may let a connection run out of time before the attempt is over.
  static constexpr unsigned kMostSilent = 4;
  struct Failure {
    Outcome why;
    std::string host, tls;  ///< of the host that it is about, as in JobDone
  };

  void look_up();
  void on_hosts(HostList hosts);
  void ask_password();
  void try_next();
  void connect(const Endpoint& endpoint, po::messages::TlsLevel level);
  void carry(Connection& connection);
  void note_failure(const Outcome& why, bool unreachable);
  void give_up(const NoHost& none);
  void settle_open(const Outcome& outcome);
  void settle_failed();
  void complete(po::messages::HopState state);
  [[nodiscard]] po::messages::HopState hop_state() const;
  [[nodiscard]] po::messages::HopState stopped_state() const;
  void log(const po::messages::JobDone& done) const;

  Office& office_;
  std::uint32_t serial_;
  std::shared_ptr<const po::messages::Job> job_;
  std::string key_;
  Content content_;
  Moment began_;
  bool eight_bit_ = false, utf8_header_ = false;
  std::optional<EightBitParts> parts_;
  std::vector<std::size_t> open_;  ///< recipients without outcome, indexes
  po::messages::JobDone done_;

  std::unique_ptr<Lookup> lookup_;
  std::vector<Endpoint> endpoints_;
  std::size_t next_ = 0;
  unsigned silent_ = 0;
  std::string password_;
  Connection* connection_ = nullptr;
  bool reused_ = false;             ///< the connection has carried other messages
  bool in_transaction_ = false;     ///< it carries this one
  bool served_ = false;             ///< a host took the sender
  std::optional<Failure> failure_;  ///< why no host took it
  std::optional<Outcome> stopped_;  ///< no more tries, for this reason
  bool late_ = false;               ///< which is that kLimit is over
  bool completed_ = false;
};

}  // namespace deliver
