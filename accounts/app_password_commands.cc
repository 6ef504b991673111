// `post.office app-password list|make|revoke` and `post.office account sign-ins`.
#include <fmt/core.h>

#include <algorithm>

#include "accounts/app_passwords.h"
#include "accounts/command_words.h"
#include "accounts/unix_time.h"
#include "lib/text.h"

namespace accounts {
namespace {

using directory::Account;

CommandResult list_passwords(const Office& office, const Account& account, bool json) {
  auto all = office.admin.secrets().app_passwords(account.id);
  if (!all) return failed(all.error());
  CommandResult result;
  std::vector<std::string> objects;
  for (const AppPassword& p : *all) {
    if (json)
      objects.push_back(fmt::format(R"({{"id": {}, "name": {}, "made": {}, "used": {}, "from": {}}})", p.id,
                                    po::json_string(p.name), p.made, p.used, po::json_string(p.used_from)));
    else
      result.out += fmt::format("{:>6}  {:<32}  made {}, last used {}{}\n", p.id, po::for_terminal(p.name),
                                minute_text(p.made), minute_text(p.used),
                                p.used_from.empty() ? "" : " from " + p.used_from);
  }
  if (json) result.out = json_lines(objects);
  return result;
}

CommandResult make_password(const Office& office, const Account& account, const std::string& name) {
  auto made = make_app_password(office.admin.secrets(), account.id, name, unix_seconds());
  if (!made) return failed(made.error());
  return {made->password + "\n", {}, 0};
}

CommandResult revoke_password(const Office& office, const Account& account, const std::string& which) {
  auto all = office.admin.secrets().app_passwords(account.id);
  if (!all) return failed(all.error());
  auto id = read_number(which);
  auto found = std::find_if(all->begin(), all->end(), [&](const AppPassword& p) {
    return id ? p.id == *id : po::equal_ignoring_case(p.name, which);
  });
  if (found == all->end())
    return refused(
        fmt::format("there is no application password {}; 'post.office app-password list' shows all",
                    po::for_display(which)));
  auto name = revoke_app_password(office.admin.secrets(), account.id, found->id);
  if (!name) return failed(name.error());
  return {fmt::format("revoked {}\n", po::for_terminal(*name)), {}, 0};
}

CommandResult list_sign_ins(const Office& office, const Account& account, bool json) {
  auto all = office.admin.secrets().sign_ins(account.id);
  if (!all) return failed(all.error());
  CommandResult result;
  std::vector<std::string> objects;
  for (const SignIn& s : *all) {
    if (json)
      objects.push_back(fmt::format(R"({{"last": {}, "service": {}, "from": {}, "by": {}, "count": {}}})",
                                    s.last, po::json_string(service_name(s.service)), po::json_string(s.from),
                                    po::json_string(s.by), s.count));
    else
      result.out += fmt::format("{}  {:<10}  {:<24}  {:>5}  {}\n", minute_text(s.last),
                                service_name(s.service), s.from, s.count, po::for_terminal(s.by));
  }
  if (json) result.out = json_lines(objects);
  return result;
}

}  // namespace

CommandResult run_app_password_command(const Office& office, Words words, std::string_view) {
  if (words.empty()) return usage("app-password: say what to do");
  std::string verb = words[0];
  words.erase(words.begin());
  if (verb != "list" && verb != "make" && verb != "revoke")
    return usage(fmt::format("app-password: there is no '{}'", po::for_display(verb)));
  bool json = verb == "list" && take_flag(words, "--json");
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("app-password {}: unknown option {}", verb, bad));
  if (words.size() != (verb == "list" ? 1 : 2))
    return usage(fmt::format("app-password {}: say which account{}", verb,
                             verb == "list" ? "" : " and which application password"));
  auto account = find_account(office.admin, words[0]);
  if (!account) return failed(account.error());
  if (verb == "list") return list_passwords(office, *account, json);
  return verb == "make" ? make_password(office, *account, words[1])
                        : revoke_password(office, *account, words[1]);
}

CommandResult run_sign_ins_command(const Office& office, Words words) {
  bool json = take_flag(words, "--json");
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("account sign-ins: unknown option {}", bad));
  if (words.size() != 1) return usage("account sign-ins: say which account");
  auto account = find_account(office.admin, words[0]);
  if (!account) return failed(account.error());
  return list_sign_ins(office, *account, json);
}

}  // namespace accounts
