// fingerd: wires the pieces. Nothing of a client is read above confine_or_die().
#include <string_view>

#include "fingerd/server.h"
#include "lib/directory/reader.h"
#include "lib/dns.h"
#include "lib/inetd.h"
#include "lib/module.h"

int main(int argc, char** argv) {
  static constexpr std::string_view kNobody = "The mail system is not running; try again later.\r\n";
  if (auto handed = po::inetd::run_if_asked(argc, argv, kNobody)) return *handed;
  po::Module module = po::Module::start_or_die(po::messages::Role::kFingerd);
  const auto& welcome = module.welcome();
  auto directory = module.before_confine_or_die(
      "directory", directory::Reader::open(welcome.directory_path, welcome.hostname));
  auto resolver = module.before_confine_or_die("resolvers", po::read_resolver_options(welcome.resolvers));
  module.confine_or_die();
  fingerd::Server server(module, std::move(directory), std::move(resolver));
  return module.run(server);
}
