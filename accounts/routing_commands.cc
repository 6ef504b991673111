// `post.office alias ...`, `domain ...`, `route list|add|remove`: short ways to the lists of two forms; and
// `post.office relay-password ...`.
#include <fmt/core.h>
#include <openssl/crypto.h>

#include <algorithm>

#include "accounts/command_words.h"
#include "lib/address.h"
#include "lib/directory/next_hop.h"
#include "lib/directory/resolution.h"
#include "lib/text.h"

namespace accounts {
namespace {

using directory::Settings;

/// `form set NAME words`, with all its checks.
CommandResult set_list(const Office& office, const char* form_name, Words words) {
  words.insert(words.begin(), {"set", form_name});
  return run_form_command(office, std::move(words), {});
}

CommandResult list_lines(const std::vector<std::string>& lines, const Words& patterns) {
  CommandResult result;
  for (const std::string& line : lines)
    if (patterns.empty() || matches_pattern(patterns[0], line)) result.out += line + "\n";
  return result;
}

/// "janie@podunk.edu", with or without angle brackets; completed.
po::Result<std::string> address_of(const Administration& admin, std::string_view text) {
  if (text.size() > 2 && text.front() == '<' && text.back() == '>') text = text.substr(1, text.size() - 2);
  auto mailbox = po::parse_mailbox(text, {.utf8 = true, .need_domain = false});
  if (!mailbox) return po::permanent(fmt::format("\"{}\": {}", po::for_display(text), mailbox.error().text));
  if (mailbox->domain.empty()) mailbox->domain = admin.completion_domain();
  return mailbox->canonical();
}

// ---- alias

CommandResult add_alias(const Office& office, const Words& words) {
  if (words.size() != 2) return usage("alias add: give the incoming and the outgoing address");
  directory::ChannelAlias alias;
  for (auto [word, into] : {std::pair(&words[0], &alias.incoming), {&words[1], &alias.outgoing}}) {
    auto address = address_of(office.admin, *word);
    if (!address) return failed(address.error());
    *into = std::move(*address);
  }
  return set_list(office, "channel-aliases", {"Aliases+=" + directory::channel_alias_text(alias)});
}

CommandResult remove_aliases(const Office& office, const Settings& settings, const Words& words) {
  if (words.empty()) return usage("alias remove: say the incoming address");
  Words changes;
  for (const std::string& word : words) {
    auto address = address_of(office.admin, word);
    if (!address) return failed(address.error());
    auto is_this = [&](const std::string& line) {
      auto alias = directory::parse_channel_alias(line);
      return alias && po::equal_ignoring_case(alias->incoming, *address);
    };
    auto found = std::find_if(settings.channel_aliases.begin(), settings.channel_aliases.end(), is_this);
    if (found == settings.channel_aliases.end())
      return refused(fmt::format("there is no alias for {}; nothing was changed", *address));
    changes.push_back("Aliases-=" + *found);
  }
  return set_list(office, "channel-aliases", std::move(changes));
}

// ---- route

std::vector<std::string>::const_iterator route_for(const std::vector<std::string>& routes,
                                                   std::string_view pattern) {
  return std::find_if(routes.begin(), routes.end(), [&](const std::string& line) {
    auto route = directory::parse_route(line);
    return route && po::equal_ignoring_case(route->pattern, pattern);
  });
}

CommandResult add_route(const Office& office, std::vector<std::string> routes, const Words& words,
                        const std::vector<std::string>& before) {
  if (words.empty()) return usage("route add: give PATTERN:HOST");
  std::string entry;
  for (const std::string& word : words) entry += (entry.empty() ? "" : " ") + word;
  auto at = before.empty() ? routes.cend() : route_for(routes, before[0]);
  if (!before.empty() && at == routes.cend())
    return refused(fmt::format("there is no route for {}; nothing was changed", po::for_terminal(before[0])));
  routes.insert(at, std::move(entry));
  for (std::string& route : routes) route.insert(0, "Mail-Routing-Table=");
  return set_list(office, "mail-routing", std::move(routes));
}

CommandResult remove_routes(const Office& office, const std::vector<std::string>& routes,
                            const Words& words) {
  if (words.empty()) return usage("route remove: say which pattern");
  Words changes;
  for (const std::string& word : words) {
    auto found = route_for(routes, word);
    if (found == routes.end())
      return refused(fmt::format("there is no route for {}; nothing was changed", po::for_terminal(word)));
    changes.push_back("Mail-Routing-Table-=" + *found);
  }
  return set_list(office, "mail-routing", std::move(changes));
}

// ---- relay-password

/// HOST and USER as a route would have them; a port does no harm.
po::Result<RelayLogIn> log_in_of(const std::string& host, const std::string& user) {
  constexpr std::string_view kBlank = " \t";
  if (host.find_first_of(kBlank) != std::string::npos || user.find_first_of(kBlank) != std::string::npos)
    return po::permanent("a host and a log-in name are one word each");
  auto route = directory::parse_route(fmt::format("*:{} user={}", host, user));
  if (!route) return tl::make_unexpected(route.error());
  return RelayLogIn{std::move(route->host), std::move(route->user)};
}

CommandResult commit_relay_password(Administration& admin, const RelayLogIn& at, std::string_view password) {
  auto change = admin.secrets().begin();
  if (!change) return failed(change.error());
  if (auto ok = change->set_relay_password(at.host, at.user, password); !ok) return failed(ok.error());
  if (auto ok = change->commit(); !ok) return failed(ok.error());
  return {fmt::format("password of {} at {} {}\n", at.user, at.host, password.empty() ? "removed" : "set"),
          {},
          0};
}

CommandResult set_relay_password(Administration& admin, const RelayLogIn& at, std::string_view input) {
  constexpr std::size_t kMost = 1024;
  std::string_view line = input.substr(0, input.find('\n'));
  if (input.size() > line.size() + 1)
    return refused("a password stands on one line; standard input holds more");
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return refused("give the password on standard input");
  if (line.size() > kMost) return refused(fmt::format("a password is at most {} octets long", kMost));
  if (line.find('\0') != std::string_view::npos) return refused("a password holds no NUL");
  return commit_relay_password(admin, at, line);
}

bool is_used(const Settings& settings, const RelayLogIn& at) {
  return std::any_of(settings.routes.begin(), settings.routes.end(), [&](const std::string& line) {
    auto route = directory::parse_route(line);
    return route && route->host == at.host && route->user == at.user;
  });
}

CommandResult list_relay_passwords(Administration& admin, const Settings& settings) {
  auto all = admin.secrets().relay_log_ins();
  if (!all) return failed(all.error());
  CommandResult result;
  for (const RelayLogIn& at : *all)
    result.out += fmt::format("{} {}{}\n", at.host, at.user, is_used(settings, at) ? "" : "  (in no route)");
  return result;
}

CommandResult remove_relay_password(Administration& admin, const RelayLogIn& at) {
  auto kept = admin.secrets().relay_password(at.host, at.user);
  if (!kept) return failed(kept.error());
  std::string& password = *kept;
  bool there = !password.empty();
  OPENSSL_cleanse(password.data(), password.size());
  if (!there) return refused(fmt::format("no password is kept for {} at {}", at.user, at.host));
  return commit_relay_password(admin, at, {});
}

}  // namespace

CommandResult run_alias_command(const Office& office, Words words, std::string_view) {
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("alias: unknown option {}", bad));
  std::string verb = words.empty() ? std::string() : words[0];
  if (verb != "list" && verb != "add" && verb != "remove") return usage("alias: say list, add or remove");
  words.erase(words.begin());
  auto settings = office.admin.directory().settings();
  if (!settings) return failed(settings.error());
  if (verb == "add") return add_alias(office, words);
  if (verb == "remove") return remove_aliases(office, **settings, words);
  if (words.size() > 1) return usage("alias list: one pattern at most");
  return list_lines((*settings)->channel_aliases, words);
}

CommandResult run_domain_command(const Office& office, Words words, std::string_view) {
  bool relay = take_flag(words, "--relay");
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("domain: unknown option {}", bad));
  std::string verb = words.empty() ? std::string() : words[0];
  if (verb != "list" && verb != "add" && verb != "remove") return usage("domain: say list, add or remove");
  words.erase(words.begin());
  if (verb == "list") {
    if (words.size() > 1) return usage("domain list: one pattern at most");
    auto settings = office.admin.directory().settings();
    if (!settings) return failed(settings.error());
    return list_lines(relay ? (*settings)->relay_domains : (*settings)->local_domains, words);
  }
  if (words.empty()) return usage(fmt::format("domain {}: say which domain", verb));
  for (std::string& word : words)
    word.insert(
        0, fmt::format("{}{}", relay ? "Relay-Domains" : "Local-Mail-Domains", verb == "add" ? "+=" : "-="));
  return set_list(office, "mail-routing", std::move(words));
}

CommandResult run_route_command(const Office& office, Words words, std::string_view) {
  std::vector<std::string> before;
  if (!take_option(words, "--before", before) || before.size() > 1)
    return usage("route: --before takes one pattern");
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("route: unknown option {}", bad));
  std::string verb = words.empty() ? std::string() : words[0];
  if (!words.empty()) words.erase(words.begin());
  if (!before.empty() && verb != "add") return usage("route: --before is for add");
  auto settings = office.admin.directory().settings();
  if (!settings) return failed(settings.error());
  if (verb == "add") return add_route(office, (*settings)->routes, words, before);
  if (verb == "remove") return remove_routes(office, (*settings)->routes, words);
  if (verb != "list") return usage("route: say list, add or remove");
  if (words.size() > 1) return usage("route list: one pattern at most");
  return list_lines((*settings)->routes, words);
}

CommandResult run_relay_password_command(const Office& office, Words words, std::string_view input) {
  Administration& admin = office.admin;
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("relay-password: unknown option {}", bad));
  std::string verb = words.empty() ? std::string() : words[0];
  if (verb == "list" && words.size() == 1) {
    auto settings = office.admin.directory().settings();
    if (!settings) return failed(settings.error());
    return list_relay_passwords(admin, **settings);
  }
  if (verb != "set" && verb != "remove") return usage("relay-password: say list, set or remove");
  if (words.size() != 3) return usage(fmt::format("relay-password {}: give HOST and USER", verb));
  auto at = log_in_of(words[1], words[2]);
  if (!at) return failed(at.error());
  return verb == "set" ? set_relay_password(admin, *at, input) : remove_relay_password(admin, *at);
}

}  // namespace accounts
