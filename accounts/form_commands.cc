// `post.office form list|show|set`.
#include <fmt/core.h>

#include "accounts/command_words.h"
#include "accounts/settings_check.h"
#include "lib/form/check.h"
#include "lib/form/forms.h"
#include "lib/form/json.h"
#include "lib/form/settings_form.h"
#include "lib/form/text.h"
#include "lib/text.h"

namespace accounts {
namespace {

CommandResult list_forms() {
  CommandResult result;
  for (const form::Form* f : form::all_forms())
    if (f != &form::account_data()) result.out += fmt::format("{:<22}{}\n", f->name, f->title);
  return result;
}

CommandResult show_form(Administration& admin, const form::Form& f, bool json) {
  auto settings = admin.directory().settings();
  if (!settings) return failed(settings.error());
  form::Values values = form::settings_values(**settings);
  return {json ? form::to_json(f, values) + "\n" : form::render(f, values), {}, 0};
}

form::Values values_of_input(const form::Form& f, std::string_view input, const form::CheckContext& context,
                             std::vector<form::Problem>& problems) {
  form::Parser parser(f, input);
  auto parsed = parser.next();
  if (!parsed) {
    problems.push_back({0, {}, {}, "standard input holds no form; give one, or Field=value words"});
    return {};
  }
  form::Values values = form::check(f, *parsed, context, problems);
  if (auto another = parser.next()) problems.push_back({another->line, {}, {}, "a second form; give one"});
  return values;
}

CommandResult set_form(Administration& admin, const form::Form& f, const Words& words,
                       std::string_view input) {
  auto settings = admin.directory().settings();
  if (!settings) return failed(settings.error());
  form::CheckContext context{.completion_domain = admin.completion_domain()};
  std::vector<form::Problem> problems;
  form::Values values =
      words.empty() ? values_of_input(f, input, context, problems)
                    : form::check_words(f, words, form::settings_values(**settings), context, problems);
  if (!problems.empty()) return refused(problems, "nothing was changed");
  directory::Settings changed = **settings;
  if (!form::apply_settings(values, changed))
    return {"nothing was changed: the form already says so\n", {}, 0};
  if (auto ok = check_settings(admin, **settings, changed, problems); !ok) return failed(ok.error());
  if (!problems.empty()) return refused(problems, "nothing was changed");
  auto change = admin.directory().begin();
  if (!change) return failed(change.error());
  if (auto ok = change->set_settings(changed); !ok) return failed(ok.error());
  if (auto ok = change->commit(); !ok) return failed(ok.error());
  CommandResult result{fmt::format("{} changed\n", f.title), {}, 0};
  // The change stands; what is missing may come later.
  if (changed.routes != (*settings)->routes)
    result.err = missing_relay_passwords(admin, changed).value_or("");
  return result;
}

}  // namespace

CommandResult run_form_command(Administration& admin, Words words, std::string_view input) {
  bool json = !words.empty() && words[0] == "show" && take_flag(words, "--json");
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("form: unknown option {}", bad));
  if (words.empty()) return usage("form: say list, show or set");
  std::string verb = words[0];
  if (verb == "list" && words.size() == 1) return list_forms();
  if (verb != "show" && verb != "set") return usage("form: say list, show or set");
  if (words.size() < 2)
    return usage(fmt::format("form {}: say which form; 'post.office form list' names them", verb));
  const form::Form* f = form::find_form(words[1]);
  if (!f)
    return refused(
        fmt::format("there is no form {}; 'post.office form list' names them", po::for_display(words[1])));
  if (f == &form::account_data())
    return refused("every account has its own Account Data form: use 'post.office account show' and 'set'");
  words.erase(words.begin(), words.begin() + 2);
  if (verb == "set") return set_form(admin, *f, words, input);
  if (!words.empty()) return usage("form show: one form at a time");
  return show_form(admin, *f, json);
}

}  // namespace accounts
