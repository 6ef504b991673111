// wwwd: wires the pieces. Nothing of a client is read above confine_or_die().
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/directory/reader.h"
#include "lib/dns.h"
#include "lib/inetd.h"
#include "lib/interfaces.h"
#include "lib/module.h"
#include "wwwd/server.h"
#include "wwwd/setup_desk.h"
#include "wwwd/site.h"

int main(int argc, char** argv) {
  static constexpr std::string_view kNobody =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  if (auto handed = po::inetd::run_if_asked(argc, argv, kNobody)) return *handed;
  po::Module module = po::Module::start_or_die(po::messages::Role::kWwwd);
  const auto& welcome = module.welcome();
  auto directory = module.before_confine_or_die(
      "directory", directory::Reader::open(welcome.directory_path, welcome.hostname));
  auto resolver = module.before_confine_or_die("resolvers", po::read_resolver_options(welcome.resolvers));
  std::vector<po::messages::NetAddress> interfaces = po::own_addresses();
  module.confine_or_die();
  auto desk =
      std::make_shared<wwwd::SetupDesk>(module.loop(), resolver, welcome.hostname, std::move(interfaces));
  wwwd::Site site(module.loop(), module.log(), welcome.hostname, desk);
  wwwd::Server server(module, directory, std::move(resolver), site);
  return module.run(server);
}
