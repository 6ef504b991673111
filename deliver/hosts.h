// Which hosts a message for a next hop is offered to, and in which order (RFC 5321 section 5, RFC 7505).
// Pure: what DNS said is passed in, and so is chance. DNS is hostile: names, numbers and how many there are
// come from whoever owns the domain. Callers: lookup.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dns.h"
#include "lib/messages.h"

namespace deliver {

/// One place to connect to.
struct Endpoint {
  std::string name;  ///< of the host, as it is greeted and looked for in a certificate; "[192.0.2.1]"
  po::messages::NetAddress address;  ///< with port
};

/// "mx1.podunk.edu[192.0.2.1]:25"
[[nodiscard]] std::string endpoint_text(const Endpoint& e);

/// This host, as far as mail to it would come back.
class OwnHost {
 public:
  OwnHost() = default;
  /// `name`: of this host. `smtp`: where it takes mail, "address:port" (Welcome). `interfaces`: its
  /// addresses, which count where it takes mail on all of a kind.
  OwnHost(std::string_view name, const std::vector<std::string>& smtp,
          std::vector<po::messages::NetAddress> interfaces);

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Whether a connection to this address and port would be one to ourselves.
  [[nodiscard]] bool takes_mail_at(const po::messages::NetAddress& address) const;

 private:
  std::string name_;
  std::vector<po::messages::NetAddress> smtp_, interfaces_;
};

/// Why there is nobody to connect to.
struct NoHost {
  po::Kind kind = po::Kind::kTemporary;
  std::string status;  ///< RFC 3463
  std::string text;    ///< a sentence for the sender, and for the Postmaster
};

/// One host with what was found out about it.
struct Candidate {
  std::string name;
  std::uint16_t preference = 0;
  bool failed = false;  ///< DNS could not say
  std::vector<po::messages::NetAddress> addresses;
};

/// A number below its argument, each as likely.
using Chance = std::function<std::size_t(std::size_t)>;

inline constexpr std::size_t kMaxCandidates = 20;  ///< hosts whose addresses are asked
inline constexpr std::size_t kMaxEndpoints = 20;   ///< addresses that are tried

struct Exchangers {
  std::vector<Candidate> hosts;  ///< without addresses, best first, equals in random order
  std::optional<NoHost> none;    ///< `hosts` is empty: why
};
/// From MX records (kOk) to the hosts that are to be asked for addresses: sorted, cut at our own name and at
/// kMaxCandidates. `domain` for the sentences.
[[nodiscard]] Exchangers order_exchangers(std::string_view domain, const std::vector<po::MailExchanger>& mx,
                                          const OwnHost& own, const Chance& chance);

struct HostList {
  std::vector<Endpoint> endpoints;
  std::optional<NoHost> none;
};
/// The last step. `hop` says domain or host, port and source address; `from_mx`: the candidates come from MX
/// records, else they are the hop's host itself.
[[nodiscard]] HostList choose_hosts(const po::messages::NextHop& hop, bool from_mx,
                                    std::vector<Candidate> candidates, const OwnHost& own,
                                    const Chance& chance);

/// "[192.0.2.1]" or "[IPv6:2001:db8::1]", or nothing.
[[nodiscard]] std::optional<po::messages::NetAddress> parse_literal(std::string_view text);

}  // namespace deliver
