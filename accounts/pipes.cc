#include "accounts/pipes.h"

#include <openssl/crypto.h>

namespace accounts {

using po::messages::Role;

void Pipes::take(const po::messages::Peer& peer, po::Fd socket) {
  if (peer.role != Role::kSmtpd && peer.role != Role::kPop3d && peer.role != Role::kSmtpDeliver) return;
  std::uint64_t id = next_++;
  Pipe& made = pipes_[id];
  made.role = peer.role;
  made.name = peer.name;
  made.channel = std::make_unique<po::Channel>(
      loop_, std::move(socket), [this, id](po::Frame& frame) { return on_frame(id, frame); },
      [this, id, name = peer.name](std::string_view why) {
        log_.event("peer-gone").kv("peer", name).kv("why", why);
        pipes_.erase(id);
      });
}

bool Pipes::on_frame(std::uint64_t id, po::Frame& frame) {
  Pipe& pipe = pipes_[id];
  return pipe.role == Role::kSmtpDeliver ? on_ask_relay_password(pipe, frame) : on_authenticate(id, frame);
}

bool Pipes::on_authenticate(std::uint64_t id, po::Frame& frame) {
  po::messages::Authenticate ask;
  if (!frame.decode(ask) || (ask.mailbox && pipes_[id].role != Role::kPop3d)) return false;
  Service service = pipes_[id].role == Role::kPop3d ? Service::kPop3 : Service::kSubmission;
  authenticator_.authenticate(
      service, std::move(ask), [this, id, serial = frame.serial](const po::messages::Verdict& v) {
        auto pipe = pipes_.find(id);  // it may have died while the password was checked
        if (pipe != pipes_.end()) pipe->second.channel->send(serial, v);
      });
  return true;
}

/// A database that cannot be read has no password for anybody: the mail waits, and the log says why.
bool Pipes::on_ask_relay_password(Pipe& pipe, po::Frame& frame) {
  po::messages::AskRelayPassword ask;
  if (!frame.decode(ask)) return false;
  auto kept = administration_.secrets().relay_password(ask.host, ask.user);
  po::messages::RelayPassword answer{kept && !kept->empty(), kept.value_or("")};
  log_.event("relay-password")
      .kv("peer", pipe.name)
      .kv("host", ask.host)
      .kv("user", ask.user)
      .kv("outcome", !kept          ? kept.error().text
                     : answer.found ? "given"
                                    : "none is kept");
  pipe.channel->send(frame.serial, answer);
  OPENSSL_cleanse(answer.password.data(), answer.password.size());
  return true;
}

}  // namespace accounts
