#include "smtpd/server.h"

#include <chrono>
#include <utility>

#include "lib/net_address.h"
#include "lib/socket_options.h"
#include "lib/text.h"

namespace smtpd {

using namespace po::messages;

static std::unique_ptr<po::Resolver> make_resolver(po::Module& module, std::string hosts) {
  po::ResolverOptions options;
  options.hosts = std::move(hosts);
  if (auto servers = po::parse_dns_servers(module.welcome().resolvers)) {
    options.servers = std::move(*servers);
  } else {
    module.log().event("no-resolver").kv("error", servers.error().text);
  }
  return std::make_unique<po::Resolver>(module.loop(), std::move(options));
}

Server::Server(po::Module& module, directory::Reader reader, Files files)
    : module_(module),
      reader_(std::move(reader)),
      hostname_(po::ascii_lower(module.welcome().hostname)),
      users_(files.passwd),
      settings_(std::make_shared<directory::Settings>()),
      ids_(module.welcome().incarnation),
      queue_(module.loop(), module.log()),
      accounts_(module.loop(), module.log()),
      resolver_(make_resolver(module, std::move(files.hosts))),
      doors_(module.loop(), [this](po::Door& door, po::Fd client, const NetAddress& address) {
        on_accept(door, std::move(client), address);
      }) {
  refresh_settings();
  tick_.every(module.loop(), std::chrono::seconds(1), [this] { tick(); });
}

Server::~Server() = default;

// ---- what the dispatcher says

void Server::on_listen(const Listen& listen, po::Fd socket) {
  doors_.open(listen, std::move(socket));
}

void Server::on_peer(const Peer& peer, po::Fd pipe) {
  if (peer.role == Role::kQueue) {
    queue_.connect(std::move(pipe));
  } else if (peer.role == Role::kAccounts) {
    accounts_.connect(std::move(pipe));
  }
}

void Server::on_certificates(const Certificates& certificates) {
  auto made = po::TlsContext::make(certificates);
  if (made) {
    tls_ = std::move(*made);
  } else {
    log().event("bad-certificate").kv("error", made.error().text);  // what was there stays in use
  }
}

// A stopping process stays silent: the dispatcher still has the client and gives it to the next one.
bool Server::on_control(po::Frame& frame) {
  HandedClient handed;
  if (!frame.decode(handed) || !frame.fd) return false;
  if (handed.listen.protocol != Protocol::kSmtp && handed.listen.protocol != Protocol::kSubmission)
    return false;
  if (stopping_) return true;
  module_.control().send(frame.serial, Took{});
  doors_.take(handed.listen, std::move(frame.fd));
  return true;
}

void Server::on_stop(std::uint32_t) {
  stopping_ = true;
  doors_.stop();
  for (auto& [connection, guest] : guests_) connection->stop();
  if (guests_.empty()) module_.finished();
}

void Server::on_directory_changed(std::uint64_t) {
  refresh_settings();
}

po::Counters Server::counters() {
  return {static_cast<std::uint32_t>(guests_.size()), served_, failures_};
}

void Server::refresh_settings() {
  auto fresh = reader_.settings();
  if (!fresh || *fresh == nullptr) return;  // the last ones stay good
  bool changed = *fresh != settings_;
  settings_ = std::move(*fresh);
  if (!changed) return;
  relay_networks_ = RelayNetworks(settings_->relay_networks);
  queue_start_ = QueueStartPermissions(settings_->queue_start);
}

// A notice of a change may have got lost, and slow clients announce nothing.
void Server::tick() {
  refresh_settings();
  Moment now = std::chrono::steady_clock::now();
  queue_.tick(now);
  accounts_.tick(now);
  for (auto& [connection, guest] : guests_) connection->tick(now);
  if (!stopping_ && (queue_.hopeless(now) || accounts_.hopeless(now))) start_anew();
}

// The next start of this program has both pipes again.
void Server::start_anew() {
  log()
      .event("no-new-pipe")
      .kv("to", queue_.hopeless(std::chrono::steady_clock::now()) ? "queue" : "accounts");
  on_stop(0);
  end_.after(module_.loop(), std::chrono::seconds(5), [this] { module_.finished(); });
}

// ---- clients

const Reply* Server::refusal(const po::Door& door, const std::string& key) const {
  if (door.listen.max_sessions != 0 && door.sessions >= door.listen.max_sessions) return &replies::kTooBusy;
  if (key.empty() || settings_->smtp_per_address == 0) return nullptr;
  auto found = per_address_.find(key);
  bool many = found != per_address_.end() && found->second >= settings_->smtp_per_address;
  return many ? &replies::kTooManyFromYou : nullptr;
}

/// 127.0.0.1 and ::1: there is nothing to learn about ourselves.
static bool is_own_host(const NetAddress& a) {
  return po::is_loopback(a) && a.octets[a.family == 4 ? 3 : 15] == 1;
}

void Server::on_accept(po::Door& door, po::Fd socket, const NetAddress& address) {
  Client client;
  client.protocol = door.listen.protocol;
  client.implicit_tls = door.listen.implicit_tls;
  client.address = address;
  client.host = hostname_;
  Guest guest;
  if (client.protocol == Protocol::kLocalSubmission) {
    auto peer = po::peer_credentials(socket.get());
    if (!peer) return;
    client.uid = peer->uid;
    client.user = users_.name(peer->uid);
  } else {
    guest.key = po::limit_key(address);
    client.name_coming = settings_->look_up_clients && !is_own_host(address);
  }
  const Reply* why = refusal(door, guest.key);
  if (why != nullptr && refusing_ >= kMaxRefusing) {
    ++failures_;
    return;
  }
  client.session = ids_.next_session();
  guest.connection = std::make_unique<Connection>(*this, std::move(socket), std::move(client));
  Connection& connection = *guest.connection;
  if (why == nullptr) {
    guest.door = &door;
    ++door.sessions;
    if (!guest.key.empty()) ++per_address_[guest.key];
  } else {
    ++refusing_;
    ++failures_;
  }
  guests_.emplace(&connection, std::move(guest));
  if (why == nullptr) {
    connection.start();
  } else {
    connection.refuse(*why);
  }
}

void Server::on_gone(Connection& connection) {
  auto found = guests_.find(&connection);
  if (found == guests_.end()) return;
  Guest guest = std::move(found->second);
  guests_.erase(found);
  if (guest.door == nullptr) {
    --refusing_;
  } else {
    --guest.door->sessions;
    auto count = per_address_.find(guest.key);
    if (count != per_address_.end() && --count->second == 0) per_address_.erase(count);
  }
  if (stopping_ && guests_.empty()) module_.finished();
}

// ---- time and ids

po::MessageId Server::next_id() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return ids_.next(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

std::int64_t Server::now() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

}  // namespace smtpd
