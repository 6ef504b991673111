#include "fingerd/server.h"

#include <unistd.h>

#include <utility>

#include "fingerd/answer.h"
#include "lib/net_address.h"

namespace fingerd {

using namespace po::messages;

Server::Server(po::Module& module, directory::Reader directory, po::ResolverOptions resolver)
    : module_(module),
      directory_(std::move(directory)),
      desk_(directory_, module.welcome().hostname),
      resolver_(module.loop(), std::move(resolver)),
      ids_(module.welcome().incarnation),
      doors_(module.loop(), [this](po::Door& door, po::Fd client, const NetAddress& address) {
        accept(door, std::move(client), address);
      }) {}

// ---- from the dispatcher

void Server::on_listen(const Listen& listen, po::Fd socket) {
  if (stopping_ || listen.protocol != Protocol::kFinger) return;
  doors_.open(listen, std::move(socket));
}

// A stopping process stays silent: the dispatcher still has the client and gives it to the next one.
bool Server::on_control(po::Frame& frame) {
  HandedClient handed;
  if (!frame.decode(handed) || !frame.fd || handed.listen.protocol != Protocol::kFinger) return false;
  if (stopping_) return true;
  module_.control().send(frame.serial, Took{});
  doors_.take(handed.listen, std::move(frame.fd));
  return true;
}

void Server::on_stop(std::uint32_t) {
  stopping_ = true;
  doors_.stop();
  for (auto& [number, guest] : guests_) guest.connection->stop();
  if (guests_.empty()) module_.finished();
}

po::Counters Server::counters() {
  return {static_cast<std::uint32_t>(guests_.size()), totals_.answered, totals_.failures};
}

// ---- clients

void Server::accept(po::Door& door, po::Fd socket, const NetAddress& address) {
  refresh_settings();
  std::string key = po::limit_key(address);
  if (door.listen.max_sessions != 0 && door.sessions >= door.listen.max_sessions) {
    return refuse(door, std::move(socket), address, "too many connections");
  }
  auto found = per_address_.find(key);
  if (settings_->finger_per_address != 0 && found != per_address_.end() &&
      found->second >= settings_->finger_per_address) {
    return refuse(door, std::move(socket), address, "too many connections from your address");
  }
  let_in(door, std::move(socket), address, std::move(key));
}

// One attempt to say it, without a buffer for somebody who is one too many.
void Server::refuse(const po::Door& door, po::Fd socket, const NetAddress& address, const char* why) {
  ++totals_.failures;
  module_.log()
      .event("refused")
      .kv("service", door.listen.service)
      .kv("client", po::address_text(address))
      .kv("why", why);
  std::string reply = line_text(std::string("There are ") + why + "; try again later.");
  [[maybe_unused]] ssize_t written = ::write(socket.get(), reply.data(), reply.size());
}

void Server::let_in(po::Door& door, po::Fd socket, const NetAddress& address, std::string limit_key) {
  std::uint64_t number = ++last_number_;
  ++door.sessions;
  ++per_address_[limit_key];
  Guest& guest = guests_[number];
  guest.door = &door;
  guest.limit_key = std::move(limit_key);
  guest.connection =
      std::make_unique<Connection>(Surroundings{module_.loop(), module_.log(), desk_, resolver_, totals_},
                                   Client{number, ids_.next_session(), address}, access_, settings_,
                                   std::move(socket), [this](std::uint64_t n) { gone(n); });
}

void Server::gone(std::uint64_t number) {
  auto found = guests_.find(number);
  if (found == guests_.end()) return;
  Guest guest = std::move(found->second);
  guests_.erase(found);
  --guest.door->sessions;
  auto count = per_address_.find(guest.limit_key);
  if (count != per_address_.end() && --count->second == 0) per_address_.erase(count);
  if (stopping_ && guests_.empty()) module_.finished();
}

// A directory that cannot be read for a moment leaves the settings as they were.
void Server::refresh_settings() {
  auto settings = directory_.settings();
  if (!settings || *settings == settings_) return;
  settings_ = std::move(*settings);
  access_ = std::make_shared<Access>(read_access(settings_->finger_access));
}

}  // namespace fingerd
