// `post.office form list|show|set|check|diff|history|undo`.
#include <fmt/core.h>

#include "accounts/command_words.h"
#include "accounts/history_commands.h"
#include "lib/form/forms.h"
#include "lib/text.h"

namespace accounts {
namespace {

CommandResult list_forms() {
  CommandResult result;
  for (const form::Form* f : form::all_forms())
    result.out += fmt::format("{:<32}{}{}\n", f->name, f->title,
                              form::is_of_account(*f) ? "  (one for each account)" : "");
  return result;
}

}  // namespace

CommandResult run_form_command(const Office& office, Words words, std::string_view input) {
  if (words.empty()) return usage("form: say list, show, set, check, diff, history or undo");
  if (take_flag(words, "--json")) words.emplace_back("--json");  // wherever it stands
  std::string verb = words[0];
  if (verb == "list" && words.size() == 1) return list_forms();
  if (!is_form_verb(verb)) return usage("form: say list, show, set, check, diff, history or undo");
  if (words.size() < 2 || words[1].starts_with("--"))
    return usage(fmt::format("form {}: say which form; 'post.office form list' names them", verb));
  const form::Form* f = form::find_form(words[1]);
  if (!f)
    return refused(
        fmt::format("there is no form {}; 'post.office form list' names them", po::for_display(words[1])));
  words.erase(words.begin(), words.begin() + 2);
  Subject subject{f, 0};
  if (form::is_of_account(*f)) {
    if (words.empty() || words[0].starts_with("--"))
      return refused(fmt::format(
          "every account has its own {} form: say whose, as 'post.office form {} {} jane@podunk.edu'",
          f->title, verb, f->name));
    auto account = account_meant(office, verb, words[0]);
    if (!account) return failed(account.error());
    subject.account = *account;
    words.erase(words.begin());
  }
  return run_on_form(office, {"form", verb, subject}, std::move(words), input);
}

}  // namespace accounts
