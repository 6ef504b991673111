#include "accounts/settings_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "lib/directory/next_hop.h"
#include "lib/directory/resolution.h"
#include "lib/text.h"

namespace accounts {
namespace {

using Aliases = std::unordered_map<std::string, std::string>;

/// Why mail for `incoming` would not arrive; empty if its aliases end.
std::string alias_fault(const Aliases& aliases, const std::string& incoming) {
  std::vector<std::string> way{incoming};
  for (auto at = aliases.find(incoming); at != aliases.end(); at = aliases.find(way.back())) {
    way.push_back(po::ascii_lower(at->second));
    if (std::find(way.begin(), way.end() - 1, way.back()) != way.end() - 1)
      return fmt::format("the aliases lead in a circle, back to {}", way.back());
    if (way.size() > directory::kMostSteps)
      return fmt::format("more than {} aliases stand behind one another", directory::kMostSteps);
  }
  return {};
}

void check_aliases(const directory::Settings& after, const std::string& hostname,
                   std::vector<form::Problem>& problems) {
  const directory::AddressTables tables(after, hostname);
  for (const std::string& line : after.channel_aliases) {
    auto alias = directory::parse_channel_alias(line);
    if (!alias) continue;
    std::string why = alias_fault(tables.aliases, po::ascii_lower(alias->incoming));
    if (!why.empty()) problems.push_back({0, "Aliases", line, std::move(why)});
  }
}

po::Result<void> check_catch_all(const SettingsQuestions& questions, const directory::Settings& after,
                                 std::vector<form::Problem>& problems) {
  constexpr const char* kField = "Catch-All-Address";
  if (after.catch_all.empty()) {
    if (after.unknown_users == directory::UnknownUsers::kDeliver)
      problems.push_back({0, kField, {}, "give an account's address: Unknown-Local-Users is deliver"});
    return {};
  }
  auto there = questions.is_address(after.catch_all);
  if (!there) return tl::make_unexpected(there.error());
  if (!*there) problems.push_back({0, kField, after.catch_all, "no account has this address"});
  return {};
}

}  // namespace

SettingsQuestions questions_of(const Administration& admin) {
  return {
      admin.hostname(), [&admin](std::string_view address) {
        return admin.directory().find({}, address).map([](const auto& owner) { return owner.has_value(); });
      }};
}

po::Result<void> check_settings(const SettingsQuestions& questions, const directory::Settings& before,
                                const directory::Settings& after, std::vector<form::Problem>& problems) {
  if (after.channel_aliases != before.channel_aliases) check_aliases(after, questions.hostname, problems);
  if (after.catch_all == before.catch_all && after.unknown_users == before.unknown_users) return {};
  return check_catch_all(questions, after, problems);
}

po::Result<std::string> missing_relay_passwords(const Administration& admin,
                                                const directory::Settings& settings) {
  std::string missing;
  std::set<std::pair<std::string, std::string>> seen;
  for (const std::string& line : settings.routes) {
    auto route = directory::parse_route(line);
    if (!route || route->user.empty() || !seen.emplace(route->host, route->user).second) continue;
    auto password = admin.secrets().relay_password(route->host, route->user);
    if (!password) return tl::make_unexpected(password.error());
    if (password->empty())
      missing += fmt::format("no password is kept for {} at {}: 'post.office relay-password set {} {}'\n",
                             route->user, route->host, route->host, route->user);
  }
  return missing;
}

}  // namespace accounts
