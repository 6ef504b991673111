// The dispatcher's end of the UDP notices: one socket that all modules send to, and a bound, connected socket
// for each module to inherit. What arrives has no authority (lib/notice.h); sorting out whose it is, is the
// supervisor's.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "lib/error.h"
#include "lib/fd.h"
#include "lib/loop.h"

namespace dispatcher {

class NoticeHub {
 public:
  using OnDatagram = std::function<void(std::string_view datagram)>;
  [[nodiscard]] po::Result<void> open(const po::Loop& loop, OnDatagram on_datagram);
  [[nodiscard]] std::uint16_t port() const { return port_; }

  struct ModuleSocket {
    po::Fd socket;
    std::uint16_t port = 0;
  };
  /// Bound on 127.0.0.1 and connected to ours, so that the kernel drops what others send to it.
  [[nodiscard]] po::Result<ModuleSocket> make_module_socket() const;
  void send(std::uint16_t port, std::string_view datagram) const;

 private:
  void read_some();
  po::Fd socket_;
  std::uint16_t port_ = 0;
  OnDatagram on_datagram_;
  po::Event readable_;
};

}  // namespace dispatcher
