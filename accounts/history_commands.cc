#include "accounts/history_commands.h"

#include <fmt/core.h>

#include "accounts/account_form.h"
#include "accounts/settings_check.h"
#include "accounts/unix_time.h"
#include "lib/form/changes.h"
#include "lib/form/check.h"
#include "lib/form/forms.h"
#include "lib/form/json.h"
#include "lib/text.h"

namespace accounts {
namespace {

using directory::Revision;
using What = Outcome::What;
using form::json_array;

std::string problem_json(const form::Problem& problem) {
  return fmt::format("{{\"line\": {}, \"field\": {}, \"value\": {}, \"rule\": {}}}", problem.line,
                     po::json_string(problem.field), po::json_string(problem.value),
                     po::json_string(problem.rule));
}

std::string_view kind_name(Revision::Kind kind) {
  constexpr std::string_view kNames[] = {"changed", "added", "removed"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// One revision with its lines, for people.
std::string revision_text(const Revision& revision) {
  std::string out =
      fmt::format("revision {}  {}  {}", revision.revision, utc_text(revision.at), revision.who);
  if (!revision.from.empty()) out += fmt::format(" from {}", revision.from);
  out += fmt::format(" ({})", revision.way);
  if (revision.undoes != 0) out += fmt::format(", takes back revision {}", revision.undoes);
  out += '\n';
  if (revision.kind != Revision::Kind::kChanged) out += fmt::format("    {}\n", kind_name(revision.kind));
  for (const Revision::Line& line : revision.lines) out += fmt::format("    {}\n", form::change_text(line));
  return out;
}

std::string revision_json(const Revision& r) {
  return fmt::format(
      "{{\"revision\": {}, \"at\": {}, \"who\": {}, \"from\": {}, \"way\": {}, \"kind\": \"{}\", \"undoes\": "
      "{}, \"changes\": {}}}",
      r.revision, r.at, po::json_string(r.who), r.from.empty() ? "null" : po::json_string(r.from),
      po::json_string(r.way), kind_name(r.kind), r.undoes == 0 ? "null" : std::to_string(r.undoes),
      json_array(r.lines, form::change_json));
}

/// {"outcome": "changed", "account": 2, "revision": 17, "changes": [...], "problems": [...], "since": [...]}
std::string outcome_json(const Outcome& outcome) {
  constexpr std::string_view kNames[] = {"changed", "same", "refused", "conflict"};
  return fmt::format(
      "{{\"outcome\": \"{}\", \"account\": {}, \"revision\": {}, \"changes\": {}, \"problems\": {}, "
      "\"since\": {}}}",
      kNames[static_cast<std::size_t>(outcome.what)],
      outcome.account == 0 ? "null" : std::to_string(outcome.account), outcome.revision,
      json_array(outcome.changes, form::change_json), json_array(outcome.problems, problem_json),
      json_array(outcome.since, revision_json));
}

/// Of a conflict: who changed what since.
CommandResult conflict_result(const Outcome& outcome) {
  std::string text = "the form was changed since you saw it:\n";
  for (const Revision& row : outcome.since) text += revision_text(row);
  return refused(text + fmt::format("nothing was changed; show the form again: its revision is {} now",
                                    outcome.revision));
}

/// What is left of the words once the options are out.
struct Options {
  bool json = false;
  std::optional<std::uint64_t> number;  ///< of --revision or --limit
};

/// Empty if all is well; else why not.
std::string take_options(Words& words, std::string_view number_option, Options& options) {
  options.json = take_flag(words, "--json");
  std::vector<std::string> values;
  if (!number_option.empty()) {
    if (!take_option(words, number_option, values)) return fmt::format("{} has no value", number_option);
    if (values.size() > 1) return fmt::format("{} is given twice", number_option);
    if (!values.empty()) options.number = read_number(values[0]);
    if (!values.empty() && !options.number) return fmt::format("{} takes a number", number_option);
  }
  if (auto bad = unknown_option(words); !bad.empty())
    return fmt::format("unknown option {}", po::for_display(bad));
  return {};
}

/// One form from words or from standard input.
class FormCommandRun {
 public:
  FormCommandRun(const Office& office, const FormCommand& what) : office_(office), what_(what) {}

  CommandResult run(Words words, std::string_view input) {
    bool submits = what_.verb == "set" || what_.verb == "check" || what_.verb == "diff";
    std::string_view number = submits ? "--revision" : what_.verb == "history" ? "--limit" : "";
    if (auto why = take_options(words, number, options_); !why.empty()) return wrong_usage(why);
    if (submits) return submit_form(words, input);
    if (what_.verb == "undo") return undo_revision(words);
    if (!words.empty()) return wrong_usage("one form at a time");
    return what_.verb == "show" ? show_form() : show_history();
  }

 private:
  CommandResult wrong_usage(std::string_view why) {
    return usage(fmt::format("{} {}: {}", what_.command, what_.verb, why));
  }

  bool is_account() const { return form::is_of_account(*what_.subject.form); }

  CommandResult show_form() {
    auto shown = show(office_.admin, office_.caller, what_.subject);
    if (!shown) return failed(shown.error());
    const form::Form& f = *what_.subject.form;
    if (options_.json) return {form::to_json(f, shown->values, shown->revision) + "\n", {}, 0};
    if (&f == &form::list_of_accounts()) return {lines(shown->values["Accounts"]), {}, 0};
    return {form::render(f, shown->values,
                         form::RenderOptions{.reader = office_.caller.rights, .revision = shown->revision}),
            {},
            0};
  }

  static std::string lines(const std::vector<std::string>& list) {
    std::string out;
    for (const std::string& line : list) out.append(line).append("\n");
    return out;
  }

  CommandResult show_history() {
    std::size_t limit = options_.number.value_or(directory::kMostRevisions);
    auto rows = history(office_.admin, office_.caller, what_.subject, 0, limit);
    if (!rows) return failed(rows.error());
    if (options_.json) return {json_array(*rows, revision_json) + "\n", {}, 0};
    CommandResult result;
    for (const Revision& row : *rows) result.out += revision_text(row);
    if (rows->empty()) result.out = "nothing was changed in this form yet\n";
    return result;
  }

  CommandResult submit_form(const Words& words, std::string_view input) {
    Submission submission;
    submission.check_only = what_.verb != "set";
    if (words.empty()) {
      if (std::string why = read_input(input, submission.given); !why.empty()) return refused(why);
      submission.seen = submission.given.revision;
    } else {
      auto shown = show(office_.admin, office_.caller, what_.subject);
      if (!shown) return failed(shown.error());
      auto settings = office_.admin.directory().settings();
      if (!settings) return failed(settings.error());
      submission.given = form::read_words(*what_.subject.form, words, shown->values,
                                          check_context(office_.admin, **settings, office_.caller.rights));
    }
    if (options_.number) submission.seen = options_.number;
    auto outcome = submit(office_.admin, office_.caller, what_.subject, submission);
    if (!outcome) return failed(outcome.error());
    return answer(*outcome);
  }

  /// Why not; empty if it is a form.
  std::string read_input(std::string_view input, form::Parsed& given) {
    form::Parser parser(*what_.subject.form, input);
    auto parsed = parser.next();
    if (!parsed) return "standard input holds no form; give one, or Field=value words";
    given = std::move(*parsed);
    if (auto another = parser.next())
      given.problems.push_back({another->line,
                                {},
                                {},
                                fmt::format("a second form; '{} {}' takes one", what_.command, what_.verb)});
    return {};
  }

  CommandResult undo_revision(const Words& words) {
    auto revision = words.size() == 1 ? read_number(words[0]) : std::nullopt;
    if (!revision)
      return wrong_usage(fmt::format("say which revision; '{} history' shows them", what_.command));
    auto outcome = undo(office_.admin, office_.caller, what_.subject, *revision);
    if (!outcome) return failed(outcome.error());
    return answer(*outcome);
  }

  CommandResult answer(const Outcome& outcome) {
    bool good = outcome.what == What::kChanged || outcome.what == What::kSame;
    if (options_.json) return {outcome_json(outcome) + "\n", {}, good ? std::uint8_t{0} : kExitRefused};
    if (outcome.what == What::kConflict) return conflict_result(outcome);
    if (!good)
      return refused(outcome.problems, what_.verb == "check" || what_.verb == "diff" ? "this would be refused"
                                                                                     : "nothing was changed");
    if (what_.verb == "check") return {"nothing would be refused\n", {}, 0};
    if (what_.verb == "diff") return {changes(outcome, "nothing would change\n"), {}, 0};
    return changed(outcome);
  }

  static std::string changes(const Outcome& outcome, std::string if_none) {
    std::string out;
    for (const Revision::Line& line : outcome.changes) out += form::change_text(line) + "\n";
    return out.empty() ? if_none : out;
  }

  CommandResult changed(const Outcome& outcome) {
    if (outcome.what == What::kSame)
      return {fmt::format("nothing was changed: the {} already {}\n", is_account() ? "account" : "form",
                          is_account() ? "is like that" : "says so"),
              {},
              0};
    std::string name =
        is_account() ? fmt::format("account {}", outcome.account) : std::string(what_.subject.form->title);
    CommandResult result{fmt::format("{} changed\n", name), {}, 0};
    for (const Revision::Line& line : outcome.changes) {
      // The change stands; what is missing may come later.
      if (line.field == "Mail-Routing-Table") result.err += missing_passwords();
      if (line.field == "Mailbox" && what_.verb == "undo")
        result = {fmt::format("{} is there again, without a password; its mail was {} when it was removed\n",
                              name, line.before.empty() ? std::string("deleted") : line.before[0]),
                  {},
                  0};
    }
    return result;
  }

  std::string missing_passwords() {
    auto settings = office_.admin.directory().settings();
    return settings ? missing_relay_passwords(office_.admin, **settings).value_or("") : std::string();
  }

  const Office& office_;
  const FormCommand& what_;
  Options options_;
};

}  // namespace

bool is_form_verb(std::string_view verb) {
  for (std::string_view known : {"show", "set", "check", "diff", "history", "undo"})
    if (verb == known) return true;
  return false;
}

po::Result<std::uint64_t> account_meant(const Office& office, std::string_view verb, const std::string& who) {
  auto account = find_account(office.admin, who);
  if (account) return account->id;
  auto number = verb == "history" || verb == "undo" ? read_number(who) : std::nullopt;
  if (!number) return tl::make_unexpected(account.error());
  auto last = office.admin.directory().last_revision(directory::history_of_account(*number));
  if (!last) return tl::make_unexpected(last.error());
  if (*last == 0) return tl::make_unexpected(account.error());
  return *number;
}

CommandResult run_on_form(const Office& office, const FormCommand& what, Words words,
                          std::string_view input) {
  return FormCommandRun(office, what).run(std::move(words), input);
}

}  // namespace accounts
