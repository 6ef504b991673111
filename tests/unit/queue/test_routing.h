// A directory for tests: the local part of an address says what it leads to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "queue/routing.h"

namespace queue::testing {

/// "u7@...": the mailbox of account 7; "far...": elsewhere; "two@...": u1's mailbox and far@away.example;
/// "many@...": u1's mailbox and two addresses elsewhere;
/// "d7@...": the mail drop of account 7's user u7, which "drops" can take away; "both7@...": that and its
/// mailbox; "held...": nobody's, held; "gone...": nobody's; "down...": the directory is away.
inline bool drops = true;

inline po::Result<directory::Resolution> resolve(std::string_view address) {
  using directory::Target;
  directory::Resolution r;
  r.verdict = directory::Verdict::kLocal;
  if (address.starts_with("down")) return po::temporary("no directory");
  if (address.starts_with("gone")) {
    r.verdict = directory::Verdict::kUnknown;
  } else if (address.starts_with("far")) {
    r.verdict = directory::Verdict::kRemote;
    r.targets = {{Target::Kind::kRemote, 0, std::string(address)}};
  } else if (address.starts_with("two")) {
    r.targets = {{Target::Kind::kMailbox, 1, std::string(address)},
                 {Target::Kind::kRemote, 0, "far@away.example"}};
  } else if (address.starts_with("many")) {
    r.targets = {{Target::Kind::kMailbox, 1, std::string(address)},
                 {Target::Kind::kRemote, 0, "far@away.example"},
                 {Target::Kind::kRemote, 0, "far@other.example"}};
  } else if (address.starts_with("d") || address.starts_with("both")) {
    bool both = address.starts_with("both");
    std::uint64_t account = std::stoull(std::string(address.substr(both ? 4 : 1)));
    r.account.emplace();
    r.account->id = account;
    r.account->unix_delivery = drops;
    r.account->unix_login = "u" + std::to_string(account);
    if (drops) r.targets.push_back({Target::Kind::kMaildrop, account, std::string(address)});
    if (both || !drops) r.targets.push_back({Target::Kind::kMailbox, account, std::string(address)});
  } else if (address.starts_with("held")) {
    r.targets = {{Target::Kind::kHeld, 0, std::string(address)}};
  } else {
    std::uint64_t account = std::stoull(std::string(address.substr(1)));
    r.targets = {{Target::Kind::kMailbox, account, std::string(address)}};
    r.account.emplace();
    r.account->id = account;
    r.account->addresses = {std::string(address)};
  }
  return r;
}

inline Routing routing(std::vector<std::string> routes = {}) {
  auto table = std::make_shared<const directory::RoutingTable>(std::move(routes), std::vector<std::string>{});
  return {.resolve = [](std::string_view address, bool) { return resolve(address); },
          .table = [table] { return table; },
          .account = [](std::uint64_t id) -> po::Result<std::optional<directory::Account>> {
            directory::Account account;
            account.id = id;
            account.addresses = {"u" + std::to_string(id) + "@x"};
            return account;
          }};
}

inline std::shared_ptr<const directory::Settings> settings() {
  static const auto built_in = std::make_shared<const directory::Settings>();
  return built_in;
}

}  // namespace queue::testing
