// Any text as a small directory: lines "<incoming> <outgoing>" are channel aliases, "address: address ..." is
// an account with its forwarding addresses, what is left are local mail domains. Every address in it is
// resolved: that ends, holds to its bounds, and names no target twice.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "lib/address.h"
#include "lib/directory/record.h"
#include "lib/directory/resolution.h"

namespace {

using directory::Account;
using directory::Verdict;
using Found = po::Result<std::optional<Account>>;

void must(bool holds) {
  if (!holds) std::abort();
}

std::string_view take(std::string_view& text, std::string_view separators) {
  std::size_t end = std::min(text.find_first_of(separators), text.size());
  std::string_view piece = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return piece;
}

struct Office {
  directory::Settings settings;
  std::map<std::uint64_t, Account> accounts;
  std::map<std::string, std::uint64_t, std::less<>> owners;
  std::vector<std::string> addresses{"postmaster", "nobody@podunk.edu", "janie+x@podunk.edu"};

  Office() { add_account("postmaster@podunk.edu", {}); }

  void add_account(const std::string& address, std::string_view forwarding) {
    Account a;
    a.id = accounts.size() + 1;
    a.pop3_delivery = a.id % 2 == 1;
    a.addresses = {address};
    if (!owners.emplace(directory::record::fold(address), a.id).second) return;
    while (!forwarding.empty())
      if (auto m = po::parse_mailbox(take(forwarding, " "), {.utf8 = true}))
        a.forwarding.push_back(m->canonical());
    accounts.emplace(a.id, std::move(a));
    addresses.push_back(address);
  }

  void add_line(std::string_view line) {
    if (auto alias = directory::parse_channel_alias(line, "podunk.edu")) {
      settings.channel_aliases.push_back(directory::channel_alias_text(*alias));
      auto again = directory::parse_channel_alias(settings.channel_aliases.back());
      must(again && again->incoming == alias->incoming && again->outgoing == alias->outgoing);
      addresses.push_back(alias->incoming);
      addresses.push_back(alias->outgoing);
      return;
    }
    std::string_view rest = line;
    if (auto m = po::parse_mailbox(take(rest, ":"), {.utf8 = true})) return add_account(m->canonical(), rest);
    if (auto domain = po::parse_domain(line)) settings.local_domains.push_back(*domain);
  }

  void check(const std::string& address) const {
    directory::AddressTables tables(settings, "podunk.edu");
    directory::Questions ask{[this](std::string_view key) -> Found {
                               auto found = owners.find(key);
                               if (found == owners.end()) return std::optional<Account>();
                               return std::optional(accounts.at(found->second));
                             },
                             [this](std::uint64_t id) -> Found { return std::optional(accounts.at(id)); },
                             settings, tables};
    auto resolved = directory::resolve(address, ask, true);
    must(resolved.has_value());
    bool nowhere = resolved->verdict == Verdict::kUnknown || resolved->verdict == Verdict::kLoop;
    must(nowhere == resolved->targets.empty() && nowhere == !resolved->why.empty());
    must(resolved->targets.size() <= directory::kMostTargets && !resolved->steps.empty());
    std::set<std::tuple<std::uint64_t, std::string>> seen;
    for (const auto& t : resolved->targets)
      must(seen.emplace(t.account, t.account != 0 ? std::string() : t.address).second);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Office office;
  if (size > 0) {
    office.settings.unknown_users = static_cast<directory::UnknownUsers>(data[0] % 3);
    office.settings.plus_addresses = data[0] % 2 == 0;
    office.settings.catch_all = "postmaster@podunk.edu";
  }
  constexpr std::size_t kMostAddresses = 200;  // each is resolved with tables of its own
  while (!text.empty() && office.addresses.size() < kMostAddresses) office.add_line(take(text, "\n"));
  for (const std::string& address : office.addresses) office.check(address);
  return 0;
}
