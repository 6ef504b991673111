#include "queue/server.h"

#include "queue/commands.h"

namespace queue {

using po::Fd;
using po::Frame;
using namespace po::messages;

Server::Server(Parts parts)
    : office_(std::move(parts)),
      deliveries_(office_),
      aging_(office_, deliveries_),
      starts_(office_, deliveries_),
      submissions_(office_, deliveries_),
      errands_(office_, deliveries_),
      watchers_(office_.parts.log),
      orders_(office_.parts.loop, office_.parts.log, office_.parts.order_key, CommandSessions::kMost,
              [this](const po::Order& order) {
                return make_task({office_, deliveries_, watchers_}, order.words);
              }),
      commands_(office_.parts.loop) {
  office_.completions.on_settled([this] { settle(); });
}

void Server::on_peer(const Peer& peer, Fd fd) {
  std::shared_ptr<Pipe> pipe;
  if (peer.role == Role::kSmtpd) {
    pipe = std::make_shared<SmtpdPipe>(office_, submissions_, starts_, peer.name, peer.incarnation);
  } else if (peer.role == Role::kPop3d) {
    pipe = std::make_shared<Pop3dPipe>(office_, peer.name);
  } else if (peer.role == Role::kSmtpDeliver || peer.role == Role::kUnixDeliver ||
             peer.role == Role::kLmtpDeliver) {
    bool maildrops = peer.role != Role::kSmtpDeliver;
    pipe = std::make_shared<DeliverPipe>(office_, deliveries_, peer.name, maildrops);
  } else if (peer.role == Role::kWwwd) {
    pipe = std::make_shared<WwwdPipe>(office_, orders_, peer.name);
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
  deliveries_.stop();
  aging_.stop();
  errands_.stop();
  settle();
}

bool Server::on_control(Frame& frame) {
  PassCommand pass;
  if (!frame.decode(pass)) return false;
  if (frame.fd) {
    commands_.add(std::move(frame.fd), make_task({office_, deliveries_, watchers_}, pass.words));
  }
  return true;
}

po::Counters Server::counters() {
  po::Counters c;
  for (const auto& p : pipes_) c.sessions += static_cast<std::uint32_t>(p->sessions());
  c.served = office_.stored;
  c.failures = office_.refused;
  return c;
}

}  // namespace queue
