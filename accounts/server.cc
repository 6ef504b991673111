#include "accounts/server.h"

namespace accounts {

namespace {

constexpr std::chrono::milliseconds kLookAgain{20};

}  // namespace

Server::Server(po::Module& module, Administration& administration)
    : module_(module),
      administration_(administration),
      writer_(module.loop(), 1),
      authenticator_(module.loop(), administration, writer_, module.log(), module.welcome().ticket_key),
      commands_(command_parts()),
      pipes_(module.loop(), module.log(), administration, authenticator_),
      web_(web_parts()),
      announced_(administration.directory().generation()) {
  young_.every(module.loop(), directory::Writer::kYoungPeriod,
               [this] { administration_.directory().hold_young(); });
  authenticator_.reach_saslauthd(
      [this](Authenticator::Connected connected) { ask_for_saslauthd(std::move(connected)); });
  web_.keep_list_ready();
}

CommandServer::Parts Server::command_parts() {
  return {
      .loop = module_.loop(),
      .log = module_.log(),
      .administration = administration_,
      .authenticator = authenticator_,
      .writer = writer_,
      .administer = [this](po::messages::Verb verb) { return administer(verb); },
      .pass = [this](std::uint32_t serial, const po::messages::PassCommand& command,
                     po::Fd connection) { module_.control().send(serial, command, std::move(connection)); },
      .changed = [this] { announce_changes(); },
      .admin_gid = module_.welcome().admin_gid,
      .private_instance = module_.welcome().private_instance};
}

WebServer::Parts Server::web_parts() {
  return {.loop = module_.loop(),
          .log = module_.log(),
          .administration = administration_,
          .authenticator = authenticator_,
          .writer = writer_,
          .administer = [this](po::messages::Verb verb) { return administer(verb); },
          .changed = [this] { announce_changes(); },
          .order_key = module_.welcome().order_key};
}

std::uint32_t Server::administer(po::messages::Verb verb) {
  std::uint32_t serial = module_.control().next_serial();
  module_.control().send(serial, po::messages::Administer{verb});
  return serial;
}

/// The authenticator bounds how many ask at once.
void Server::ask_for_saslauthd(Authenticator::Connected connected) {
  std::uint32_t serial = module_.control().next_serial();
  asked_saslauthd_[serial] = std::move(connected);
  module_.control().send(serial, po::messages::AskConnection{});
}

void Server::on_listen(const po::messages::Listen& listen, po::Fd socket) {
  if (listen.protocol == po::messages::Protocol::kCommand)
    commands_.listen(std::move(socket), listen.max_sessions);
}

void Server::on_peer(const po::messages::Peer& peer, po::Fd socket) {
  if (peer.role == po::messages::Role::kWwwd)
    web_.take(peer, std::move(socket));
  else
    pipes_.take(peer, std::move(socket));
}

bool Server::on_control(po::Frame& frame) {
  if (SystemFacts facts; frame.decode(facts)) {
    administration_.set_facts(std::move(facts));
    return true;
  }
  if (frame.is<po::messages::LocalConnection>()) return on_saslauthd(frame);
  po::messages::AdministerAnswer answer;
  if (!frame.decode(answer)) return false;
  commands_.on_administered(frame.serial, answer);
  web_.on_administered(frame.serial, answer);
  return true;
}

bool Server::on_saslauthd(po::Frame& frame) {
  po::messages::LocalConnection answer;
  auto asked = asked_saslauthd_.find(frame.serial);
  if (!frame.decode(answer) || asked == asked_saslauthd_.end()) return false;
  Authenticator::Connected connected = std::move(asked->second);
  asked_saslauthd_.erase(asked);
  if (frame.fd)
    connected(std::move(frame.fd));
  else
    connected(po::temporary(answer.text));
  return true;
}

/// The others also look by themselves; a notice only saves them the second.
void Server::announce_changes() {
  std::uint64_t now = administration_.directory().generation();
  if (now == announced_) return;
  announced_ = now;
  module_.notify_directory(now);
  web_.keep_list_ready();
}

po::Counters Server::counters() {
  return {static_cast<std::uint32_t>(commands_.sessions()), authenticator_.granted(),
          authenticator_.failures()};
}

void Server::on_stop(std::uint32_t) {
  commands_.stop();
  finish_when_idle();
}

/// What an administrator was promised is finished; the module ends us if that takes too long, and then the
/// transaction did not happen.
void Server::finish_when_idle() {
  authenticator_.sign_ins().flush();
  if (writer_.busy() == 0) return module_.finished();
  stopping_.after(module_.loop(), kLookAgain, [this] { finish_when_idle(); });
}

}  // namespace accounts
