#include "dispatcher/wiring.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>

namespace dispatcher {

using po::Channel;
using po::Fd;
using po::Result;
using po::messages::Role;

static bool is_server(Role r) {
  return r == Role::kSmtpd || r == Role::kPop3d || r == Role::kSmtpDeliver || r == Role::kWwwd;
}
static bool is_pair(Role a, Role b, Role x, Role y) {
  return (a == x && b == y) || (a == y && b == x);
}
static bool asks_dns(Role r) {
  return is_server(r) || r == Role::kFingerd;
}
static bool is_owner(Role r) {
  return r == Role::kAccounts || r == Role::kQueue;
}

/// Where mail from other systems is taken; what inetd listens on is not known, so it may be any address.
static std::vector<std::string> smtp_endpoints(const Instance& instance) {
  std::vector<std::string> out;
  for (const Port& port : instance.ports.ports) {
    if (port.service.protocol == po::messages::Protocol::kSmtp) out.push_back(port.endpoint().text());
  }
  for (const po::config::Service& service : instance.config.services) {
    if (service.off || !service.inetd || service.protocol != po::messages::Protocol::kSmtp) continue;
    out.insert(out.end(), {"0.0.0.0:25", "[::]:25"});
  }
  return out;
}

po::messages::Welcome make_welcome(const Instance& instance, const ChildSpec& child,
                                   const WelcomeParts& parts) {
  po::messages::Welcome w;
  w.name = child.name;
  w.incarnation = parts.incarnation;
  w.notice_key = parts.notice_key;
  w.notice_port = parts.notice_port;
  // accounts seals tickets, queue opens them. A server with this key could open every mailbox.
  if (child.role == Role::kAccounts || child.role == Role::kQueue) w.ticket_key = parts.ticket_key;
  // The same for orders: accounts seals them, queue and story carry them out.
  if (is_owner(child.role) || child.role == Role::kStory) w.order_key = parts.order_key;
  w.hostname = instance.config.hostname;
  w.directory_path = instance.config.spool_directory + "/directory";
  if (child.role == Role::kAccounts) w.store_path = instance.config.spool_directory;
  if (child.role == Role::kQueue) w.store_path = instance.config.mailbox_directory;
  w.private_instance = instance.private_instance;
  w.admin_gid = instance.admin_gid;
  if (child.role == Role::kStory) w.log_path = instance.config.log_directory;
  if (child.role == Role::kUnixDeliver) w.maildrop_path = po::messages::kMaildropDirectory;
  if (asks_dns(child.role)) w.resolvers = instance.config.resolvers;
  if (child.role == Role::kSmtpDeliver) w.smtp_endpoints = smtp_endpoints(instance);
  return w;
}

void send_ports(Channel& control, const Instance& instance, const std::string& program) {
  for (const Port& port : instance.ports.ports) {
    if (port.service.program != program) continue;
    Fd copy(fcntl(port.socket.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy) po::panic("no descriptor left for a listening socket");
    control.send(0, listen_of(port.service), std::move(copy));
  }
}

bool are_peers(Role a, Role b) {
  return (is_server(a) && is_owner(b)) || (is_server(b) && is_owner(a)) ||
         is_pair(a, b, Role::kWwwd, Role::kStory) || is_pair(a, b, Role::kUnixDeliver, Role::kQueue) ||
         is_pair(a, b, Role::kLmtpDeliver, Role::kQueue);
}

Result<void> connect_peers(const PeerEnd& a, const PeerEnd& b) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return po::temporary("socketpair", errno);
  Fd one(ends[0]), other(ends[1]);
  a.control.send(0, po::messages::Peer{b.spec.role, b.spec.name, b.incarnation}, std::move(one));
  b.control.send(0, po::messages::Peer{a.spec.role, a.spec.name, a.incarnation}, std::move(other));
  return {};
}

bool wants_certificates(Role role) {
  return role == Role::kSmtpd || role == Role::kPop3d || role == Role::kWwwd;
}

po::messages::Key random_key() {
  po::messages::Key key{};
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) po::panic("getrandom failed");
  return key;
}

}  // namespace dispatcher
