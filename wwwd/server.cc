#include "wwwd/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <string_view>
#include <utility>

#include "lib/net_address.h"

namespace wwwd {

using namespace po::messages;

static constexpr std::chrono::seconds kTimeCheck{1};

Server::Server(po::Module& module, directory::Reader& directory, po::ResolverOptions resolver,
               Handler& handler)
    : module_(module),
      directory_(directory),
      handler_(handler),
      resolver_(module.loop(), std::move(resolver)),
      ids_(module.welcome().incarnation),
      doors_(module.loop(), [this](po::Door& door, po::Fd client, const NetAddress& address) {
        accept(door, std::move(client), address);
      }) {
  shared_.policy = Policy::of(*settings_);
  clock_.every(module_.loop(), kTimeCheck, [this] { tick(); });
  tick();
}

void Server::tick() {
  shared_.date = http_date(std::time(nullptr));
  auto now = Connection::Clock::now();
  for (auto& [number, guest] : guests_) guest.connection->check_time(now);
  if (stopping_) return;
  refresh_settings();
  if (handler_.hopeless(now)) start_anew();
}

// ---- from the dispatcher

/// 0 if it cannot be told.
static std::uint16_t port_of(const po::Fd& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return po::net_address(&address, size).port;
}

void Server::on_listen(const Listen& listen, po::Fd socket) {
  if (stopping_ || listen.protocol != Protocol::kHttp) return;
  if (listen.implicit_tls && shared_.https_port == 0) shared_.https_port = port_of(socket);
  doors_.open(listen, std::move(socket));
}

void Server::on_peer(const Peer& peer, po::Fd pipe) {
  handler_.on_peer(peer, std::move(pipe));
}

void Server::on_certificates(const Certificates& certificates) {
  auto context = po::TlsContext::make(certificates);
  if (context) {
    tls_ = std::move(*context);
  } else {
    module_.log().event("bad-certificate").kv("error", context.error().text);  // the old ones stay
  }
}

void Server::on_directory_changed(std::uint64_t) {
  refresh_settings();
}

// A stopping process stays silent: the dispatcher still has the client and gives it to the next one.
bool Server::on_control(po::Frame& frame) {
  HandedClient handed;
  if (!frame.decode(handed) || !frame.fd || handed.listen.protocol != Protocol::kHttp) return false;
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

// The next start of this program has its pipes again.
void Server::start_anew() {
  module_.log().event("no-new-pipe");
  on_stop(0);
  end_.after(module_.loop(), std::chrono::seconds(5), [this] { module_.finished(); });
}

po::Counters Server::counters() {
  return {static_cast<std::uint32_t>(guests_.size()), shared_.served, shared_.failures};
}

// ---- clients

/// Ends that one of the connections which has gone longest without a whole request: whoever holds connections
/// open and asks nothing makes room for those who ask.
template <class IsOne>
bool Server::make_room(IsOne&& is_one) {
  Connection* victim = nullptr;
  std::optional<Connection::Clock::time_point> oldest;
  for (auto& [number, guest] : guests_) {
    auto since = guest.connection->idle_since();
    if (!since || (oldest && *since >= *oldest) || !is_one(guest)) continue;
    oldest = since;
    victim = guest.connection.get();
  }
  if (victim != nullptr) victim->close_idle();
  return victim != nullptr;
}

void Server::accept(po::Door& door, po::Fd socket, const NetAddress& address) {
  refresh_settings();
  std::string key = po::limit_key(address);
  if (door.listen.max_sessions != 0 && door.sessions >= door.listen.max_sessions &&
      !make_room([&](const Guest& guest) { return guest.door == &door; }))
    return refuse(door, std::move(socket), address, "too many connections");
  // A listed proxy brings the clients of many addresses.
  bool counted = settings_->web_per_address != 0 && !po::any_match(shared_.policy.proxies, address, {});
  auto found = per_address_.find(key);
  if (counted && found != per_address_.end() && found->second >= settings_->web_per_address &&
      !make_room([&](const Guest& guest) { return guest.limit_key == key; }))
    return refuse(door, std::move(socket), address, "too many connections from your address");
  let_in(door, std::move(socket), address, std::move(key));
}

// One attempt to say it, without a buffer for somebody who is one too many. Under TLS nothing can be said.
void Server::refuse(const po::Door& door, po::Fd socket, const NetAddress& address, const char* why) {
  ++shared_.failures;
  module_.log()
      .event("refused")
      .kv("service", door.listen.service)
      .kv("client", po::address_text(address))
      .kv("why", why);
  if (door.listen.implicit_tls) return;
  Response page = short_page(503, "Too many connections", "Try again in a moment.");
  page.fields.emplace_back("Retry-After", "10");
  std::string text =
      render_head(page, {Framing::kLength, page.body.size(), false, false, shared_.date}) + page.body;
  [[maybe_unused]] ssize_t written =
      ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Server::let_in(po::Door& door, po::Fd socket, const NetAddress& address, std::string limit_key) {
  if (door.listen.implicit_tls && !tls_)
    return refuse(door, std::move(socket), address, "there is no certificate");
  std::uint64_t number = ++last_number_;
  ++door.sessions;
  ++per_address_[limit_key];
  Guest& guest = guests_[number];
  guest.door = &door;
  guest.limit_key = std::move(limit_key);
  guest.connection = std::make_unique<Connection>(
      Surroundings{module_.loop(), module_.log(), resolver_, handler_, shared_},
      Client{number, ids_.next_session(), address}, door.listen.implicit_tls ? tls_ : nullptr,
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
  auto settings = directory_.settings();
  if (!settings || *settings == settings_) return;
  settings_ = std::move(*settings);
  shared_.policy = Policy::of(*settings_);
}

}  // namespace wwwd
