#include "dispatcher/local_socket.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace dispatcher {

po::Result<po::Fd> connect_to_local(const std::string& path, const std::string& what,
                                    const std::string& key) {
  if (path.empty()) return po::temporary(fmt::format("the configuration names no socket of {}", what));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return po::temporary(path + " is too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  po::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return po::temporary("socket", errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return socket;
  if (errno == EAGAIN) return po::temporary(fmt::format("{} at {} has too much to do", what, path));
  return po::temporary(
      fmt::format("{} does not answer at {}; start it, or correct {} in the configuration", what, path, key),
      errno);
}

std::optional<gid_t> group_to_enter(const std::string& path, const char* if_not_there) {
  if (path.empty()) return std::nullopt;
  std::string directory = path.substr(0, path.rfind('/'));
  struct stat st {};
  gid_t found = 0;
  if (::stat(directory.c_str(), &st) == 0) {
    if ((st.st_mode & S_IXOTH) == 0 && (st.st_mode & S_IXGRP) != 0) found = st.st_gid;
  } else if (const ::group* named = ::getgrnam(if_not_there); named != nullptr) {
    found = named->gr_gid;
  }
  if (found == 0) return std::nullopt;
  return found;
}

std::string closed_part(const std::string& path) {
  for (std::size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
    if (::access(path.substr(0, end).c_str(), X_OK) != 0) return path.substr(0, end);
  }
  return ::access(path.c_str(), W_OK) == 0 ? std::string() : path;
}

}  // namespace dispatcher
