// Names and numbers of hosts, asked of DNS without blocking: A, AAAA, MX, PTR, and the name of a client that
// reverse and forward look-up agree on. Answers come from whoever can send a datagram to us, so questions
// carry a random id and each goes out from a fresh socket connected to one server, whose port the kernel
// chooses at random (udns's own transport keeps one port and a guessable id for its whole life, and has no
// TCP; therefore udns serves for the wire form alone, lib/dns_packet.h). After construction only socket,
// connect, sendto, recvfrom, close and epoll are used, and no file is opened, so it works confined. Callers:
// smtpd, pop3d, smtp-deliver; one per process.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/error.h"
#include "lib/loop.h"
#include "lib/messages.h"

namespace po {

enum class DnsStatus : std::uint8_t {
  kOk,
  kNotFound,   ///< surely not there: no such name, or the name has no such record
  kTemporary,  ///< no answer in time, the servers failed, or too many questions wait
};

enum class DnsType : std::uint16_t { kA = 1, kPtr = 12, kMx = 15, kAaaa = 28 };

struct MailExchanger {
  std::uint16_t preference = 0;
  std::string name;  ///< lower case, a legal host name; "." alone: the root (RFC 7505)
  bool operator==(const MailExchanger&) const = default;
};

struct DnsAnswer {
  DnsStatus status = DnsStatus::kTemporary;
  std::vector<messages::NetAddress> addresses;  ///< of A and AAAA
  std::vector<std::string> names;               ///< of PTR: lower case, legal host names only
  std::vector<MailExchanger> exchangers =
      {};  ///< of MX, as they came; kOk without any: none had a legal name
};

struct ResolverOptions {
  std::vector<messages::NetAddress> servers;   ///< by parse_dns_servers(); none: the hosts file alone
  std::string hosts;                           ///< what /etc/hosts holds; it is asked first, but for MX
  std::chrono::milliseconds time_limit{5000};  ///< for one question, all servers and TCP together
  std::size_t concurrent = 64;                 ///< questions on the wire at once
  std::size_t waiting = 2000;                  ///< questions that wait for their turn; more: kTemporary
  std::size_t cache_octets = 8 << 20;
};

/// "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353". Permanent failure naming the wrong
/// one.
[[nodiscard]] Result<std::vector<messages::NetAddress>> parse_dns_servers(
    const std::vector<std::string>& texts);

/// What /etc/hosts holds; nothing if it cannot be read.
[[nodiscard]] std::string read_hosts_file();
/// With these servers, and the hosts file, which is read here: before confinement.
[[nodiscard]] Result<ResolverOptions> read_resolver_options(const std::vector<std::string>& servers);

/// A question under way. Destroying it cancels the callback; so does destroying the Resolver. It may be
/// destroyed at any time, also from inside its callback.
class DnsQuestion {
 public:
  DnsQuestion() = default;
  explicit DnsQuestion(std::shared_ptr<void> state) : state_(std::move(state)) {}
  void cancel() { state_.reset(); }

 private:
  std::shared_ptr<void> state_;
};

/// Callbacks are called once, never from inside the call that asks, never after the question or the Resolver
/// is gone, and must not throw. They may ask again, and may destroy the Resolver.
class Resolver {
 public:
  using OnAnswer = std::function<void(const DnsAnswer&)>;
  /// kOk with the name; kNotFound and kTemporary with an empty one.
  using OnName = std::function<void(DnsStatus, const std::string& name)>;

  Resolver(const Loop& loop, ResolverOptions options);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// `name`: A-labels, without a final dot; what is no legal host name is not found.
  [[nodiscard]] DnsQuestion resolve(std::string_view name, DnsType type, OnAnswer on_answer);
  /// The names that the reverse zone gives to an address.
  [[nodiscard]] DnsQuestion reverse(const messages::NetAddress& address, OnAnswer on_answer);
  /// The first of the reverse names (five are tried) that has the address among its own addresses. Only such
  /// a name says anything about a client. kTemporary if none agrees but one could not be asked.
  [[nodiscard]] DnsQuestion confirmed_name(const messages::NetAddress& address, OnName on_name);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace po
