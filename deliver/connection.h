// One connection to a host: connects, turns the octets of a Stream into events of the SmtpClient, and its
// actions into writes and news for whoever has the connection at the time. The only part of smtp-deliver that
// knows both sockets and the session. Callers: delivery, pool.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "deliver/content.h"
#include "deliver/hosts.h"
#include "deliver/smtp_client.h"
#include "lib/fd.h"
#include "lib/loop.h"
#include "lib/stream.h"
#include "lib/tls.h"

namespace deliver {

class Connection;
using Moment = std::chrono::steady_clock::time_point;

/// Who has the connection. None of these is called from inside a call to the connection, but on_failed() of
/// abort(); in each the connection may be given to another, and no more than put aside to be destroyed later.
class ConnectionUser {
 public:
  virtual ~ConnectionUser() = default;
  virtual void on_ready(Connection& connection) = 0;
  virtual void on_finished(Connection& connection, Finished& finished) = 0;
  /// The last that is heard of it.
  virtual void on_failed(Connection& connection, Failed& failed) = 0;
};

/// Who holds the connections.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// Nothing more comes from it; may destroy it.
  virtual void on_gone(Connection& connection) = 0;
};

class Connection final : public po::StreamHandler {
 public:
  static constexpr auto kConnectLimit = std::chrono::seconds(30);

  struct Place {
    Endpoint endpoint;
    std::string source;  ///< address to connect from; empty: the kernel's choice
    std::string key;     ///< what jobs may use it (pool)
  };
  /// `tls` is for StartTls; null: the client must not ask for it.
  Connection(const po::Loop& loop, ConnectionOwner& owner, Place place, Terms terms,
             std::shared_ptr<const po::TlsContext> tls);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Who hears from now on; null: nobody, and what fails is seen by usable().
  void set_user(ConnectionUser* user) { user_ = user; }
  void start();
  /// On a connection that somebody else made; the place says nothing then.
  void start(po::Fd connected);
  /// Only when usable(). The content must live until the transaction ends.
  void carry(Mail mail, Content& content);
  void quit();
  /// Tells the user on_failed(), with this reason, before it returns.
  void abort(const Outcome& why);
  /// Each second.
  void tick(Moment now);

  [[nodiscard]] bool usable() const { return stream_ && client_.ready(); }
  [[nodiscard]] bool end_sent() const { return client_.end_sent(); }
  /// It failed, and is only there until it is closed.
  [[nodiscard]] bool over() const { return client_.over(); }
  /// It never came to be: no answer to connect.
  [[nodiscard]] bool unreachable() const { return unreachable_; }
  /// That, and it took kConnectLimit to find out.
  [[nodiscard]] bool timed_out() const { return timed_out_; }
  [[nodiscard]] const Place& place() const { return place_; }
  [[nodiscard]] const Extensions& extensions() const { return client_.extensions(); }
  [[nodiscard]] std::string tls_text() const;  ///< "TLSv1.3 TLS_AES_256_GCM_SHA384", or empty
  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  [[nodiscard]] Moment since() const { return since_; }

  // ---- po::StreamHandler
  std::size_t on_input(std::string_view input) override;
  void on_drained() override;
  void on_tls() override;
  void on_idle() override {}  // no idle limit is set on the stream: tick() knows more
  void on_closed(std::string_view why) override;

 private:
  void on_connected();
  void cannot_connect(int error);
  void perform();
  void perform_one(Action& action);
  void pump();
  void note_progress();

  const po::Loop& loop_;
  ConnectionOwner& owner_;
  Place place_;
  SmtpClient client_;
  std::shared_ptr<const po::TlsContext> tls_;
  ConnectionUser* user_ = nullptr;
  po::Fd socket_;  ///< until it is connected
  po::Event connected_, failed_;
  std::unique_ptr<po::Stream> stream_;
  Actions actions_;
  bool performing_ = false, unreachable_ = false, timed_out_ = false;
  Content* content_ = nullptr;
  std::uint64_t offset_ = 0;
  std::uint64_t messages_ = 0;
  Moment since_, progress_;
  std::size_t queued_ = 0;  ///< at the last look, for progress while content is sent
};

}  // namespace deliver
