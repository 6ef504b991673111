// lmtp-deliver: mail for this host's users to a mail store, by LMTP. Started by the dispatcher;
// man/lmtp-deliver.8.
#include "deliver/lmtp/server.h"
#include "lib/module.h"

int main() {
  po::Module module = po::Module::start_or_die(po::messages::Role::kLmtpDeliver);
  module.confine_or_die();
  lmtp_deliver::Server server(module);
  return module.run(server);
}
