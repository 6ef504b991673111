// smtp-deliver: mail to other hosts by SMTP. Started by the dispatcher; man/smtp-deliver.8.
#include <fcntl.h>

#include <fstream>
#include <iterator>
#include <string>

#include "deliver/server.h"
#include "lib/interfaces.h"
#include "lib/module.h"

static std::string read_hosts() {
  std::ifstream in("/etc/hosts", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int main() {
  static constexpr const char* kAuthorities = "/etc/ssl/certs/ca-certificates.crt";
  po::Module module = po::Module::start_or_die(po::messages::Role::kSmtpDeliver);
  deliver::Surroundings surroundings{read_hosts(), po::Fd(open(kAuthorities, O_RDONLY | O_CLOEXEC)),
                                     po::own_addresses()};
  module.confine_or_die();
  deliver::Server server(module, std::move(surroundings));
  return module.run(server);
}
