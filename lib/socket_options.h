// What the kernel says of a socket. Callers: who is given one that somebody else made.
#pragma once

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

/// Who made the other end of a connected Unix socket.
[[nodiscard]] inline std::optional<ucred> peer_credentials(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer;
}

}  // namespace po
