// What a new process is told over its control socket, and the ends of pipes that connect it with its peers.
// The dispatcher keeps no end that it handed out, or end-of-file would never come.
#pragma once

#include <string>
#include <vector>

#include "dispatcher/privileges.h"
#include "dispatcher/services.h"
#include "lib/channel.h"
#include "lib/config.h"
#include "lib/messages.h"

namespace dispatcher {

/// Everything that start has prepared and that does not change while the dispatcher runs, but by reload.
struct Instance {
  po::config::Config config;
  Identity who;
  Kept kept;
  bool private_instance = false;
  std::uint32_t admin_gid = 0xffffffff;
  Ports ports;
  std::vector<po::messages::Certificate> certificates;
  std::vector<po::messages::Certificate> web_certificates;  ///< wwwd's own; empty: those above
};

/// The parts of Welcome that differ from process to process.
struct WelcomeParts {
  std::uint32_t incarnation = 0;
  po::messages::Key notice_key{};
  std::uint16_t notice_port = 0;
  po::messages::Key ticket_key{};  ///< of this start; passed on only to those who may have it
  po::messages::Key order_key{};   ///< likewise
};

[[nodiscard]] po::messages::Welcome make_welcome(const Instance& instance, const ChildSpec& child,
                                                 const WelcomeParts& parts);
/// Copies of the listening sockets of its program.
void send_ports(po::Channel& control, const Instance& instance, const std::string& program);
/// Whether these two talk.
[[nodiscard]] bool are_peers(po::messages::Role a, po::messages::Role b);
/// Two processes, each of which is told about the other: a socket pair, an end to each.
struct PeerEnd {
  po::Channel& control;
  const ChildSpec& spec;
  std::uint32_t incarnation;
};
[[nodiscard]] po::Result<void> connect_peers(const PeerEnd& a, const PeerEnd& b);
[[nodiscard]] bool wants_certificates(po::messages::Role role);
/// 32 octets of the kernel's random numbers.
[[nodiscard]] po::messages::Key random_key();

}  // namespace dispatcher
