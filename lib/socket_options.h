// What the kernel says of a socket, and the one thing that it is told. Callers: who is given one that
// somebody else made; the dispatcher.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <optional>

namespace po {

/// An option of SOL_SOCKET that is a number; nothing if it is no socket, or has no such option.
[[nodiscard]] inline std::optional<int> socket_option(int fd, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, name, &value, &size) != 0) return std::nullopt;
  return value;
}

/// Whether it is a stream socket that listens.
[[nodiscard]] inline bool is_listening_stream(int fd) {
  return socket_option(fd, SO_ACCEPTCONN).value_or(0) != 0 && socket_option(fd, SO_TYPE) == SOCK_STREAM;
}

/// What is written to this TCP socket leaves at once; connections that a listening one accepts inherit that.
/// Our servers gather what they write themselves (lib/stream.h). With Nagle's algorithm (RFC 896) on top, the
/// last piece of a long answer waits for the client to acknowledge the others, which it delays by 40 ms.
inline void send_at_once(int fd) {
  int yes = 1;
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // slower without, not wrong
}

/// Who made the other end of a connected Unix socket.
[[nodiscard]] inline std::optional<ucred> peer_credentials(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer;
}

}  // namespace po
