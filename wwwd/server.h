// The wwwd process: listening sockets, the limits on connections, certificates, the settings that decide who
// may use the web forms, and the end. What a client does is Connection's business, what a page shows its
// Handler's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "lib/directory/reader.h"
#include "lib/dns.h"
#include "lib/doors.h"
#include "lib/id.h"
#include "lib/module.h"
#include "wwwd/connection.h"
#include "wwwd/handler.h"

namespace wwwd {

class Server final : public po::ModuleHandler {
 public:
  /// `directory` and `handler` are the caller's and outlive the server.
  Server(po::Module& module, directory::Reader& directory, po::ResolverOptions resolver, Handler& handler);

  void on_listen(const po::messages::Listen& listen, po::Fd socket) override;
  void on_peer(const po::messages::Peer& peer, po::Fd pipe) override;
  void on_certificates(const po::messages::Certificates& certificates) override;
  void on_stop(std::uint32_t seconds) override;
  void on_directory_changed(std::uint64_t generation) override;
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
  template <class IsOne>
  bool make_room(IsOne&& is_one);
  void gone(std::uint64_t number);
  void tick();
  void start_anew();
  void refresh_settings();

  po::Module& module_;
  directory::Reader& directory_;
  Handler& handler_;
  std::shared_ptr<const directory::Settings> settings_ = std::make_shared<directory::Settings>();
  po::Resolver resolver_;
  Shared shared_;
  po::IdMaker ids_;
  std::shared_ptr<const po::TlsContext> tls_;
  po::Doors doors_;
  std::unordered_map<std::string, std::uint32_t> per_address_;
  std::unordered_map<std::uint64_t, Guest> guests_;
  std::uint64_t last_number_ = 0;
  po::Event clock_, end_;
  bool stopping_ = false;
};

}  // namespace wwwd
