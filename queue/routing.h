// Where mail goes, as queue asks the directory: what an address leads to, and which next hop is for it. A
// test passes functions of its own. Callers: make_accept(), Deliveries, Notices, administrators' commands.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/directory/next_hop.h"
#include "lib/directory/resolution.h"
#include "lib/error.h"
#include "lib/messages.h"
#include "lib/store/store.h"

namespace queue {

struct Routing {
  /// `address` is canonical.
  std::function<po::Result<directory::Resolution>(std::string_view address, bool steps)> resolve;
  std::function<po::Result<std::shared_ptr<const directory::RoutingTable>>()> table;
  std::function<po::Result<std::optional<directory::Account>>(std::uint64_t id)> account;
};

/// The hop of what is in a local domain and waits all the same: held, because nobody has the address.
/// When it is released, the directory is asked again. No literal and no domain looks so.
inline constexpr std::string_view kLocalHop = "[local]";

/// The hop of what goes to a user of this host, into the mail drop by unix-deliver or, by lmtp-deliver, to
/// the mail store.
inline constexpr std::string_view kMaildropHop = "[maildrop]";

/// Behind the last '@'; empty if there is none.
[[nodiscard]] std::string_view domain_part(std::string_view address);

/// Mail of one sender falls into one lane, by account, local user or client: lanes of a hop take turns.
[[nodiscard]] std::uint8_t lane_of(const store::Envelope& envelope);

/// Of a recipient elsewhere. `sender` empty for <>.
[[nodiscard]] po::messages::NextHop next_hop(const directory::RoutingTable& table, std::string_view address,
                                             std::string_view sender);

/// The name of the hop of a target that waits: not a mailbox.
[[nodiscard]] std::string hop_name(const directory::RoutingTable& table, const directory::Target& target,
                                   std::string_view sender);

}  // namespace queue
