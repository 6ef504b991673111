#include "dispatcher/system_facts.h"

#include <fmt/format.h>

#include "dispatcher/services.h"
#include "dispatcher/version.h"

namespace dispatcher {

static std::string port_line(const po::config::Service& service, const std::string& where) {
  return fmt::format("{} {}: {}, by {}{}", where, service.name, po::config::protocol_name(service.protocol),
                     service.program, service.implicit_tls ? ", TLS from the start" : "");
}

static std::vector<std::string> port_lines(const po::config::Config& config) {
  std::vector<std::string> out;
  for (const po::config::Service& service : config.services) {
    if (service.off) continue;
    for (const po::config::Endpoint& endpoint : service.listen)
      out.push_back(port_line(service, endpoint.text()));
    if (service.inetd) out.push_back(port_line(service, "inetd"));
  }
  return out;
}

static std::vector<std::string> module_lines(const po::config::Config& config) {
  std::vector<std::pair<po::messages::Role, unsigned>> roles;
  for (const ChildSpec& spec : wanted_children(config)) {
    if (roles.empty() || roles.back().first != spec.role) roles.emplace_back(spec.role, 0);
    ++roles.back().second;
  }
  std::vector<std::string> out;
  for (auto [role, n] : roles)
    out.push_back(fmt::format("{}: {}, {} process{}", module_name(role), po::messages::role_name(role), n,
                              n == 1 ? "" : "es"));
  return out;
}

po::messages::SystemFacts system_facts(const po::config::Config& config) {
  return {kVersion,
          config.program_directory,
          config.spool_directory,
          config.mailbox_directory,
          config.log_directory,
          port_lines(config),
          module_lines(config)};
}

}  // namespace dispatcher
