#include "accounts/web_orders.h"

#include <algorithm>
#include <string_view>

#include "accounts/commands.h"
#include "lib/text.h"

namespace accounts {

namespace {

/// Commands by their first word and, where `second` is given, their second.
struct Entry {
  std::string_view first, second;
  OrderRight right;
};

constexpr Entry kOrders[] = {
    {"trace", {}, OrderRight::kLooks},          {"mailbox", {}, OrderRight::kLooks},
    {"route", {}, OrderRight::kLooks},          {"mailq", {}, OrderRight::kLooks},
    {"queue", "status", OrderRight::kLooks},    {"queue", "list", OrderRight::kLooks},
    {"queue", "show", OrderRight::kLooks},      {"queue", "summary", OrderRight::kLooks},
    {"queue", "mailq", OrderRight::kLooks},     {"queue", "watch", OrderRight::kLooks},
    {"queue", "retry", OrderRight::kChanges},   {"queue", "hold", OrderRight::kChanges},
    {"queue", "release", OrderRight::kChanges}, {"queue", "remove", OrderRight::kChanges},
    {"queue", "reroute", OrderRight::kChanges}, {"queue", "expire", OrderRight::kChanges},
};

/// Those of accounts that only look; all others change something.
constexpr Entry kLookingCommands[] = {
    {"account", "list", OrderRight::kLooks},
    {"account", "show", OrderRight::kLooks},
    {"account", "history", OrderRight::kLooks},
    {"account", "sign-ins", OrderRight::kLooks},
    {"form", "list", OrderRight::kLooks},
    {"form", "show", OrderRight::kLooks},
    {"form", "check", OrderRight::kLooks},
    {"form", "diff", OrderRight::kLooks},
    {"form", "history", OrderRight::kLooks},
    {"alias", "list", OrderRight::kLooks},
    {"domain", "list", OrderRight::kLooks},
    {"route", "list", OrderRight::kLooks},
    {"relay-password", "list", OrderRight::kLooks},
    {"app-password", "list", OrderRight::kLooks},
    {"export", {}, OrderRight::kLooks},
};

template <std::size_t N>
const Entry* find_entry(const Entry (&table)[N], const std::vector<std::string>& words) {
  if (words.empty()) return nullptr;
  std::string_view second = words.size() > 1 ? std::string_view(words[1]) : std::string_view();
  auto found = std::find_if(std::begin(table), std::end(table), [&](const Entry& e) {
    return e.first == words[0] && (e.second.empty() || e.second == second);
  });
  return found == std::end(table) ? nullptr : found;
}

bool is_own_address(std::string_view address, const directory::Account& account) {
  return std::any_of(account.addresses.begin(), account.addresses.end(),
                     [&](const std::string& own) { return po::equal_ignoring_case(own, address); });
}

/// With --own: without it, the story of a message names all of its recipients, blind copies as well.
bool is_own_trace(const std::vector<std::string>& words, const directory::Account& account) {
  constexpr std::string_view kAddress = "--address=", kLimit = "--limit=";
  bool own = false, limited = false, addressed = false;
  if (words[0] != "trace") return false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (word.starts_with(kAddress)) {
      if (!is_own_address(word.substr(kAddress.size()), account)) return false;
      addressed = true;
    } else if (word.starts_with(kLimit)) {
      limited = true;
    } else if (word == "--own") {
      own = true;
    } else if (word != "--json") {
      return false;
    }
  }
  return own && limited && addressed;
}

}  // namespace

OrderRight order_right(const std::vector<std::string>& words, const directory::Account& account,
                       bool postmaster) {
  if (postmaster) {
    const Entry* entry = find_entry(kOrders, words);
    return entry ? entry->right : OrderRight::kNone;
  }
  if (account.addresses.empty() || words.empty()) return OrderRight::kNone;
  bool mailbox = words.size() == 3 && words[0] == "mailbox" && words[2] == "--json" &&
                 po::equal_ignoring_case(words[1], account.addresses[0]);
  return mailbox || is_own_trace(words, account) ? OrderRight::kLooks : OrderRight::kNone;
}

OrderRight command_right(const std::vector<std::string>& words) {
  if (!is_accounts_command(words)) return OrderRight::kNone;
  return find_entry(kLookingCommands, words) ? OrderRight::kLooks : OrderRight::kChanges;
}

}  // namespace accounts
