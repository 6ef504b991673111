#include "dispatcher/story_server.h"

#include "dispatcher/trace_task.h"

namespace dispatcher {

using po::messages::CommandOutput;

std::unique_ptr<po::CommandTask> make_story_task(const std::string& log_directory,
                                                 const std::vector<std::string>& words) {
  if (!words.empty() && words[0] == "trace")
    return make_trace_task(log_directory, {words.begin() + 1, words.end()});
  return std::make_unique<po::ReadyAnswer>(
      CommandOutput{{}, "post.office: the log answers trace and nothing else\n", true, po::kExitUsage});
}

StoryServer::StoryServer(po::Module& module)
    : module_(module),
      orders_(module.loop(), module.log(), module.welcome().order_key, kAtOnce,
              [&module](const po::Order& order) {
                return make_story_task(module.welcome().log_path, order.words);
              }) {}

void StoryServer::on_peer(const po::messages::Peer& peer, po::Fd fd) {
  if (peer.role != po::messages::Role::kWwwd) {
    module_.log().event("peer-refused").kv("peer", peer.name).kv("role", role_name(peer.role));
    return;
  }
  At at = pipes_.insert(pipes_.end(), Pipe{peer.name, nullptr});
  at->channel = std::make_unique<po::Channel>(
      module_.loop(), std::move(fd),
      [this, at](po::Frame& frame) { return orders_.on_frame(*at->channel, frame); },
      [this, at](std::string_view why) { on_closed(at, why); });
}

void StoryServer::on_closed(At at, std::string_view why) {
  module_.log().event("pipe-closed").kv("peer", at->name).kv("why", why);
  orders_.drop(*at->channel);
  pipes_.erase(at);
  if (stopping_ && pipes_.empty()) module_.finished();
}

// Nothing is lost if a story is not read to its end: who waits for it stops at the same time.
void StoryServer::on_stop(std::uint32_t) {
  stopping_ = true;
  if (pipes_.empty()) module_.finished();
}

po::Counters StoryServer::counters() {
  po::Counters c;
  c.sessions = static_cast<std::uint32_t>(orders_.size());
  c.served = orders_.served();
  c.failures = orders_.refused();
  return c;
}

}  // namespace dispatcher
