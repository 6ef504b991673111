#include "lib/dns_exchange.h"

#include <netinet/in.h>
#include <openssl/rand.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/net_address.h"

namespace po {

using messages::NetAddress;
using Outcome = ParsedDnsAnswer::Outcome;

namespace {

constexpr std::size_t kMinTries = 3, kMaxTries = 6;
constexpr std::size_t kUdpBuffer = 4096;
constexpr std::size_t kTcpPrefix = 2;  // RFC 1035 4.2.2

bool connect_to(int fd, const NetAddress& server) {
  sockaddr_storage ss{};
  unsigned length = to_sockaddr(server, ss);
  int rc = connect(fd, reinterpret_cast<const sockaddr*>(&ss), length);
  return rc == 0 || errno == EINPROGRESS;
}

bool same(const NetAddress& a, const NetAddress& b) {
  return a.family == b.family && a.octets == b.octets && a.port == b.port;
}

bool send_to(int fd, const std::string& query, const NetAddress* server) {
  sockaddr_storage ss{};
  unsigned length = server != nullptr ? to_sockaddr(*server, ss) : 0;
  return sendto(fd, query.data(), query.size(), MSG_NOSIGNAL,
                length != 0 ? reinterpret_cast<const sockaddr*>(&ss) : nullptr, length) >= 0;
}

bool would_block(ssize_t n) {
  return n < 0 && (errno == EAGAIN || errno == EINTR);
}

std::size_t get16(std::string_view s) {
  return static_cast<std::size_t>(static_cast<unsigned char>(s[0])) << 8 | static_cast<unsigned char>(s[1]);
}

}  // namespace

DnsExchange::DnsExchange(const Loop& loop, const std::vector<NetAddress>& servers, Question question,
                         std::chrono::milliseconds time_limit, OnDone on_done)
    : loop_(loop),
      servers_(servers),
      question_(std::move(question)),
      on_done_(std::move(on_done)),
      max_tries_(std::clamp(2 * servers.size(), kMinTries, kMaxTries)) {
  step_ = time_limit / static_cast<int>(max_tries_);
  deadline_.after(loop_, time_limit, [this] { give_up(); });
}

void DnsExchange::start(std::size_t first_server) {
  started_ = true;
  first_ = first_server;
  try_next();
}

/// Sends to the next server now, and to the one after it a step later if nothing came.
void DnsExchange::try_next() {
  while (!done_ && tries_ < max_tries_) {
    std::size_t server = (first_ + tries_++) % servers_.size();
    if (tries_ < max_tries_) next_.after(loop_, step_, [this] { try_next(); });
    attempt(server, true, false);
    if (open_ > 0) return;
  }
  if (!done_ && open_ == 0) give_up();
}

void DnsExchange::attempt(std::size_t server, bool edns, bool tcp) {
  auto a = std::make_unique<Attempt>();
  a->server = server;
  a->edns = edns;
  a->tcp = tcp;
  if (!open(*a)) return;
  ++open_;
  attempts_.push_back(std::move(a));
}

bool DnsExchange::open(Attempt& a) {
  const NetAddress& server = servers_[a.server];
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&a.id), sizeof a.id) != 1) return false;
  auto query = build_dns_query(a.id, question_.name, question_.type, a.edns);
  if (!query) return false;
  a.query = std::move(*query);
  a.socket.reset(socket(server.family == 4 ? AF_INET : AF_INET6,
                        (a.tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!a.socket) return false;
  // A confined process may lack connect (lib/sandbox.h): then only UDP is left, and whom an answer is from is
  // looked at here instead of in the kernel.
  a.connected = connect_to(a.socket.get(), server);
  if (!a.connected && (a.tcp || errno != ENOSYS)) return false;
  if (a.tcp) {
    a.event.on_writable(loop_, a.socket.get(), [this, &a] { send_tcp(a); });
    return true;
  }
  if (!send_to(a.socket.get(), a.query, a.connected ? nullptr : &server)) return false;
  a.event.on_readable(loop_, a.socket.get(), [this, &a] { read_udp(a); });
  return true;
}

/// The connection is made or has failed, which send() tells. A query is smaller than any socket buffer.
void DnsExchange::send_tcp(Attempt& a) {
  std::string framed;
  framed += static_cast<char>(a.query.size() >> 8);
  framed += static_cast<char>(a.query.size() & 0xff);
  framed += a.query;
  ssize_t n = send(a.socket.get(), framed.data(), framed.size(), MSG_NOSIGNAL);
  if (n != static_cast<ssize_t>(framed.size())) return fail(a);
  a.event.on_readable(loop_, a.socket.get(), [this, &a] { read_tcp(a); });
}

void DnsExchange::read_udp(Attempt& a) {
  char buffer[kUdpBuffer];
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  ssize_t n = recvfrom(a.socket.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length);
  if (would_block(n)) return;
  if (n < 0) return fail(a);  // mostly ECONNREFUSED: nobody listens there
  if (!a.connected && !same(net_address(&from, length), servers_[a.server])) return;
  on_packet(a, {buffer, static_cast<std::size_t>(n)});
}

void DnsExchange::read_tcp(Attempt& a) {
  char buffer[kUdpBuffer];
  ssize_t n = recv(a.socket.get(), buffer, sizeof buffer, 0);
  if (would_block(n)) return;
  if (n <= 0) return fail(a);
  a.received.append(buffer, static_cast<std::size_t>(n));
  if (a.received.size() < kTcpPrefix) return;
  std::size_t size = get16(a.received);
  if (a.received.size() - kTcpPrefix < size) return;
  std::string packet = a.received.substr(kTcpPrefix, size);
  on_packet(a, packet);
}

void DnsExchange::on_packet(Attempt& a, std::string_view packet) {
  ParsedDnsAnswer parsed = parse_dns_answer(packet, a.id, question_.name, question_.type);
  switch (parsed.outcome) {
    case Outcome::kAnswer:
      return done(std::move(parsed.answer), parsed.ttl, a.server);
    case Outcome::kNotOurs:
      // By UDP somebody may be guessing; the right answer may still come. By TCP it is the server itself.
      if (a.tcp) fail(a);
      return;
    case Outcome::kTruncated:
      if (a.tcp) return fail(a);
      close(a);
      attempt(a.server, a.edns, true);
      break;
    case Outcome::kNoEdns:
      if (!a.edns) return fail(a);
      close(a);
      attempt(a.server, false, a.tcp);
      break;
    case Outcome::kServerFailed:
      return fail(a);
  }
  if (open_ == 0) try_next();
}

void DnsExchange::fail(Attempt& a) {
  close(a);
  try_next();
}

/// The Attempt itself stays until the exchange ends: its callback is on the stack.
void DnsExchange::close(Attempt& a) {
  a.event.cancel();
  a.socket.reset();
  --open_;
}

void DnsExchange::give_up() {
  done({DnsStatus::kTemporary, {}, {}}, std::chrono::seconds(0), first_);
}

void DnsExchange::done(DnsAnswer answer, std::chrono::seconds ttl, std::size_t server) {
  if (done_) return;
  done_ = true;
  deadline_.cancel();
  next_.cancel();
  for (auto& a : attempts_) {
    a->event.cancel();
    a->socket.reset();
  }
  on_done_(std::move(answer), ttl, server);
}

}  // namespace po
