// accounts: the only writer of the directory, the only reader of password hashes. See accounts(8).
#include <chrono>

#include "accounts/administration.h"
#include "accounts/server.h"
#include "lib/module.h"

int main() {
  po::Module module = po::Module::start_or_die(po::messages::Role::kAccounts);
  const auto& welcome = module.welcome();
  auto administration = module.before_confine_or_die(
      "open databases", accounts::Administration::open({.directory_path = welcome.directory_path,
                                                        .secrets_path = welcome.store_path + "/secrets",
                                                        .hostname = welcome.hostname,
                                                        .settle = std::chrono::seconds(1)}));
  module.confine_or_die();
  accounts::Server server(module, *administration);
  return module.run(server);
}
