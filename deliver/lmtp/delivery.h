// One job: a message for one user, given to the mail store over a connection that the server brings, and
// answered once. The store is a program of others: what it says is read as a foreign host's words are
// (smtp_client). Caller: server.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "deliver/connection.h"
#include "deliver/content.h"
#include "lib/messages.h"

namespace lmtp_deliver {

/// What RCPT names a user by: its login name, for a store knows no domains of ours; in quotes where it would
/// not be a local part otherwise (RFC 5321 4.1.2).
[[nodiscard]] std::string mailbox_of(std::string_view login);

class Delivery;

/// The server.
class Desk {
 public:
  virtual ~Desk() = default;
  /// The connection has done its work.
  virtual void give_back(deliver::Connection& connection) = 0;
  /// The connection was kept too long for the store's taste: another one is wanted.
  virtual void wait_again(Delivery& delivery) = 0;
  /// Whether other messages are going through now.
  [[nodiscard]] virtual bool store_works() = 0;
  /// The answer to the job. The delivery may be destroyed when the turn of the loop is over, not before.
  virtual void on_done(Delivery& delivery, const po::messages::JobDone& answer) = 0;
};

class Delivery final : public deliver::ConnectionUser {
 public:
  /// A whole attempt; queue waits for 30 minutes.
  static constexpr auto kLimit = std::chrono::minutes(29);

  /// `serial`: of the job's frame. `file`: its content, if it is not in the frame.
  Delivery(Desk& desk, std::uint32_t serial, const std::shared_ptr<const po::messages::MaildropJob>& job,
           po::Fd file);
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  /// By a connection that has carried other messages, and is ready.
  void use(deliver::Connection& connection);
  /// By a new one, which says when it is ready. This is its user.
  void use_new(deliver::Connection& connection) { connection_ = &connection; }
  /// No connection can be had.
  void fail(const std::string& why);
  /// Breaks off, unless the end of the message is sent and `may_wait`. What we say ourselves is no attempt.
  void stop(const char* status, const std::string& why, bool may_wait);
  /// Each second.
  void tick(deliver::Moment now);

  [[nodiscard]] std::uint32_t serial() const { return serial_; }
  /// It has no connection, and none is on its way to it.
  [[nodiscard]] bool waits() const { return connection_ == nullptr && !completed_; }

  // ---- deliver::ConnectionUser
  void on_ready(deliver::Connection& connection) override;
  void on_finished(deliver::Connection& connection, deliver::Finished& finished) override;
  void on_failed(deliver::Connection& connection, deliver::Failed& failed) override;

 private:
  void carry(deliver::Connection& connection);
  void complete(po::messages::HopState state, deliver::Outcome outcome);
  [[nodiscard]] po::messages::HopState turned_away() const;

  Desk& desk_;
  std::uint32_t serial_;
  deliver::Content content_;
  std::shared_ptr<const po::messages::Job> job_;  ///< as the client takes it, without the content
  bool eight_bit_;
  deliver::Moment began_;
  deliver::Connection* connection_ = nullptr;
  bool reused_ = false;                      ///< the connection has carried other messages
  std::optional<deliver::Outcome> stopped_;  ///< no more tries, for this reason
  po::messages::HopState stopped_state_ = po::messages::HopState::kUnseen;
  bool completed_ = false;
};

}  // namespace lmtp_deliver
