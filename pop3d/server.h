// The pop3d process: listening sockets, the limits on sessions, certificates, the pipes to accounts and
// queue, and the end. What a client does is Connection's and Session's business.
#pragma once

#include <chrono>
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
#include "pop3d/connection.h"
#include "pop3d/pipes.h"

namespace pop3d {

class Server final : public po::ModuleHandler {
 public:
  Server(po::Module& module, directory::Reader directory, po::ResolverOptions resolver);

  void on_listen(const po::messages::Listen& listen, po::Fd socket) override;
  void on_peer(const po::messages::Peer& peer, po::Fd pipe) override;
  void on_certificates(const po::messages::Certificates& certificates) override;
  void on_stop(std::uint32_t seconds) override;
  bool on_control(po::Frame& frame) override;
  po::Counters counters() override;

 private:
  struct Guest {
    po::Door* door = nullptr;
    std::string limit_key;
    std::unique_ptr<Connection> connection;
  };

  void accept(po::Door& door, po::Fd socket, const po::messages::NetAddress& address);
  void refuse(const po::Door& door, po::Fd socket, const po::messages::NetAddress& address, const char* why);
  void let_in(po::Door& door, po::Fd socket, const po::messages::NetAddress& address, std::string limit_key);
  void gone(std::uint64_t number);
  void start_anew();
  void refresh_settings();
  [[nodiscard]] Conditions conditions(const po::Door& door, const po::messages::NetAddress& address) const;

  po::Module& module_;
  directory::Reader directory_;
  std::shared_ptr<const directory::Settings> settings_ = std::make_shared<directory::Settings>();
  po::Resolver resolver_;
  Pipes pipes_;
  Totals totals_;
  po::IdMaker ids_;
  std::shared_ptr<const po::TlsContext> tls_;
  po::Doors doors_;
  std::unordered_map<std::string, std::uint32_t> per_address_;
  std::unordered_map<std::uint64_t, Guest> guests_;
  std::uint64_t last_number_ = 0;
  po::Event clock_, end_;
  bool stopping_ = false;
};

}  // namespace pop3d
