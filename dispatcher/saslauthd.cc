#include "dispatcher/saslauthd.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace dispatcher {

po::Result<po::Fd> connect_to_saslauthd(const std::string& path) {
  if (path.empty()) return po::temporary("the configuration names no socket of saslauthd");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return po::temporary(path + " is too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  po::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return po::temporary("socket", errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return socket;
  if (errno == EAGAIN) return po::temporary(fmt::format("saslauthd at {} has too much to do", path));
  return po::temporary(fmt::format("saslauthd does not answer at {}; start it, or correct saslauthd in the "
                                   "configuration",
                                   path),
                       errno);
}

std::optional<gid_t> saslauthd_group(const std::string& path) {
  if (path.empty()) return std::nullopt;
  std::string directory = path.substr(0, path.rfind('/'));
  struct stat st {};
  gid_t found = 0;
  if (::stat(directory.c_str(), &st) == 0) {
    if ((st.st_mode & S_IXOTH) == 0 && (st.st_mode & S_IXGRP) != 0) found = st.st_gid;
  } else if (const ::group* sasl = ::getgrnam("sasl"); sasl != nullptr) {
    found = sasl->gr_gid;
  }
  if (found == 0) return std::nullopt;
  return found;
}

}  // namespace dispatcher
