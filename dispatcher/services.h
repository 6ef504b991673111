// The service table at work: which processes it means, and the listening sockets. Network sockets are bound
// as root (or taken over from systemd), Unix sockets after the drop, so that root never works in a directory
// of the suite's user.
#pragma once

#include <string>
#include <vector>

#include "lib/config.h"
#include "lib/error.h"
#include "lib/fd.h"
#include "lib/messages.h"

namespace dispatcher {

/// One process that is to run.
struct ChildSpec {
  po::messages::Role role = po::messages::Role::kDispatcher;
  std::string program;  ///< executable in the program directory
  std::string name;     ///< "accounts", "smtpd.2"
};

/// In the order of start: accounts, queue, then the servers.
[[nodiscard]] std::vector<ChildSpec> wanted_children(const po::config::Config& config);
/// What the Guide calls it: "SMTP-Accept".
[[nodiscard]] const char* module_name(po::messages::Role role);

/// A listening socket with the service that it is for.
struct Port {
  po::config::Service service;  ///< its line; `listen` holds this endpoint alone
  po::Fd socket;
  bool inherited = false;  ///< a supervisor's: its path, if it has one, is not ours to remove
  [[nodiscard]] const po::config::Endpoint& endpoint() const { return service.listen.front(); }
};

/// Sockets that a supervisor such as systemd hands over (sd_listen_fds(3)).
struct InheritedSocket {
  po::Fd socket;
  std::string name;
  po::config::Endpoint endpoint;
  bool listening = true;  ///< a stream socket that listens; another is of no use
};
/// Those that the environment of this process names, made close-on-exec. To be called before a fork: they are
/// meant for the process number in LISTEN_PID.
[[nodiscard]] std::vector<InheritedSocket> take_inherited_sockets();

struct Ports {
  std::vector<Port> ports;
  po::Fd inetd;  ///< run/inetd, if a service takes connections from there
  std::vector<std::string> warnings;
};
/// All TCP endpoints of services that are on; an inherited socket in place of one that it has the name or the
/// address of. What nobody has a use for is closed, with a warning. `wait`: seconds to wait for addresses
/// that a dying predecessor holds.
[[nodiscard]] po::Result<Ports> bind_network_ports(const po::config::Config& config,
                                                   std::vector<InheritedSocket> inherited, int wait);
/// Adds the Unix sockets: those of services, and run/inetd, which is for the suite's user alone.
[[nodiscard]] po::Result<void> bind_unix_ports(const po::config::Config& config, Ports& ports, int wait);

/// How a socket of this service is to be served.
[[nodiscard]] po::messages::Listen listen_of(const po::config::Service& service);

/// Descriptors that a process of this program may need.
[[nodiscard]] std::uint64_t descriptor_limit(const po::config::Config& config, const std::string& program);

}  // namespace dispatcher
