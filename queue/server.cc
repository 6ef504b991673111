#include "queue/server.h"

#include "queue/commands.h"

namespace queue {

using po::Fd;
using po::Frame;
using namespace po::messages;

static constexpr std::size_t kMaxCommands = 16;
static constexpr auto kLookAgain = std::chrono::milliseconds(20);
static constexpr int kMaxLooks = 500;  // ten seconds: then the administrator's terminal does not read

Server::Server(Parts parts) : office_(std::move(parts)), submissions_(office_) {
  office_.completions.on_settled([this] { settle(); });
}

void Server::on_peer(const Peer& peer, Fd fd) {
  std::shared_ptr<Pipe> pipe;
  if (peer.role == Role::kSmtpd) {
    pipe = std::make_shared<SmtpdPipe>(office_, submissions_, peer.name, peer.incarnation);
  } else if (peer.role == Role::kPop3d) {
    pipe = std::make_shared<Pop3dPipe>(office_, peer.name);
  } else {
    office_.parts.log.event("peer-refused").kv("peer", peer.name).kv("role", role_name(peer.role));
    return;
  }
  pipes_.push_back(pipe);
  pipe->start(std::move(fd), [this, raw = pipe.get()](std::string_view why) { close_pipe(raw, why); });
  pipe->on_work([this] { settle(); });
  if (paused_) pipe->pause();
}

void Server::close_pipe(const Pipe* pipe, std::string_view why) {
  office_.parts.log.event("pipe-closed").kv("peer", pipe->name()).kv("why", why);
  pipes_.remove_if([pipe](const std::shared_ptr<Pipe>& p) { return p.get() == pipe; });
  settle();
}

// Memory is bounded by not reading: what cannot be taken now waits in the pipes, and behind them in the
// sockets of the clients.
void Server::settle() {
  if (!paused_ && office_.too_much_work()) {
    paused_ = true;
    for (const auto& p : pipes_) p->pause();
  } else if (paused_ && office_.little_work()) {
    paused_ = false;
    for (const auto& p : pipes_) p->resume();
  }
  if (stopping_ && pipes_.empty() && office_.changes_in_work == 0) office_.parts.finished();
}

// The servers get their stop at the same time and still bring messages to an end: the last of them to go ends
// this process. If one stays too long, Module ends it; what was given to the writer is committed in any case.
void Server::on_stop(std::uint32_t) {
  stopping_ = true;
  settle();
}

bool Server::on_control(Frame& frame) {
  PassCommand pass;
  if (!frame.decode(pass)) return false;
  if (frame.fd) answer_command(pass.words, std::move(frame.fd));
  return true;
}

void Server::answer_command(const std::vector<std::string>& words, Fd fd) {
  if (commands_.size() >= kMaxCommands) return;
  auto command = commands_.emplace(commands_.end());
  command->channel = std::make_unique<po::Channel>(
      office_.parts.loop, std::move(fd), [](Frame&) { return false; },
      [this, command](std::string_view) { commands_.erase(command); });
  command->channel->send(0, run_command(office_, words));
  close_when_sent(command);
}

void Server::close_when_sent(std::list<Command>::iterator command) {
  command->look_again.after(office_.parts.loop, kLookAgain, [this, command] {
    if (command->channel->backlog() > 0 && ++command->looks < kMaxLooks) return close_when_sent(command);
    commands_.erase(command);
  });
}

po::Counters Server::counters() {
  po::Counters c;
  for (const auto& p : pipes_) c.sessions += static_cast<std::uint32_t>(p->sessions());
  c.served = office_.stored;
  c.failures = office_.refused;
  return c;
}

}  // namespace queue
