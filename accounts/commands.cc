#include "accounts/commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "accounts/command_words.h"
#include "accounts/export_commands.h"
#include "accounts/import_commands.h"
#include "lib/address.h"
#include "lib/text.h"

namespace accounts {
namespace {

constexpr std::string_view kAccountUsage =
    "usage: post.office account list [PATTERN] [--sort address|name|number] [--descending]\n"
    "                                [--offset N] [--limit N] [--json]\n"
    "       post.office account show ADDRESS|LOGIN|NUMBER [--json]\n"
    "       post.office account add [--keep-going]          (forms on standard input)\n"
    "       post.office account add --address A --name N [--login L] [--password P] [Field=value ...]\n"
    "       post.office account set|check|diff ADDRESS [Field=value ...] [--revision N] [--json]\n"
    "                                                       (or a form on standard input)\n"
    "       post.office account history ADDRESS [--limit N] [--json]\n"
    "       post.office account undo ADDRESS REVISION [--json]\n"
    "       post.office account passwd ADDRESS              (the password on standard input)\n"
    "       post.office account lock|unlock ADDRESS\n"
    "       post.office account sign-ins ADDRESS [--json]\n"
    "       post.office account remove ADDRESS --delete-mail|--hand-mail-to ADDRESS\n"
    "ADDRESS: or the log-in name, or the number. Field= empties a field; Field+=value and Field-=value "
    "change\n"
    "a list. See accounts(8) and forms(5).\n";

constexpr std::string_view kFormUsage =
    "usage: post.office form list\n"
    "       post.office form show NAME [--json]\n"
    "       post.office form set|check|diff NAME [Field=value ...] [--revision N] [--json]\n"
    "                                                       (or a form on standard input)\n"
    "       post.office form history NAME [--limit N] [--json]\n"
    "       post.office form undo NAME REVISION [--json]\n"
    "Behind the name of a form that every account has stands the account's address: account-data\n"
    "jane@podunk.edu. Field= empties a field; Field+=value and Field-=value change a list. See forms(5).\n";

constexpr std::string_view kAliasUsage =
    "usage: post.office alias list [PATTERN]\n"
    "       post.office alias add INCOMING OUTGOING\n"
    "       post.office alias remove INCOMING ...\n"
    "The list Aliases of the form SMTP Channel Aliases. See accounts(8).\n";

constexpr std::string_view kDomainUsage =
    "usage: post.office domain list [PATTERN] [--relay]\n"
    "       post.office domain add|remove DOMAIN ... [--relay]\n"
    "The list Local-Mail-Domains, or with --relay Relay-Domains, of the form Mail Routing. See "
    "accounts(8).\n";

constexpr std::string_view kRouteUsage =
    "usage: post.office route ADDRESS ...\n"
    "       post.office route list [PATTERN]\n"
    "       post.office route add PATTERN:HOST [OPTION=VALUE ...] [--before PATTERN]\n"
    "       post.office route remove PATTERN ...\n"
    "With an address it tells where mail for it goes, and why (queue(8)); an address at no domain that is "
    "one of\n"
    "these words needs its domain. The others are for the list Mail-Routing-Table of the form Mail "
    "Routing.\n";

constexpr std::string_view kExportUsage =
    "usage: post.office export [--passwords]                 (to standard output)\n"
    "All forms and all accounts, as post.office import reads them. See accounts(8).\n";

constexpr std::string_view kImportUsage =
    "usage: post.office import [--dry-run | --yes] [--json]  (forms on standard input)\n"
    "Says what would change; with --yes, changes it. See accounts(8).\n";

constexpr std::string_view kRelayPasswordUsage =
    "usage: post.office relay-password list\n"
    "       post.office relay-password set HOST USER        (the password on standard input)\n"
    "       post.office relay-password remove HOST USER\n"
    "HOST and USER as the Mail-Routing-Table has them. See accounts(8).\n";

constexpr std::string_view kAppPasswordUsage =
    "usage: post.office app-password list WHO [--json]\n"
    "       post.office app-password make WHO NAME          (prints it, this once)\n"
    "       post.office app-password revoke WHO NAME|NUMBER\n"
    "WHO: an account's address, log-in name or number. See accounts(8).\n";

constexpr std::size_t kMostShown = 1000;

/// The commands of accounts, by their first word.
struct AccountsCommand {
  std::string_view word;
  CommandResult (*run)(const Office& office, Words words, std::string_view input);
  std::string_view usage;
};
constexpr AccountsCommand kCommands[] = {
    {"account", run_account_command, kAccountUsage},
    {"form", run_form_command, kFormUsage},
    {"alias", run_alias_command, kAliasUsage},
    {"domain", run_domain_command, kDomainUsage},
    {"route", run_route_command, kRouteUsage},
    {"export", run_export_command, kExportUsage},
    {"import", run_import_command, kImportUsage},
    {"relay-password", run_relay_password_command, kRelayPasswordUsage},
    {"app-password", run_app_password_command, kAppPasswordUsage},
};

const AccountsCommand* command_named(std::string_view word) {
  auto found = std::find_if(std::begin(kCommands), std::end(kCommands),
                            [&](const AccountsCommand& c) { return c.word == word; });
  return found == std::end(kCommands) ? nullptr : found;
}

/// Whether a word of `set` or `add` is Field=value.
bool is_assignment(const std::string& word) {
  return word.find('=') != std::string::npos && word[0] != '-';
}

}  // namespace

bool take_flag(Words& words, std::string_view flag) {
  auto end = std::remove(words.begin(), words.end(), flag);
  bool found = end != words.end();
  words.erase(end, words.end());
  return found;
}

bool take_option(Words& words, std::string_view option, std::vector<std::string>& values) {
  std::string with_equals = fmt::format("{}=", option);
  for (auto at = words.begin(); at != words.end();) {
    if (*at == option) {
      if (at + 1 == words.end()) return false;
      values.push_back(at[1]);
      at = words.erase(at, at + 2);
    } else if (at->starts_with(with_equals)) {
      values.push_back(at->substr(with_equals.size()));
      at = words.erase(at);
    } else {
      ++at;
    }
  }
  return true;
}

std::string unknown_option(const Words& words) {
  for (const std::string& word : words)
    if (word.starts_with("--")) return word;
  return {};
}

CommandResult usage(std::string_view why) {
  const AccountsCommand* command = command_named(why.substr(0, why.find_first_of(" :")));
  return {{}, fmt::format("{}\n{}", why, command ? command->usage : ""), kExitUsage};
}

CommandResult refused(std::string text) {
  return {{}, std::move(text) + "\n", kExitRefused};
}

CommandResult failed(const po::Error& error) {
  std::uint8_t code = error.kind == po::Kind::kPermanent ? kExitRefused : kExitTemporary;
  return {{}, error.text + "\n", code};
}

CommandResult refused(const std::vector<form::Problem>& problems, std::string_view consequence) {
  CommandResult result;
  result.exit_code = kExitRefused;
  for (std::size_t i = 0; i < std::min(problems.size(), kMostShown); ++i)
    result.err += problems[i].text() + "\n";
  if (problems.size() > kMostShown) result.err += fmt::format("and {} more\n", problems.size() - kMostShown);
  result.err += fmt::format("{}\n", consequence);
  return result;
}

std::string json_lines(const std::vector<std::string>& objects) {
  std::string out;
  for (const std::string& object : objects) out.append(out.empty() ? "[" : ",\n ").append(object);
  return out.empty() ? "[]\n" : out + "]\n";
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  if (pattern.find_first_of("*?") != std::string::npos) return po::matches_wildcards(pattern, text);
  return po::ascii_lower(text).find(po::ascii_lower(pattern)) != std::string::npos;
}

bool is_accounts_command(const std::vector<std::string>& words) {
  if (words.empty() || !command_named(words[0])) return false;
  if (words[0] != "route") return true;
  // Where mail for an address goes, queue knows.
  return words.size() > 1 && (words[1] == "list" || words[1] == "add" || words[1] == "remove");
}

std::optional<std::uint64_t> read_number(std::string_view text) {
  if (text.starts_with('#')) text.remove_prefix(1);
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

po::Result<directory::Account> find_account(const Administration& admin, std::string_view who) {
  std::string address;
  if (auto mailbox = po::parse_mailbox(who, {.utf8 = true, .need_domain = false})) {
    if (mailbox->domain.empty()) mailbox->domain = admin.completion_domain();
    address = mailbox->canonical();
  }
  auto found = admin.directory().find(who, address);
  if (found && !*found)
    if (auto id = read_number(who)) found = admin.directory().account(*id);
  if (!found) return tl::make_unexpected(found.error());
  if (!*found)
    return po::permanent(
        fmt::format("there is no account {}; 'post.office account list' shows all", po::for_terminal(who)));
  return std::move(**found);
}

bool reads_password(const std::vector<std::string>& words) {
  if (words.size() < 2) return false;
  return (words[0] == "account" && words[1] == "passwd") ||
         (words[0] == "relay-password" && words[1] == "set");
}

bool reads_input(const std::vector<std::string>& words) {
  if (reads_password(words)) return true;
  if (!words.empty() && words[0] == "import") return true;
  if (words.size() < 2) return false;
  bool takes_form = words[1] == "set" || words[1] == "check" || words[1] == "diff";
  bool form_set = takes_form && (words[0] == "account" || words[0] == "form"),
       account_add = words[0] == "account" && words[1] == "add";
  if (!form_set && !account_add) return false;
  for (std::size_t i = 2; i < words.size(); ++i)
    if (is_assignment(words[i]) || (account_add && words[i].starts_with("--") && words[i] != "--keep-going"))
      return false;
  return true;
}

CommandResult run_command(Administration& administration, const Caller& caller,
                          const std::vector<std::string>& words, std::string_view input) {
  const AccountsCommand* command = words.empty() ? nullptr : command_named(words[0]);
  if (!command) return usage("post.office: this is no command for accounts");
  if (caller.rights != form::Who::kPostmaster) return refused("this is for the Postmaster");
  return command->run({administration, caller}, Words(words.begin() + 1, words.end()), input);
}

}  // namespace accounts
