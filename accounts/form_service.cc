#include "accounts/form_service.h"

#include <fmt/core.h>

#include <algorithm>

#include "accounts/account_batch.h"
#include "accounts/settings_check.h"
#include "lib/form/changes.h"
#include "lib/form/check.h"
#include "lib/form/forms.h"
#include "lib/form/settings_form.h"
#include "lib/text.h"

namespace accounts {
namespace {

using directory::Account;
using directory::Revision;
using Lines = std::vector<Revision::Line>;
using Problems = std::vector<form::Problem>;

constexpr std::string_view kMailLine = "Mailbox";  // of a removal: what became of the mail

tl::unexpected<po::Error> no_account(std::uint64_t id) {
  return po::permanent(fmt::format("there is no account number {}", id));
}

/// Whether the caller has anything to do with the form. Which of its fields he may change, the form says.
po::Result<void> check_rights(const Caller& caller, const Subject& subject) {
  if (!subject.form) po::panic("form_service: a subject without a form");
  if (caller.rights == form::Who::kPostmaster) return {};
  bool own = subject.form == &form::individual_account_information() && caller.account != 0 &&
             subject.account == caller.account;
  if (!own) return po::permanent("this form is for the Postmaster");
  return {};
}

po::Result<Account> account_of(const Administration& admin, const Caller& caller, std::uint64_t id) {
  auto account = admin.directory().account(id);
  if (!account) return tl::make_unexpected(account.error());
  if (!*account) return no_account(id);
  if (caller.rights == form::Who::kOwner && (*account)->locked) return po::permanent("the account is locked");
  return std::move(**account);
}

std::string history_subject(const Subject& subject) {
  return form::is_of_account(*subject.form) ? directory::history_of_account(subject.account)
                                            : directory::history_of_form(subject.form->name);
}

/// The values of the form's own fields that the caller may read.
form::Values values_for(const Caller& caller, const form::Form& form, const form::Values& all) {
  form::Values values;
  for (const form::Section& section : form.sections) {
    for (const form::Field& field : section.fields) {
      auto found = all.find(field.name);
      bool may = caller.rights == form::Who::kPostmaster || field.read == form::Who::kOwner;
      if (may && field.type != form::Type::kPassword && found != all.end()) values.insert(*found);
    }
  }
  return values;
}

void put_facts(const SystemFacts& facts, form::Values& values) {
  auto one = [](const std::string& text) {
    return text.empty() ? std::vector<std::string>() : std::vector<std::string>{text};
  };
  values["Version"] = one(facts.version);
  values["Program-Directory"] = one(facts.program_directory);
  values["Spool-Directory"] = one(facts.spool_directory);
  values["Mailbox-Directory"] = one(facts.mailbox_directory);
  values["Log-Directory"] = one(facts.log_directory);
  values["Ports"] = facts.ports;
  values["Modules"] = facts.modules;
}

po::Result<form::Values> list_values(const Administration& admin) {
  std::vector<std::string> lines;
  auto ok = admin.directory().for_each([&](const Account& account) {
    lines.push_back(list_line(account));
    return true;
  });
  if (!ok) return tl::make_unexpected(ok.error());
  return form::Values{{"Accounts", std::move(lines)}};
}

/// Of the Default Account, and so of a new one.
po::Result<form::Values> default_values(const Administration& admin) {
  return admin.directory().default_account().map(account_values);
}

/// All values of a form that is no account's.
po::Result<form::Values> system_values(const Administration& admin, const form::Form& form) {
  if (&form == &form::list_of_accounts()) return list_values(admin);
  if (&form == &form::default_account()) return default_values(admin);
  auto settings = admin.directory().settings();
  if (!settings) return tl::make_unexpected(settings.error());
  form::Values values = form::settings_values(**settings);
  if (&form == &form::system_information()) put_facts(*admin.facts(), values);
  return values;
}

/// A form comes back with what is shown only; what was changed of it is refused beside the field.
void refuse_shown_only(const form::Parsed& given, const form::Values& now, Problems& problems) {
  for (const form::Given& field : given.fields) {
    if (field.field->type != form::Type::kReadOnly) continue;
    std::vector<std::string> said;
    for (const std::string& value : field.values)
      if (auto text = po::trim(value); !text.empty()) said.emplace_back(text);
    if (said == form::values_of(now, field.field->name)) continue;
    const form::Field* declared = form::account_data().find(field.field->name);
    bool postmasters = declared && declared->type != form::Type::kReadOnly;
    if (said.empty() && !postmasters) continue;  // a number that was left out
    problems.push_back({field.line, std::string(field.field->name), said.empty() ? std::string() : said[0],
                        postmasters ? "only the Postmaster may change this" : "this field is shown only"});
  }
}

Outcome refusal(std::uint64_t account, std::uint64_t revision, Problems problems) {
  Outcome outcome;
  outcome.account = account;
  outcome.revision = revision;
  outcome.problems = std::move(problems);
  return outcome;
}

po::Result<Outcome> conflict(const Administration& admin, const Caller& caller, const Subject& subject,
                             std::uint64_t now, std::uint64_t seen) {
  Outcome outcome;
  outcome.what = Outcome::What::kConflict;
  outcome.account = subject.account;
  outcome.revision = now;
  auto rows = history(admin, caller, subject, 0, directory::kMostRevisions);
  if (!rows) return tl::make_unexpected(rows.error());
  for (Revision& row : *rows)
    if (row.revision > seen) outcome.since.push_back(std::move(row));
  return outcome;
}

Outcome done(std::uint64_t account, std::uint64_t revision, Lines changes) {
  Outcome outcome;
  outcome.what = changes.empty() ? Outcome::What::kSame : Outcome::What::kChanged;
  outcome.account = account;
  outcome.revision = revision;
  outcome.changes = std::move(changes);
  return outcome;
}

/// One change of one form: what submit() and undo() have in common.
class Change {
 public:
  Change(Administration& admin, const Caller& caller, const Subject& subject, const Submission& submission)
      : admin_(admin), caller_(caller), subject_(subject), submission_(submission) {}

  Change& undoing(std::uint64_t revision) {
    undoes_ = revision;
    return *this;
  }

  po::Result<Outcome> run() {
    auto settings = admin_.directory().settings();
    if (!settings) return tl::make_unexpected(settings.error());
    context_ = check_context(admin_, **settings, caller_.rights);
    if (subject_.form == &form::list_of_accounts()) return po::permanent("this form is shown only");
    if (subject_.form == &form::default_account()) return default_account();
    if (!form::is_of_account(*subject_.form)) return settings_form(**settings);
    return subject_.account == 0 ? new_account() : one_account();
  }

 private:
  po::Result<Outcome> new_account() {
    if (subject_.form != &form::account_data()) return po::permanent("a new account is an Account Data form");
    context_.whole = true;
    Problems problems;
    form::Values values = form::check(*subject_.form, submission_.given, context_, problems);
    if (!problems.empty()) return refusal(0, 0, std::move(problems));
    auto batch = AccountBatch::begin(admin_, caller_);
    if (!batch) return tl::make_unexpected(batch.error());
    auto id = batch->add(values, submission_.given, problems);
    if (!id) return tl::make_unexpected(id.error());
    if (!*id) return refusal(0, 0, std::move(problems));
    auto added = batch->directory().account(**id);
    if (!added) return tl::make_unexpected(added.error());
    Lines lines = form::changes_between(form::account_data(), {}, account_values(**added));
    if (submission_.check_only) return done(0, 0, std::move(lines));
    return commit(*batch, **id, std::move(lines));
  }

  po::Result<Outcome> one_account() {
    auto account = account_of(admin_, caller_, subject_.account);
    if (!account) return tl::make_unexpected(account.error());
    std::uint64_t now = account->revision;
    if (submission_.seen && *submission_.seen != now)
      return conflict(admin_, caller_, subject_, now, *submission_.seen);
    Problems problems;
    form::Values values = form::check(*subject_.form, submission_.given, context_, problems);
    refuse_shown_only(submission_.given, account_values(*account), problems);
    if (!problems.empty()) return refusal(account->id, now, std::move(problems));
    auto batch = AccountBatch::begin(admin_, caller_);
    if (!batch) return tl::make_unexpected(batch.error());
    batch->undo(undoes_);
    auto changed = batch->change(*account, values, submission_.given, problems);
    if (!changed) return tl::make_unexpected(changed.error());
    if (!problems.empty()) return refusal(account->id, now, std::move(problems));
    if (submission_.check_only || changed->lines.empty())
      return done(account->id, now, std::move(changed->lines));
    return commit(*batch, account->id, std::move(changed->lines));
  }

  /// Of a form that is no account's: what was seen, and what is.
  po::Result<std::optional<Outcome>> check_seen() {
    auto now = admin_.directory().last_revision(history_subject(subject_));
    if (!now) return tl::make_unexpected(now.error());
    revision_ = *now;
    if (!submission_.seen || *submission_.seen == revision_) return std::optional<Outcome>();
    auto outcome = conflict(admin_, caller_, subject_, revision_, *submission_.seen);
    if (!outcome) return tl::make_unexpected(outcome.error());
    return std::optional(std::move(*outcome));
  }

  po::Result<Outcome> default_account() {
    auto seen = check_seen();
    if (!seen) return tl::make_unexpected(seen.error());
    if (*seen) return std::move(**seen);
    Problems problems;
    form::Values values = form::check(*subject_.form, submission_.given, context_, problems);
    auto batch = AccountBatch::begin(admin_, caller_);
    if (!batch) return tl::make_unexpected(batch.error());
    batch->undo(undoes_);
    auto lines = batch->change_default(values, submission_.given, problems);
    if (!lines) return tl::make_unexpected(lines.error());
    if (!problems.empty()) return refusal(0, revision_, std::move(problems));
    if (submission_.check_only || lines->empty()) return done(0, revision_, std::move(*lines));
    return commit(*batch, 0, std::move(*lines));
  }

  po::Result<Outcome> settings_form(const directory::Settings& before) {
    auto seen = check_seen();
    if (!seen) return tl::make_unexpected(seen.error());
    if (*seen) return std::move(**seen);
    Problems problems;
    form::Values values = form::check(*subject_.form, submission_.given, context_, problems);
    if (!problems.empty()) return refusal(0, revision_, std::move(problems));
    directory::Settings after = before;
    form::apply_settings(values, after);
    if (auto ok = check_settings(questions_of(admin_), before, after, problems); !ok)
      return tl::make_unexpected(ok.error());
    for (form::Problem& problem : problems) problem.line = form::line_of(submission_.given, problem.field);
    if (!problems.empty()) return refusal(0, revision_, std::move(problems));
    Lines lines =
        form::changes_between(*subject_.form, form::settings_values(before), form::settings_values(after));
    if (submission_.check_only || lines.empty()) return done(0, revision_, std::move(lines));
    auto batch = AccountBatch::begin(admin_, caller_);
    if (!batch) return tl::make_unexpected(batch.error());
    batch->undo(undoes_);
    if (auto ok = batch->set_settings(after, {{std::string(subject_.form->name), lines}}); !ok)
      return tl::make_unexpected(ok.error());
    return commit(*batch, 0, std::move(lines));
  }

  static po::Result<Outcome> commit(AccountBatch& batch, std::uint64_t account, Lines lines) {
    auto generation = batch.commit();
    if (!generation) return tl::make_unexpected(generation.error());
    Outcome outcome = done(account, *generation, std::move(lines));
    outcome.what = Outcome::What::kChanged;
    return outcome;
  }

  Administration& admin_;
  const Caller& caller_;
  const Subject& subject_;
  const Submission& submission_;
  form::CheckContext context_;
  std::uint64_t undoes_ = 0, revision_ = 0;
};

// ---- history

/// What an owner may know of a change of his account; false: nothing.
bool keep_for_owner(Revision& revision) {
  std::erase_if(revision.lines, [](const Revision::Line& line) {
    return form::individual_account_information().find(line.field) == nullptr;
  });
  return !revision.lines.empty() || revision.kind == Revision::Kind::kAdded;
}

// ---- undo

po::Result<std::optional<Revision>> find_revision(const Administration& admin, const Caller& caller,
                                                  const Subject& subject, std::uint64_t revision) {
  auto rows = history(admin, caller, subject, revision + 1, 1);
  if (!rows) return tl::make_unexpected(rows.error());
  if (rows->empty() || rows->front().revision != revision) return std::optional<Revision>();
  return std::optional(std::move(rows->front()));
}

bool names_any(const Revision& row, const std::vector<std::string>& fields) {
  return std::any_of(row.lines.begin(), row.lines.end(), [&](const Revision::Line& line) {
    return std::find(fields.begin(), fields.end(), line.field) != fields.end();
  });
}

/// Takes back a change of fields.
class FieldUndo {
 public:
  FieldUndo(Administration& admin, const Caller& caller, const Subject& subject, const Revision& row)
      : admin_(admin), caller_(caller), subject_(subject), row_(row) {}

  po::Result<Outcome> run() {
    auto shown = show(admin_, caller_, subject_);
    if (!shown) return tl::make_unexpected(shown.error());
    for (const Revision::Line& line : row_.lines) take(line, shown->values);
    if (!problems_.empty()) return refusal(subject_.account, shown->revision, std::move(problems_));
    if (!changed_since_.empty()) return conflict_of(shown->revision);
    if (submission_.given.fields.empty()) {
      if (!only_password_) return done(subject_.account, shown->revision, {});
      problems_.push_back({0, std::string(kPasswordField), {}, kNoOldPassword});
      return refusal(subject_.account, shown->revision, std::move(problems_));
    }
    return Change(admin_, caller_, subject_, submission_).undoing(row_.revision).run();
  }

 private:
  static constexpr const char* kNoOldPassword =
      "an old password is not kept anywhere and cannot be brought back; set another one";

  void take(const Revision::Line& line, const form::Values& now) {
    if (line.field == kPasswordField) {
      only_password_ = row_.lines.size() == 1;
      return;
    }
    const form::Field* field = subject_.form->find(line.field);
    if (!field || field->type == form::Type::kReadOnly) {
      problems_.push_back({0, line.field, {}, "only the Postmaster may change this"});
      return;
    }
    const auto& value = form::values_of(now, line.field);
    if (value == line.before) return;
    if (value != line.after) changed_since_.push_back(line.field);
    submission_.given.fields.push_back({field, 0, line.before});
  }

  po::Result<Outcome> conflict_of(std::uint64_t now) {
    auto outcome = conflict(admin_, caller_, subject_, now, row_.revision);
    if (!outcome) return outcome;
    std::erase_if(outcome->since, [&](const Revision& row) { return !names_any(row, changed_since_); });
    return outcome;
  }

  Administration& admin_;
  const Caller& caller_;
  const Subject& subject_;
  const Revision& row_;
  Submission submission_;
  Problems problems_;
  std::vector<std::string> changed_since_;
  bool only_password_ = false;
};

po::Result<Outcome> make_again(Administration& admin, const Caller& caller, const Subject& subject,
                               const Revision& row) {
  auto there = admin.directory().account(subject.account);
  if (!there) return tl::make_unexpected(there.error());
  if (*there) return conflict(admin, caller, subject, (*there)->revision, row.revision);
  form::Values values;
  for (const Revision::Line& line : row.lines) values[line.field] = line.before;
  Account account;
  apply_values(values, account);
  account.id = subject.account;
  auto batch = AccountBatch::begin(admin, caller);
  if (!batch) return tl::make_unexpected(batch.error());
  batch->undo(row.revision);
  Problems problems;
  auto made = batch->add_again(account, problems);
  if (!made) return tl::make_unexpected(made.error());
  if (!*made) return refusal(account.id, row.revision, std::move(problems));
  auto generation = batch->commit();
  if (!generation) return tl::make_unexpected(generation.error());
  Outcome outcome = done(account.id, *generation, row.lines);
  for (Revision::Line& line : outcome.changes) std::swap(line.before, line.after);
  return outcome;
}

// ---- remove

po::Result<void> check_heir(const Administration& admin, const Removal& removal) {
  if (*removal.hand_to == removal.account) return po::permanent("the mail of an account cannot go to itself");
  auto heir = admin.directory().account(*removal.hand_to);
  if (!heir) return tl::make_unexpected(heir.error());
  if (!*heir) return no_account(*removal.hand_to);
  if (!has_mailbox(**heir))
    return po::permanent(
        fmt::format("account number {} has no mailbox here that the mail could go to", *removal.hand_to));
  return {};
}

/// All values that the account had, and what becomes of its mail.
Lines removal_lines(const Account& account, const std::optional<std::uint64_t>& hand_to) {
  Lines lines;
  for (auto& [field, values] : account_values(account))
    if (!values.empty() && field != "Account-Number") lines.push_back({field, values, {}});
  std::string mail = hand_to ? fmt::format("handed to account {}", *hand_to) : std::string("deleted");
  lines.push_back({std::string(kMailLine), {}, {std::move(mail)}});
  return lines;
}

}  // namespace

std::string list_line(const Account& account) {
  return fmt::format("{:>8}  {:<40}  {}{}", account.id, primary_address(account), account.name,
                     account.locked ? "  (locked)" : "");
}

form::CheckContext check_context(const Administration& admin, const directory::Settings& settings,
                                 form::Who who) {
  return {.completion_domain = admin.completion_domain(settings),
          .who = who,
          .min_password = settings.min_password_length};
}

po::Result<Shown> show(const Administration& admin, const Caller& caller, const Subject& subject) {
  if (auto ok = check_rights(caller, subject); !ok) return tl::make_unexpected(ok.error());
  if (!form::is_of_account(*subject.form)) {
    auto values = system_values(admin, *subject.form);
    if (!values) return tl::make_unexpected(values.error());
    auto revision = admin.directory().last_revision(history_subject(subject));
    if (!revision) return tl::make_unexpected(revision.error());
    return Shown{values_for(caller, *subject.form, *values), *revision};
  }
  if (subject.account == 0) {
    auto values = default_values(admin);
    if (!values) return tl::make_unexpected(values.error());
    return Shown{values_for(caller, *subject.form, *values), 0};
  }
  auto account = account_of(admin, caller, subject.account);
  if (!account) return tl::make_unexpected(account.error());
  return Shown{values_for(caller, *subject.form, account_values(*account)), account->revision};
}

po::Result<Outcome> submit(Administration& admin, const Caller& caller, const Subject& subject,
                           const Submission& submission) {
  if (auto ok = check_rights(caller, subject); !ok) return tl::make_unexpected(ok.error());
  return Change(admin, caller, subject, submission).run();
}

po::Result<std::vector<Revision>> history(const Administration& admin, const Caller& caller,
                                          const Subject& subject, std::uint64_t before, std::size_t limit) {
  if (auto ok = check_rights(caller, subject); !ok) return tl::make_unexpected(ok.error());
  bool owner = caller.rights == form::Who::kOwner;
  auto rows =
      admin.directory().history(history_subject(subject), before, owner ? directory::kMostRevisions : limit);
  if (!rows || !owner) return rows;
  std::erase_if(*rows, [](Revision& row) { return !keep_for_owner(row); });
  if (rows->size() > limit) rows->resize(limit);
  return rows;
}

po::Result<Outcome> undo(Administration& admin, const Caller& caller, const Subject& subject,
                         std::uint64_t revision) {
  auto row = find_revision(admin, caller, subject, revision);
  if (!row) return tl::make_unexpected(row.error());
  if (!*row) return po::permanent(fmt::format("the history of this form has no revision {}", revision));
  if ((*row)->kind == Revision::Kind::kRemoved) {
    if (caller.rights != form::Who::kPostmaster) return po::permanent("only the Postmaster may do this");
    return make_again(admin, caller, subject, **row);
  }
  if ((*row)->kind == Revision::Kind::kAdded)
    return po::permanent("an account that was added is not undone but removed: its mail has to go somewhere");
  return FieldUndo(admin, caller, subject, **row).run();
}

po::Result<Outcome> remove(Administration& admin, const Caller& caller, const Removal& removal) {
  if (caller.rights != form::Who::kPostmaster) return po::permanent("only the Postmaster may do this");
  auto account = account_of(admin, caller, removal.account);
  if (!account) return tl::make_unexpected(account.error());
  if (removal.hand_to)
    if (auto ok = check_heir(admin, removal); !ok) return tl::make_unexpected(ok.error());
  auto change = admin.directory().begin();
  if (!change) return tl::make_unexpected(change.error());
  Lines lines = removal_lines(*account, removal.hand_to);
  using Kind = directory::Errand::Kind;
  auto ok = change->remove(account->id);
  if (ok)
    ok = change->put_history(directory::history_of_account(account->id),
                             revision_by(caller, lines, Revision::Kind::kRemoved));
  if (ok)
    ok = change->put_errand({removal.hand_to ? Kind::kHandOver : Kind::kDeleteMailbox,
                             account->id,
                             removal.hand_to.value_or(0),
                             primary_address(*account),
                             {}});
  if (!ok) return tl::make_unexpected(ok.error());
  auto generation = change->commit();
  if (!generation) return tl::make_unexpected(generation.error());
  // The account is gone. What a crash or a full disk leaves here belongs to nobody, and goes before the
  // number has an account again (AccountBatch::add_again).
  auto secrets = admin.secrets().begin();
  if (secrets && secrets->remove(account->id)) (void)secrets->commit();
  return done(account->id, *generation, std::move(lines));
}

}  // namespace accounts
