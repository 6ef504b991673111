// smtp-deliver: mail to other hosts by SMTP. Started by the dispatcher; man/smtp-deliver.8.
#include <fcntl.h>

#include "deliver/server.h"
#include "lib/dns.h"
#include "lib/interfaces.h"
#include "lib/module.h"

int main() {
  static constexpr const char* kAuthorities = "/etc/ssl/certs/ca-certificates.crt";
  po::Module module = po::Module::start_or_die(po::messages::Role::kSmtpDeliver);
  deliver::Surroundings surroundings{po::read_hosts_file(), po::Fd(open(kAuthorities, O_RDONLY | O_CLOEXEC)),
                                     po::own_addresses()};
  module.confine_or_die();
  deliver::Server server(module, std::move(surroundings));
  return module.run(server);
}
