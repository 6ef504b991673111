// accounts: the only writer of the directory, the only reader of password hashes. See accounts(8).
#include <cstdlib>

#include "accounts/administration.h"
#include "accounts/server.h"
#include "lib/module.h"

namespace {

std::unique_ptr<accounts::Administration> open_or_die(po::Module& module) {
  const auto& welcome = module.welcome();
  auto opened = accounts::Administration::open({.directory_path = welcome.directory_path,
                                                .secrets_path = welcome.store_path + "/secrets",
                                                .hostname = welcome.hostname,
                                                .settle = std::chrono::seconds(1)});
  if (opened) return std::move(*opened);
  module.log().event("fatal").kv("what", "open databases").kv("error", opened.error().text);
  std::exit(1);
}

}  // namespace

int main() {
  po::Module module = po::Module::start_or_die(po::messages::Role::kAccounts);
  auto administration = open_or_die(module);
  module.confine_or_die();
  accounts::Server server(module, *administration);
  return module.run(server);
}
