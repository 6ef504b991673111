#include "smtpd/sendmail/relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string>

namespace sendmail {

bool is_network_client(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

namespace {

/// One way: at most one piece is held, and nothing more is read before it is written.
struct Way {
  int from, to;
  bool to_socket;
  std::string held;
  bool open = true;  ///< more may come
  bool failed = false;

  [[nodiscard]] bool wants_read() const { return open && held.empty(); }
  [[nodiscard]] bool wants_write() const { return !held.empty(); }
  [[nodiscard]] bool over() const { return !open && held.empty(); }

  void read() {
    std::array<char, 16384> piece;
    ssize_t n = ::read(from, piece.data(), piece.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n > 0) {
      held.assign(piece.data(), static_cast<std::size_t>(n));
    } else {
      end();
    }
  }
  void write() {
    // Descriptors of the caller stay as they are; a pipe that poll() finds writable takes PIPE_BUF octets.
    ssize_t n = to_socket ? ::send(to, held.data(), held.size(), MSG_NOSIGNAL | MSG_DONTWAIT)
                          : ::write(to, held.data(), std::min<std::size_t>(held.size(), PIPE_BUF));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n < 0) {
      failed = true;
      held.clear();
      return end();
    }
    held.erase(0, static_cast<std::size_t>(n));
    if (over()) end();
  }
  void end() {
    open = false;
    if (to_socket && held.empty()) ::shutdown(to, SHUT_WR);
  }
};

}  // namespace

int relay(int in, int out, po::Fd socket) {
  Way up{in, socket.get(), true, {}};
  Way down{socket.get(), out, false, {}};
  // What smtpd says last counts: the other way's end is its business.
  while (!down.over()) {
    std::array<pollfd, 4> p{};
    p[0] = {up.wants_read() ? up.from : -1, POLLIN, 0};
    p[1] = {up.wants_write() ? up.to : -1, POLLOUT, 0};
    p[2] = {down.wants_read() ? down.from : -1, POLLIN, 0};
    p[3] = {down.wants_write() ? down.to : -1, POLLOUT, 0};
    if (::poll(p.data(), p.size(), -1) < 0 && errno != EINTR) return EX_IOERR;
    if (p[0].revents != 0) up.read();
    if (p[1].revents != 0) up.write();
    if (p[2].revents != 0) down.read();
    if (p[3].revents != 0) down.write();
  }
  return down.failed ? EX_IOERR : EX_OK;
}

}  // namespace sendmail
