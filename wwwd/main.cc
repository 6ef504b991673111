// wwwd: wires the pieces. Nothing of a client is read above confine_or_die().
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/directory/reader.h"
#include "lib/inetd.h"
#include "lib/interfaces.h"
#include "lib/module.h"
#include "wwwd/server.h"
#include "wwwd/setup_desk.h"
#include "wwwd/site.h"

namespace {

[[noreturn]] void die(po::Log& log, std::string_view what, const po::Error& error) {
  log.event("fatal").kv("what", what).kv("error", error.text);
  std::exit(1);
}

directory::Reader before_confine_open_directory_or_die(po::Module& module) {
  auto reader = directory::Reader::open(module.welcome().directory_path, module.welcome().hostname);
  if (!reader) die(module.log(), "directory", reader.error());
  return std::move(*reader);
}

po::ResolverOptions before_confine_resolver_options_or_die(po::Module& module) {
  auto servers = po::parse_dns_servers(module.welcome().resolvers);
  if (!servers) die(module.log(), "resolvers", servers.error());
  po::ResolverOptions options;
  options.servers = std::move(*servers);
  std::ifstream hosts("/etc/hosts");
  options.hosts.assign(std::istreambuf_iterator<char>(hosts), {});
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  static constexpr std::string_view kNobody =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  if (auto handed = po::inetd::run_if_asked(argc, argv, kNobody)) return *handed;
  po::Module module = po::Module::start_or_die(po::messages::Role::kWwwd);
  directory::Reader directory = before_confine_open_directory_or_die(module);
  po::ResolverOptions resolver = before_confine_resolver_options_or_die(module);
  std::vector<po::messages::NetAddress> interfaces = po::own_addresses();
  module.confine_or_die();
  const std::string& hostname = module.welcome().hostname;
  auto desk = std::make_shared<wwwd::SetupDesk>(module.loop(), resolver, hostname, std::move(interfaces));
  wwwd::Site site(module.loop(), module.log(), hostname, desk);
  wwwd::Server server(module, directory, std::move(resolver), site);
  return module.run(server);
}
