#include <unistd.h>

#include "lib/directory/reader.h"
#include "lib/module.h"
#include "queue/open_store.h"
#include "queue/server.h"

namespace {

[[noreturn]] void die(po::Log& log, std::string_view what, std::string_view why) {
  log.event("fatal").kv("what", what).kv("error", why);
  std::exit(1);
}

std::unique_ptr<store::Store> open_store_or_die(po::Module& module) {
  auto opened = queue::open_store(module);
  if (!opened) die(module.log(), "store", opened.error().text);
  return std::move(*opened);
}

directory::Reader open_directory_or_die(po::Module& module) {
  auto opened = directory::Reader::open(module.welcome().directory_path, module.welcome().hostname);
  if (!opened) die(module.log(), "directory", opened.error().text);
  return std::move(*opened);
}

/// While the settings cannot be read, the built-in ones hold.
std::shared_ptr<const directory::Settings> settings_of(const directory::Reader& reader) {
  static const auto built_in = std::make_shared<const directory::Settings>();
  auto settings = reader.settings();
  return settings ? *settings : built_in;
}

}  // namespace

int main() {
  po::Module module = po::Module::start_or_die(po::messages::Role::kQueue);
  auto store = open_store_or_die(module);
  directory::Reader reader = open_directory_or_die(module);
  module.confine_or_die();
  queue::Server server({
      .loop = module.loop(),
      .log = module.log(),
      .store = *store,
      .ticket_key = module.welcome().ticket_key,
      .order_key = module.welcome().order_key,
      .hostname = module.welcome().hostname,
      .incarnation = module.welcome().incarnation,
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
