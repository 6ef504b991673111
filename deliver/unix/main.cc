// unix-deliver: mail into the mail drops of this host's users. Started by the dispatcher; man/unix-deliver.8.
#include "deliver/unix/server.h"
#include "lib/module.h"

int main() {
  po::Module module = po::Module::start_or_die(po::messages::Role::kUnixDeliver);
  unix_deliver::MailDrops drops(module.welcome().maildrop_path);
  module.confine_or_die();
  unix_deliver::Server server(module, std::move(drops));
  return module.run(server);
}
