#include "dispatcher/notices.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace dispatcher {

using po::Fd;
using po::Result;

static constexpr int kDatagramsPerTurn = 64;

static sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  in.sin_port = htons(port);
  return in;
}

static Result<NoticeHub::ModuleSocket> bound_socket() {
  NoticeHub::ModuleSocket out;
  out.socket = Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in in = loopback(0);
  socklen_t length = sizeof in;
  if (!out.socket || bind(out.socket.get(), reinterpret_cast<sockaddr*>(&in), length) != 0 ||
      getsockname(out.socket.get(), reinterpret_cast<sockaddr*>(&in), &length) != 0) {
    return po::temporary("a UDP socket on 127.0.0.1 cannot be had; is the loopback interface up", errno);
  }
  out.port = ntohs(in.sin_port);
  return out;
}

Result<void> NoticeHub::open(const po::Loop& loop, OnDatagram on_datagram) {
  auto made = bound_socket();
  if (!made) return tl::unexpected(made.error());
  socket_ = std::move(made->socket);
  port_ = made->port;
  on_datagram_ = std::move(on_datagram);
  readable_.on_readable(loop, socket_.get(), [this] { read_some(); });
  return {};
}

Result<NoticeHub::ModuleSocket> NoticeHub::make_module_socket() const {
  auto made = bound_socket();
  if (!made) return made;
  sockaddr_in in = loopback(port_);
  if (connect(made->socket.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) != 0)
    return po::temporary("connect", errno);
  return made;
}

void NoticeHub::send(std::uint16_t port, std::string_view datagram) const {
  sockaddr_in in = loopback(port);
  sendto(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
         reinterpret_cast<sockaddr*>(&in), sizeof in);
}

void NoticeHub::read_some() {
  std::array<char, 1024> buffer;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    ssize_t n = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0) return;  // EAGAIN; or ECONNREFUSED from a module that has died, told again next turn
    on_datagram_({buffer.data(), static_cast<std::size_t>(n)});
  }
}

}  // namespace dispatcher
