// story: what the log says, for the web. Started by the dispatcher; man/story.8.
#include "dispatcher/story_server.h"
#include "lib/module.h"

int main() {
  po::Module module = po::Module::start_or_die(po::messages::Role::kStory);
  module.confine_or_die();
  dispatcher::StoryServer server(module);
  return module.run(server);
}
