#include "pop3d/server.h"

#include <unistd.h>

#include <string_view>
#include <utility>

#include "lib/net_address.h"

namespace pop3d {

using namespace po::messages;

static constexpr std::chrono::seconds kTimeCheck{2};

Server::Server(po::Module& module, directory::Reader directory, po::ResolverOptions resolver)
    : module_(module),
      directory_(std::move(directory)),
      resolver_(module.loop(), std::move(resolver)),
      pipes_(module.loop(), module.log()),
      ids_(module.welcome().incarnation),
      doors_(module.loop(), [this](po::Door& door, po::Fd client, const NetAddress& address) {
        accept(door, std::move(client), address);
      }) {
  clock_.every(module_.loop(), kTimeCheck, [this] {
    auto now = Connection::Clock::now();
    for (auto& [number, guest] : guests_) guest.connection->check_time(now);
    if (!stopping_ && pipes_.hopeless(now)) start_anew();
  });
}

// ---- from the dispatcher

void Server::on_listen(const Listen& listen, po::Fd socket) {
  if (stopping_ || listen.protocol != Protocol::kPop3) return;
  doors_.open(listen, std::move(socket));
}

void Server::on_peer(const Peer& peer, po::Fd pipe) {
  pipes_.connect(peer.role, std::move(pipe));
}

void Server::on_certificates(const Certificates& certificates) {
  auto context = po::TlsContext::make(certificates);
  if (context) {
    tls_ = std::move(*context);
  } else {
    module_.log().event("bad-certificate").kv("error", context.error().text);  // the old ones stay
  }
}

// A stopping process stays silent: the dispatcher still has the client and gives it to the next one.
bool Server::on_control(po::Frame& frame) {
  HandedClient handed;
  if (!frame.decode(handed) || !frame.fd || handed.listen.protocol != Protocol::kPop3) return false;
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

// The next start of this program has both pipes again.
void Server::start_anew() {
  module_.log().event("no-new-pipe");
  on_stop(0);
  end_.after(module_.loop(), std::chrono::seconds(5), [this] { module_.finished(); });
}

po::Counters Server::counters() {
  return {static_cast<std::uint32_t>(guests_.size()), totals_.retrieved, totals_.failures};
}

// ---- clients

void Server::accept(po::Door& door, po::Fd socket, const NetAddress& address) {
  refresh_settings();
  std::string key = po::limit_key(address);
  if (door.listen.max_sessions != 0 && door.sessions >= door.listen.max_sessions) {
    return refuse(door, std::move(socket), address, "too many connections");
  }
  auto found = per_address_.find(key);
  if (settings_->pop3_per_address != 0 && found != per_address_.end() &&
      found->second >= settings_->pop3_per_address) {
    return refuse(door, std::move(socket), address, "too many connections from your address");
  }
  let_in(door, std::move(socket), address, std::move(key));
}

// One attempt to say it, without a buffer for somebody who is one too many. Under implicit TLS nothing can be
// said.
void Server::refuse(const po::Door& door, po::Fd socket, const NetAddress& address, const char* why) {
  ++totals_.failures;
  module_.log()
      .event("refused")
      .kv("service", door.listen.service)
      .kv("client", po::address_text(address))
      .kv("why", why);
  if (door.listen.implicit_tls) return;
  std::string reply = std::string("-ERR [SYS/TEMP] ") + why + ", try again later\r\n";
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
      std::make_unique<Connection>(Surroundings{module_.loop(), module_.log(), pipes_, resolver_, totals_},
                                   Client{number, ids_.next_session(), address}, conditions(door, address),
                                   std::chrono::seconds(settings_->pop3_idle_seconds), tls_,
                                   std::move(socket), [this](std::uint64_t n) { gone(n); });
  guest.connection->start();
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
  if (auto settings = directory_.settings()) settings_ = std::move(*settings);
}

Conditions Server::conditions(const po::Door& door, const NetAddress& address) const {
  Conditions c;
  c.hostname = module_.welcome().hostname;
  c.implicit_tls = door.listen.implicit_tls;
  c.tls_available = tls_ != nullptr;
  c.loopback = po::is_loopback(address);
  c.clear_text = settings_->pop3_clear_text;
  c.error_limit = settings_->pop3_error_limit;
  return c;
}

}  // namespace pop3d
