// The fingerd process: listening sockets, the limits on sessions, who may ask, and the end. What a client
// does is Connection's and Session's business. It has no peers: all it needs is in the directory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "fingerd/connection.h"
#include "fingerd/desk.h"
#include "lib/directory/reader.h"
#include "lib/dns.h"
#include "lib/doors.h"
#include "lib/id.h"
#include "lib/module.h"

namespace fingerd {

class Server final : public po::ModuleHandler {
 public:
  Server(po::Module& module, directory::Reader directory, po::ResolverOptions resolver);

  void on_listen(const po::messages::Listen& listen, po::Fd socket) override;
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
  void refresh_settings();

  po::Module& module_;
  directory::Reader directory_;
  Desk desk_;
  std::shared_ptr<const directory::Settings> settings_ = std::make_shared<directory::Settings>();
  std::shared_ptr<const Access> access_ = std::make_shared<Access>();
  po::Resolver resolver_;
  Totals totals_;
  po::IdMaker ids_;
  po::Doors doors_;
  std::unordered_map<std::string, std::uint32_t> per_address_;
  std::unordered_map<std::uint64_t, Guest> guests_;
  std::uint64_t last_number_ = 0;
  bool stopping_ = false;
};

}  // namespace fingerd
