#include "dispatcher/system_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

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

/// "up" when all of them are, "1 up, 1 starting" otherwise.
static std::string state_of(std::string_view module, const std::vector<StatusRow>& rows) {
  std::vector<std::pair<std::string_view, unsigned>> states;
  for (const StatusRow& row : rows) {
    if (row.module != module) continue;
    auto at = std::find_if(states.begin(), states.end(), [&](const auto& s) { return s.first == row.state; });
    if (at == states.end()) at = states.emplace(at, row.state, 0);
    ++at->second;
  }
  if (states.empty()) return "not running";
  if (states.size() == 1) return std::string(states.front().first);
  std::string out;
  for (auto [state, n] : states) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", n, state);
  return out;
}

static std::vector<std::string> module_lines(const po::config::Config& config,
                                             const std::vector<StatusRow>& rows) {
  std::vector<std::pair<po::messages::Role, unsigned>> roles;
  for (const ChildSpec& spec : wanted_children(config)) {
    if (roles.empty() || roles.back().first != spec.role) roles.emplace_back(spec.role, 0);
    ++roles.back().second;
  }
  std::vector<std::string> out;
  for (auto [role, n] : roles)
    out.push_back(fmt::format("{}: {}, {} process{}, {}", module_name(role), po::messages::role_name(role), n,
                              n == 1 ? "" : "es", state_of(module_name(role), rows)));
  return out;
}

po::messages::SystemFacts system_facts(const po::config::Config& config, const std::vector<StatusRow>& rows) {
  return {kVersion,
          config.program_directory,
          config.spool_directory,
          config.mailbox_directory,
          config.log_directory,
          port_lines(config),
          module_lines(config, rows)};
}

}  // namespace dispatcher
