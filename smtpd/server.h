// The smtpd process: listeners, the pipes to accounts and queue, certificates, settings, and who may have how
// many sessions. Everything that reads hostile octets lies in the session and below. Caller: main.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/directory/reader.h"
#include "lib/dns.h"
#include "lib/doors.h"
#include "lib/id.h"
#include "lib/module.h"
#include "lib/tls.h"
#include "smtpd/accounts_client.h"
#include "smtpd/connection.h"
#include "smtpd/local_users.h"
#include "smtpd/queue_client.h"

namespace smtpd {

class Server final : public po::ModuleHandler, public World, public Host {
 public:
  /// What files of the system hold, read before confinement.
  struct Files {
    std::string hosts;   ///< /etc/hosts
    std::string passwd;  ///< /etc/passwd
  };
  Server(po::Module& module, directory::Reader reader, Files files);
  ~Server() override;

  // ---- po::ModuleHandler
  void on_listen(const po::messages::Listen& listen, po::Fd socket) override;
  void on_peer(const po::messages::Peer& peer, po::Fd pipe) override;
  void on_certificates(const po::messages::Certificates& certificates) override;
  void on_stop(std::uint32_t seconds) override;
  void on_directory_changed(std::uint64_t generation) override;
  bool on_control(po::Frame& frame) override;
  po::Counters counters() override;

 private:
  struct Guest {
    std::unique_ptr<Connection> connection;
    po::Door* door = nullptr;  ///< null: refused, counts nowhere
    std::string key;           ///< what the address limit counts by; empty: does not count
  };
  /// Clients that are being told that there is no room; more are not even told.
  static constexpr std::size_t kMaxRefusing = 100;

  void on_accept(po::Door& door, po::Fd socket, const po::messages::NetAddress& address);
  [[nodiscard]] const Reply* refusal(const po::Door& door, const std::string& key) const;
  void refresh_settings();
  void tick();
  void start_anew();

  // ---- World
  po::Result<directory::Resolution> resolve(std::string_view address) override {
    return reader_.resolve(address);
  }
  po::Result<std::optional<directory::Account>> account(std::uint64_t id) override {
    return reader_.account(id);
  }
  std::shared_ptr<const directory::Settings> settings() override { return settings_; }
  const RelayNetworks& relay_networks() override { return relay_networks_; }
  const QueueStartPermissions& queue_start_permissions() override { return queue_start_; }
  po::MessageId next_id() override;
  std::int64_t now() override;
  bool queue_ready() override { return queue_.ready(); }
  bool tls_available() override { return tls_ != nullptr; }

  // ---- Host
  const po::Loop& loop() override { return module_.loop(); }
  po::Log& log() override { return module_.log(); }
  World& world() override { return *this; }
  QueueClient& queue() override { return queue_; }
  AccountsClient& accounts() override { return accounts_; }
  po::Resolver* resolver() override { return resolver_.get(); }
  std::shared_ptr<const po::TlsContext> tls() override { return tls_; }
  void on_message(bool taken) override { ++(taken ? served_ : failures_); }
  void on_gone(Connection& connection) override;

  po::Module& module_;
  directory::Reader reader_;
  std::string hostname_;
  LocalUsers users_;
  std::shared_ptr<const directory::Settings> settings_;
  RelayNetworks relay_networks_;
  QueueStartPermissions queue_start_;
  po::IdMaker ids_;
  QueueClient queue_;
  AccountsClient accounts_;
  std::unique_ptr<po::Resolver> resolver_;
  std::shared_ptr<const po::TlsContext> tls_;
  po::Doors doors_;
  std::unordered_map<std::string, std::uint32_t> per_address_;
  std::size_t refusing_ = 0;
  std::uint64_t served_ = 0, failures_ = 0;
  bool stopping_ = false;
  po::Event tick_, end_;
  std::unordered_map<Connection*, Guest> guests_;  // last: gone before what they use
};

}  // namespace smtpd
