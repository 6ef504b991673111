// What an address leads to, in the order of forms(5): account -> channel alias (rewrite, start again)
// -> local mail domain (unknown there is an error) -> elsewhere. Accounts with forwarding addresses lead on;
// loops are cut. Pure: the directory is passed in as questions. Callers: Reader::resolve() for smtpd (may
// this recipient be taken?) and queue (where does it go?), `post.office route` (why?).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "lib/directory/account.h"
#include "lib/directory/settings.h"
#include "lib/error.h"

namespace directory {

/// One place where a copy goes.
struct Target {
  enum class Kind : std::uint8_t {
    kMailbox,   ///< of `account`
    kRemote,    ///< to `address`, which is in no local domain
    kMaildrop,  ///< of the host's user that `account` names
    kHeld       ///< nobody has `address`; kept for the Postmaster to decide (Unknown-Local-Users: hold)
  };
  Kind kind = Kind::kMailbox;
  std::uint64_t account = 0;
  std::string address;  ///< canonical; for a mailbox the address that led to it
  bool operator==(const Target&) const = default;
};

/// What is to be said of the address itself.
enum class Verdict : std::uint8_t {
  kLocal,        ///< ours: taken from anybody
  kRelayDomain,  ///< elsewhere, in Relay-Domains: taken from anybody
  kRemote,       ///< elsewhere: taken from those who may relay
  kUnknown,      ///< a local domain, no such address
  kLoop          ///< aliases or forwarding addresses lead in a circle: `why` names it
};

struct Resolution {
  Verdict verdict = Verdict::kUnknown;
  std::vector<Target> targets;     ///< none for kUnknown and kLoop; no target twice
  std::optional<Account> account;  ///< the first account on the way; its mailbox need not be a target
  /// One sentence for people, for kUnknown and kLoop, fit for strangers: where accounts have led on, it names
  /// none of their forwarding addresses.
  std::string why;
  std::vector<std::string> steps;  ///< each step of the decision, for people, if they were asked for
};

/// A line of the SMTP channel's Aliases: "<incoming> <outgoing>", both whole addresses.
struct ChannelAlias {
  std::string incoming, outgoing;  ///< canonical
};
/// Addresses without a domain get `completion_domain`, if it is not empty. Permanent failure with a sentence
/// that names what is wrong.
[[nodiscard]] po::Result<ChannelAlias> parse_channel_alias(std::string_view text,
                                                           std::string_view completion_domain = {});
/// "<janie@podunk.edu> <janie@xanadu.podunk.edu>".
[[nodiscard]] std::string channel_alias_text(const ChannelAlias& alias);

/// The lists of the settings that resolve() looks addresses up in; made once per revision. Aliases that do
/// not parse (the forms check them) lead nowhere; of two for one address the first counts.
struct AddressTables {
  AddressTables() = default;
  /// `hostname` in lower case: this host, a local mail domain always.
  AddressTables(const Settings& settings, std::string_view hostname);
  [[nodiscard]] bool is_local(std::string_view domain) const;

  std::unordered_map<std::string, std::string> aliases;  ///< folded incoming to canonical outgoing
  std::unordered_set<std::string> local_domains, relay_domains;
  std::string completion_domain;  ///< or the host's name
};

/// The directory as it is asked.
struct Questions {
  std::function<po::Result<std::optional<Account>>(std::string_view key)> account_of;  ///< by folded address
  std::function<po::Result<std::optional<Account>>(std::uint64_t id)> account;
  const Settings& settings;
  const AddressTables& tables;
};

inline constexpr std::size_t kMostSteps = 50;  ///< aliases and accounts behind one another
/// Addresses that are followed from one address; more of them are refused as a loop is.
inline constexpr std::size_t kMostTargets = 10'000;

/// `address` is canonical, with a domain or without one (then the completion domain is put behind it;
/// "postmaster" alone is the Postmaster). Fails only if a question does.
///
/// An address of an account wins, then what is left of it without its plus part, then a channel alias in the
/// same way. An account keeps a copy if it has POP3-Delivery, if one of its forwarding addresses is its own,
/// or if it has no other way; the Postmaster's account always does. Where several ways lead on, those that
/// end nowhere (an unknown address, a loop) are left out; only when all do is that the verdict.
[[nodiscard]] po::Result<Resolution> resolve(std::string_view address, const Questions& ask,
                                             bool steps = false);

}  // namespace directory
