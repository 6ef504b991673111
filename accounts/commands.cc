#include "accounts/commands.h"

#include <fmt/core.h>

#include <algorithm>

#include "accounts/command_words.h"
#include "lib/text.h"

namespace accounts {
namespace {

constexpr std::string_view kAccountUsage =
    "usage: post.office account list [PATTERN] [--json]\n"
    "       post.office account show ADDRESS|LOGIN|NUMBER [--json]\n"
    "       post.office account add [--keep-going]          (forms on standard input)\n"
    "       post.office account add --address A --name N [--login L] [--password P] [Field=value ...]\n"
    "       post.office account set ADDRESS [Field=value ...]  (or a form on standard input)\n"
    "       post.office account passwd ADDRESS              (the password on standard input)\n"
    "       post.office account lock|unlock|remove ADDRESS\n"
    "ADDRESS: or the log-in name, or the number. Field= empties a field; Field+=value and Field-=value "
    "change\n"
    "a list. See accounts(8) and forms(5).\n";

constexpr std::string_view kFormUsage =
    "usage: post.office form list\n"
    "       post.office form show NAME [--json]\n"
    "       post.office form set NAME [Field=value ...]     (or a form on standard input)\n"
    "Field= empties a field; Field+=value and Field-=value change a list. See forms(5).\n";

constexpr std::size_t kMostShown = 1000;

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
  return {{}, fmt::format("{}\n{}", why, why.starts_with("form") ? kFormUsage : kAccountUsage), kExitUsage};
}

CommandResult refused(std::string text) {
  return {{}, std::move(text) + "\n", kExitRefused};
}

CommandResult failed(const po::Error& error) {
  std::uint8_t code = error.kind == po::Kind::kPermanent ? kExitRefused : kExitTryAgain;
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

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::string p = po::ascii_lower(pattern), t = po::ascii_lower(text);
  if (p.find_first_of("*?") == std::string::npos) return t.find(p) != std::string::npos;
  // One star is gone back to at a time, so the time is at most the product of the lengths.
  std::size_t i = 0, j = 0, star = std::string::npos, mark = 0;
  while (j < t.size()) {
    if (i < p.size() && p[i] == '*') {
      star = i++;
      mark = j;
    } else if (i < p.size() && (p[i] == '?' || p[i] == t[j])) {
      ++i;
      ++j;
    } else if (star != std::string::npos) {
      i = star + 1;
      j = ++mark;
    } else {
      return false;
    }
  }
  return p.find_first_not_of('*', i) == std::string::npos;
}

bool is_accounts_command(const std::vector<std::string>& words) {
  return !words.empty() && (words[0] == "account" || words[0] == "form");
}

bool reads_input(const std::vector<std::string>& words) {
  if (!is_accounts_command(words) || words.size() < 2) return false;
  if (words[1] == "passwd") return words[0] == "account";
  bool form_set = words[1] == "set", account_add = words[0] == "account" && words[1] == "add";
  if (!form_set && !account_add) return false;
  for (std::size_t i = 2; i < words.size(); ++i)
    if (is_assignment(words[i]) || (account_add && words[i].starts_with("--") && words[i] != "--keep-going"))
      return false;
  return true;
}

CommandResult run_command(Administration& administration, const std::vector<std::string>& words,
                          std::string_view input) {
  if (!is_accounts_command(words)) return usage("post.office: this is no command for accounts");
  Words rest(words.begin() + 1, words.end());
  if (words[0] == "account") return run_account_command(administration, std::move(rest), input);
  return run_form_command(administration, std::move(rest), input);
}

}  // namespace accounts
