#include <unistd.h>

#include "lib/directory/reader.h"
#include "lib/module.h"
#include "queue/open_store.h"
#include "queue/server.h"

namespace {

/// While the settings cannot be read, the built-in ones hold.
std::shared_ptr<const directory::Settings> settings_of(const directory::Reader& reader) {
  static const auto built_in = std::make_shared<const directory::Settings>();
  auto settings = reader.settings();
  return settings ? *settings : built_in;
}

}  // namespace

int main() {
  po::Module module = po::Module::start_or_die(po::messages::Role::kQueue);
  const auto& welcome = module.welcome();
  auto store = module.before_confine_or_die("store", queue::open_store(module));
  auto reader = module.before_confine_or_die(
      "directory", directory::Reader::open(welcome.directory_path, welcome.hostname));
  module.confine_or_die();
  queue::Server server({
      .loop = module.loop(),
      .log = module.log(),
      .store = *store,
      .ticket_key = welcome.ticket_key,
      .order_key = welcome.order_key,
      .hostname = welcome.hostname,
      .incarnation = welcome.incarnation,
      .routing = {.resolve = [&reader](std::string_view address,
                                       bool steps) { return reader.resolve(address, steps); },
                  .table = [&reader] { return reader.routing(); },
                  .account = [&reader](std::uint64_t id) { return reader.account(id); }},
      .errands = [&reader](const directory::ErrandPosition& after,
                           std::size_t limit) { return reader.errands(after, limit); },
      .generation = [&reader] { return reader.generation(); },
      .settings = [&reader] { return settings_of(reader); },
      .min_free_disk = [&reader] { return settings_of(reader)->min_free_disk; },
      .default_limit = [&reader] { return settings_of(reader)->default_mailbox_limit; },
      .finished = [&module] { module.finished(); },
      // Not exit(): the writer thread would commit what still waits, to a disk that has just failed.
      .lost = [] { ::_exit(1); },
  });
  return module.run(server);
}
