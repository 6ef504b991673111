#include "dispatcher/services.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "lib/net_address.h"
#include "lib/socket_options.h"

namespace dispatcher {

using po::Fd;
using po::permanent;
using po::Result;
using po::config::Config;
using po::config::Endpoint;
using po::config::Service;
using po::messages::Role;

static constexpr int kBacklog = 1024;

std::vector<ChildSpec> wanted_children(const Config& config) {
  std::vector<ChildSpec> out = {{Role::kAccounts, "accounts", "accounts"}, {Role::kQueue, "queue", "queue"}};
  for (Role role : {Role::kSmtpd, Role::kPop3d, Role::kSmtpDeliver, Role::kUnixDeliver, Role::kLmtpDeliver,
                    Role::kFingerd, Role::kStory, Role::kWwwd}) {
    std::string program = role_name(role);
    for (std::uint32_t i = 1; i <= config.processes(program); ++i) {
      out.push_back({role, program, fmt::format("{}.{}", program, i)});
    }
  }
  return out;
}

const char* module_name(Role role) {
  switch (role) {
    case Role::kDispatcher:
      return "Dispatcher";
    case Role::kAccounts:
      return "Account-Manager";
    case Role::kQueue:
      return "Queue";
    case Role::kSmtpd:
      return "SMTP-Accept";
    case Role::kPop3d:
      return "POP3-Server";
    case Role::kSmtpDeliver:
      return "SMTP-Deliver";
    case Role::kWwwd:
      return "WWW-Server";
    case Role::kFingerd:
      return "Finger-Server";
    case Role::kStory:
      return "Story";
    case Role::kUnixDeliver:
      return "UNIX-Deliver";
    case Role::kLmtpDeliver:
      return "LMTP-Deliver";
    case Role::kCommand:
      break;
  }
  return "?";
}

// ---- sockets from a supervisor

static Endpoint endpoint_of(int fd) {
  sockaddr_storage ss{};
  socklen_t length = sizeof ss;
  Endpoint endpoint;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&ss), &length) != 0) return endpoint;
  if (ss.ss_family == AF_UNIX) {
    sockaddr_un un{};
    std::memcpy(&un, &ss, sizeof un);
    std::size_t size =
        length > offsetof(sockaddr_un, sun_path) ? length - offsetof(sockaddr_un, sun_path) : 0;
    endpoint.path.assign(un.sun_path, strnlen(un.sun_path, size));
  } else {
    endpoint.address = po::net_address(&ss, length);
  }
  return endpoint;
}

std::vector<InheritedSocket> take_inherited_sockets() {
  std::vector<InheritedSocket> out;
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  const char* names = std::getenv("LISTEN_FDNAMES");
  if (pid == nullptr || count == nullptr || std::atol(pid) != getpid()) return out;
  std::string_view rest = names != nullptr ? names : "";
  int n = std::clamp(std::atoi(count), 0, 256);
  for (int fd = 3; fd < 3 + n; ++fd) {
    std::size_t end = std::min(rest.find(':'), rest.size());
    InheritedSocket one{Fd(fd), std::string(rest.substr(0, end)), {}, po::is_listening_stream(fd)};
    rest.remove_prefix(std::min(end + 1, rest.size()));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    one.endpoint = endpoint_of(fd);
    out.push_back(std::move(one));
  }
  return out;
}

// ---- binding

static socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& ss) {
  if (socklen_t network = po::to_sockaddr(endpoint.address, ss); network != 0) return network;
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::size_t length =
      std::min(endpoint.path.size(), sizeof un.sun_path - 1);  // config.cc refuses longer ones
  std::memcpy(un.sun_path, endpoint.path.data(), length);
  std::memcpy(&ss, &un, sizeof un);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + 1);
}

/// errno as the error, for the caller to sort.
static Result<Fd> listen_on(const Endpoint& endpoint) {
  sockaddr_storage ss{};
  socklen_t length = to_sockaddr(endpoint, ss);
  Fd fd(socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int one = 1;
  if (!fd) return permanent("socket", errno);
  if (ss.ss_family != AF_UNIX && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) {
    return permanent("SO_REUSEADDR", errno);
  }
  if (ss.ss_family == AF_INET6 && setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) {
    return permanent("IPV6_V6ONLY", errno);
  }
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&ss), length) != 0) return permanent("bind", errno);
  if (listen(fd.get(), kBacklog) != 0) return permanent("listen", errno);
  return fd;
}

static Result<Fd> listen_with_patience(const Endpoint& endpoint, int& wait) {
  auto fd = listen_on(endpoint);
  while (!fd && fd.error().sys_errno == EADDRINUSE && wait > 0) {
    --wait;
    sleep(1);
    fd = listen_on(endpoint);
  }
  return fd;
}

static po::Error bind_error(const Config& config, const Service& service, const Endpoint& endpoint,
                            int error) {
  std::string where = fmt::format("cannot listen on {} (service {}, {}:{}): {}", endpoint.text(),
                                  service.name, config.file, service.line, std::strerror(error));
  if (error == EADDRINUSE)
    where += fmt::format("; another program has it: ss -ltnp 'sport = :{}'", endpoint.address.port);
  if (error == EADDRNOTAVAIL) where += "; this host has no such address, ip address shows those that it has";
  if (error == EACCES) where += "; ports below 1024 need root";
  return {po::Kind::kPermanent, error, where};
}

static Service line_for(const Service& service, const Endpoint& endpoint) {
  Service one = service;
  one.listen = {endpoint};
  return one;
}

static bool is_for_unix_sockets(const Service& service) {
  return service.protocol == po::messages::Protocol::kLocalSubmission ||
         service.protocol == po::messages::Protocol::kCommand;
}

/// A local peer is known by its credentials, a client of the network by its address: neither kind of socket
/// may stand in for the other, whatever its name is.
static bool fits(const InheritedSocket& socket, const Service& service) {
  return socket.socket && socket.listening &&
         (socket.endpoint.address.family == 0) == is_for_unix_sockets(service);
}

/// Takes the sockets that were handed over for this service, by name or by address. A name wins over what its
/// line says.
static bool adopt(const Service& service, std::vector<InheritedSocket>& inherited, Ports& out) {
  bool named = false;
  for (InheritedSocket& socket : inherited) {
    if (socket.name != service.name || !fits(socket, service)) continue;
    out.ports.push_back({line_for(service, socket.endpoint), std::move(socket.socket), true});
    named = true;
  }
  return named;
}

static Fd adopt_address(const Endpoint& endpoint, std::vector<InheritedSocket>& inherited) {
  for (InheritedSocket& socket : inherited) {
    if (socket.socket && socket.listening && socket.endpoint == endpoint) return std::move(socket.socket);
  }
  return {};
}

Result<Ports> bind_network_ports(const Config& config, std::vector<InheritedSocket> inherited, int wait) {
  Ports out;
  for (const Service& service : config.services) {
    if (service.off || adopt(service, inherited, out)) continue;
    for (const Endpoint& endpoint : service.listen) {
      if (Fd given = adopt_address(endpoint, inherited)) {
        out.ports.push_back({line_for(service, endpoint), std::move(given), true});
        continue;
      }
      if (endpoint.address.family == 0) continue;  // bound after the drop
      auto fd = listen_with_patience(endpoint, wait);
      if (fd) {
        out.ports.push_back({line_for(service, endpoint), std::move(*fd), false});
      } else if (int e = fd.error().sys_errno;
                 endpoint.address.family == 6 && (e == EAFNOSUPPORT || e == EADDRNOTAVAIL)) {
        out.warnings.push_back(
            fmt::format("service {}: no IPv6 on this host, {} is left out", service.name, endpoint.text()));
      } else {
        return tl::unexpected(bind_error(config, service, endpoint, e));
      }
    }
  }
  for (const InheritedSocket& socket : inherited) {
    if (!socket.socket) continue;
    out.warnings.push_back(fmt::format(
        "socket {} ({}) was handed over, but {}; it is not served", socket.name, socket.endpoint.text(),
        socket.listening ? "no service in " + config.file + " has this name or address"
                         : "it is not a stream socket that listens"));
  }
  for (const Port& port : out.ports) po::send_at_once(port.socket.get());  // nothing to a Unix socket
  return out;
}

/// Removes a socket that its last owner left behind. The pid file's lock is held: no dispatcher is alive that
/// owns it.
static bool remove_stale(const Endpoint& endpoint) {
  struct stat st {};
  if (lstat(endpoint.path.c_str(), &st) != 0 || !S_ISSOCK(st.st_mode)) return false;
  sockaddr_storage ss{};
  socklen_t length = to_sockaddr(endpoint, ss);
  Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe || connect(probe.get(), reinterpret_cast<sockaddr*>(&ss), length) == 0) return false;
  return errno == ECONNREFUSED && unlink(endpoint.path.c_str()) == 0;
}

/// `mask` is taken off the mode of the socket.
static Result<Fd> listen_on_path(const Endpoint& endpoint, mode_t mask, int& wait) {
  mode_t old = umask(mask);
  auto fd = listen_on(endpoint);
  while (!fd && fd.error().sys_errno == EADDRINUSE) {
    if (!remove_stale(endpoint)) {
      if (wait-- <= 0) break;
      sleep(1);
    }
    fd = listen_on(endpoint);
  }
  umask(old);
  return fd;
}

static Result<void> bind_inetd(const Config& config, Ports& ports, int& wait) {
  if (!config.any_inetd()) return {};
  Endpoint endpoint;
  endpoint.path = config.run_path("inetd");
  auto fd = listen_on_path(endpoint, 0177, wait);
  if (!fd)
    return permanent(fmt::format("cannot listen on {}, for inetd", endpoint.path), fd.error().sys_errno);
  ports.inetd = std::move(*fd);
  return {};
}

Result<void> bind_unix_ports(const Config& config, Ports& ports, int wait) {
  for (const Service& service : config.services) {
    if (service.off) continue;
    for (const Endpoint& endpoint : service.listen) {
      auto taken = [&](const Port& p) { return p.service.name == service.name; };
      if (endpoint.address.family != 0 || std::any_of(ports.ports.begin(), ports.ports.end(), taken))
        continue;
      auto fd = listen_on_path(endpoint, 0111, wait);  // 0666: peer credentials decide who may say what
      if (!fd) return tl::unexpected(bind_error(config, service, endpoint, fd.error().sys_errno));
      ports.ports.push_back({line_for(service, endpoint), std::move(*fd), false});
    }
  }
  return bind_inetd(config, ports, wait);
}

po::messages::Listen listen_of(const Service& service) {
  return {service.protocol, service.implicit_tls,
          service.sessions != 0 ? service.sessions : po::config::kDefaultSessions, service.name};
}

std::uint64_t descriptor_limit(const Config& config, const std::string& program) {
  // The kernel counts descriptors on their way through pipes by user, and holds the sum against the sender's
  // own limit: a server that leaves as many as it may lying about must not keep the others from passing
  // theirs.
  constexpr std::string_view kServers[] = {"smtpd", "pop3d", "wwwd", "fingerd"};
  if (std::find(std::begin(kServers), std::end(kServers), program) == std::end(kServers)) {
    std::uint64_t most = 0;
    for (std::string_view server : kServers)
      most = std::max(most, descriptor_limit(config, std::string(server)));
    return 1024 + most;
  }
  std::uint64_t sessions = 0;
  for (const Service& service : config.services) {
    if (service.off || service.program != program) continue;
    sessions += (service.listen.size() + (service.inetd ? 1 : 0)) * listen_of(service).max_sessions;
  }
  // A session's socket and, at times, a body's file; in pop3d a second one, asked for ahead.
  return 256 + (program == "pop3d" ? 3 : 2) * sessions;
}

}  // namespace dispatcher
