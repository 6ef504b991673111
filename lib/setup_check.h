// What other hosts find of this one in DNS: whether its name has an address, whether the addresses that mail
// leaves from have a name that leads back, whether the mail of each domain comes here. Each finding is a
// sentence and, where a record is missing or wrong, the record to paste into the zone. Asks only through the
// Resolver that it is given, so it works confined; nothing that it learns is acted on. Callers: wwwd's set-up
// check, `post.office check --dns`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/dns.h"
#include "lib/messages.h"

namespace po {

struct SetupQuestion {
  std::string hostname;  ///< fully qualified name of this host
  std::vector<messages::NetAddress>
      interfaces;                          ///< lib/interfaces.h; loopback and link-local ones do not count
  std::vector<std::string> local_domains;  ///< Local-Mail-Domains; the host's own name is one unlisted
  std::vector<std::string> relay_domains;  ///< Relay-Domains
};

struct SetupFinding {
  enum class Severity : std::uint8_t {
    kGood,   ///< as it should be
    kNote,   ///< works, but look at it; or it could not be asked
    kWrong,  ///< mail is lost, refused or goes elsewhere
  };
  Severity severity = Severity::kGood;
  std::string subject;  ///< what it is about: a host name, an address, a domain
  std::string text;     ///< one sentence
  /// For the zone, in the form of RFC 1035 5.1: "podunk.edu. IN MX 10 mail.podunk.edu."; empty: none.
  std::string record;
};

/// Asks when it is made; destroying it cancels. Loop-thread only.
class SetupCheck {
 public:
  /// The host first, then its addresses, then the domains: its own name, and the others as they were given. A
  /// piece that is long is cut off with a finding that says so: kMostDomains, kMostAddresses.
  using OnDone = std::function<void(std::vector<SetupFinding> findings)>;

  /// `on_done` is called once, never from inside this call, and may destroy the check; the Resolver must
  /// outlive it. Takes as long as the slowest question: a few times the resolver's time limit at most.
  SetupCheck(Resolver& resolver, SetupQuestion question, OnDone on_done);
  SetupCheck(const SetupCheck&) = delete;
  SetupCheck& operator=(const SetupCheck&) = delete;
  ~SetupCheck();

  static constexpr std::size_t kMostDomains = 50;
  static constexpr std::size_t kMostAddresses = 16;
  static constexpr std::size_t kMostExchangers = 10;  ///< asked for each domain, lowest preference first

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace po
