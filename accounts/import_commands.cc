#include "accounts/import_commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "accounts/account_batch.h"
#include "accounts/history_commands.h"
#include "accounts/settings_check.h"
#include "lib/form/changes.h"
#include "lib/form/check.h"
#include "lib/form/forms.h"
#include "lib/form/json.h"
#include "lib/form/settings_form.h"
#include "lib/text.h"

namespace accounts {
namespace {

using directory::Account;
using directory::Revision;
using form::Problem;
using Lines = std::vector<Revision::Line>;

constexpr std::size_t kMostShown = 1000;  // forms whose changes are told one by one

/// What one form of the file would do.
struct Effect {
  std::string what;  ///< "Mail Routing", "account 5 (jane@podunk.edu)", "new account jane@podunk.edu"
  Lines lines;       ///< of a new account: none
};

/// Reads the file twice: settings first, because the addresses of the accounts are completed by them,
/// wherever in the file they stand; so no more than one form of it is kept.
class Import {
 public:
  Import(const Office& office, std::string_view text) : office_(office), text_(text) {}

  po::Result<void> read() {
    auto batch = AccountBatch::begin(office_.admin, caller());
    if (!batch) return tl::make_unexpected(batch.error());
    batch_.emplace(std::move(*batch));
    before_ = after_ = batch_->settings();
    read_system_forms();
    context_ = check_context(office_.admin, before_);
    context_ = check_context(office_.admin, wanted_settings());
    if (auto ok = put_system_forms(); !ok) return ok;
    if (auto ok = read_accounts(); !ok) return ok;
    if (auto ok = check_after(); !ok) return ok;
    std::stable_sort(problems_.begin(), problems_.end(),
                     [](const Problem& a, const Problem& b) { return a.line < b.line; });
    return {};
  }

  po::Result<std::uint64_t> commit() { return batch_->commit(); }

  [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }
  [[nodiscard]] bool changes_anything() const { return added_ + changed_ + system_changed_ > 0; }
  [[nodiscard]] std::size_t forms() const { return forms_; }

  /// All changes, the first of them one by one, and how many of each there are.
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const Effect& effect : effects_) {
      out += effect.what + "\n";
      for (const Revision::Line& line : effect.lines) out += fmt::format("    {}\n", form::change_text(line));
    }
    std::size_t all = added_ + changed_ + system_changed_;
    if (all > effects_.size()) out += fmt::format("and {} more\n", all - effects_.size());
    return out +
           fmt::format("{} of the system's forms, {} new accounts, {} changed accounts, {} as they are\n",
                       system_changed_, added_, changed_, same_);
  }

  [[nodiscard]] std::string json(bool done) const {
    auto effect_json = [](const Effect& effect) {
      return fmt::format("{{\"form\": {}, \"changes\": {}}}", po::json_string(effect.what),
                         form::json_array(effect.lines, form::change_json));
    };
    return fmt::format(
        "{{\"done\": {}, \"forms\": {}, \"added\": {}, \"changed\": {}, \"same\": {}, \"effects\": {}}}\n",
        done ? "true" : "false", system_changed_, added_, changed_, same_,
        form::json_array(effects_, effect_json));
  }

 private:
  [[nodiscard]] Caller caller() const {
    Caller caller = office_.caller;
    caller.way = "import";
    return caller;
  }

  void effect(std::string what, Lines lines) {
    if (effects_.size() < kMostShown) effects_.push_back({std::move(what), std::move(lines)});
  }

  /// Their values, and what is wrong with any form that is no account's.
  void read_system_forms() {
    form::Parser parser(text_);
    while (auto parsed = parser.next()) {
      ++forms_;
      if (parsed->form && form::is_of_account(*parsed->form)) continue;
      if (!parsed->form || parsed->form == &form::list_of_accounts()) {
        problems_.insert(problems_.end(), parsed->problems.begin(), parsed->problems.end());
        continue;  // the list of accounts is shown only: there is nothing to read in it
      }
      std::string name(parsed->form->name);
      if (auto [earlier, first] = system_forms_.try_emplace(name, std::move(*parsed)); !first)
        problems_.push_back(
            {parsed->line,
             {},
             {},
             fmt::format("a second form {}, the first is in line {}", name, earlier->second.line)});
    }
  }

  /// What the file makes of the settings, right or wrong: its forms are checked with the completion domain
  /// and the password length that it sets itself.
  [[nodiscard]] directory::Settings wanted_settings() const {
    directory::Settings settings = before_;
    std::vector<Problem> ignored;
    for (const auto& [name, parsed] : system_forms_)
      form::apply_settings(form::check(*parsed.form, parsed, context_, ignored), settings);
    return settings;
  }

  po::Result<void> put_system_forms() {
    AccountBatch::FormLines lines;
    auto settings_before = form::settings_values(before_);
    for (auto& [name, parsed] : system_forms_) {
      if (auto ok = check_revision(parsed, directory::history_of_form(name)); !ok) return ok;
      form::Values values = form::check(*parsed.form, parsed, context_, problems_);
      if (parsed.form == &form::default_account()) {
        if (auto ok = put_default_account(values, parsed); !ok) return ok;
        continue;
      }
      form::apply_settings(values, after_);
      Lines changed = form::changes_between(*parsed.form, settings_before, form::settings_values(after_));
      if (changed.empty()) continue;
      ++system_changed_;
      effect(std::string(parsed.form->title), changed);
      lines.emplace(name, std::move(changed));
    }
    return lines.empty() ? po::Result<void>() : batch_->set_settings(after_, lines);
  }

  po::Result<void> put_default_account(const form::Values& values, const form::Parsed& parsed) {
    auto lines = batch_->change_default(values, parsed, problems_);
    if (!lines) return tl::make_unexpected(lines.error());
    if (lines->empty()) return {};
    ++system_changed_;
    effect(std::string(form::default_account().title), std::move(*lines));
    return {};
  }

  /// A form that was printed with its revision and comes back by this way.
  po::Result<void> check_revision(const form::Parsed& parsed, const std::string& subject) {
    if (!parsed.revision) return {};
    auto now = office_.admin.directory().last_revision(subject);
    if (!now) return tl::make_unexpected(now.error());
    if (*now != *parsed.revision) refuse_revision(parsed, *now);
    return {};
  }

  void refuse_revision(const form::Parsed& parsed, std::uint64_t now) {
    problems_.push_back({parsed.line, std::string(form::kRevisionField), std::to_string(*parsed.revision),
                         fmt::format("this form was changed since: its revision is {} now", now)});
  }

  po::Result<void> read_accounts() {
    form::Parser parser(text_);
    while (auto parsed = parser.next()) {
      if (!parsed->form || !form::is_of_account(*parsed->form)) continue;
      if (auto ok = take_account(*parsed); !ok) return ok;
    }
    return {};
  }

  po::Result<void> take_account(form::Parsed& parsed) {
    if (parsed.form != &form::account_data()) {
      problems_.push_back({parsed.line, {}, {}, "of an account, only its Account Data form can be imported"});
      return {};
    }
    std::size_t before = problems_.size();
    form::Values values = form::check(*parsed.form, parsed, context_, problems_);
    if (problems_.size() != before) return {};
    auto account = account_meant_by(values, number_of(parsed));
    if (!account) return tl::make_unexpected(account.error());
    return *account ? change(**account, values, parsed) : add(values, parsed);
  }

  static std::uint64_t number_of(const form::Parsed& parsed) {
    for (const form::Given& given : parsed.fields)
      if (given.field->type == form::Type::kReadOnly && !given.values.empty())
        return read_number(po::trim(given.values[0])).value_or(0);
    return 0;
  }

  /// The account of that number, if it is the Postmaster's or has one of the form's addresses; else the one
  /// that has the form's first address.
  po::Result<std::optional<Account>> account_meant_by(const form::Values& values, std::uint64_t number) {
    const directory::Change& directory = batch_->directory();
    if (number == directory::kPostmaster) return directory.account(number);
    auto addresses = values.find("Internet-Addresses");
    if (addresses == values.end()) return std::optional<Account>();
    std::optional<std::uint64_t> first;
    for (const std::string& address : addresses->second) {
      auto owner = directory.owner_of_address(address);
      if (!owner) return tl::make_unexpected(owner.error());
      if (*owner && **owner == number) return directory.account(number);
      if (&address == &addresses->second.front()) first = *owner;
    }
    return first ? directory.account(*first) : po::Result<std::optional<Account>>(std::optional<Account>());
  }

  po::Result<void> add(const form::Values& values, const form::Parsed& parsed) {
    std::size_t before = problems_.size();
    form::check_required(form::account_data(), values, parsed.line, problems_);
    if (problems_.size() != before) return {};
    auto id = batch_->add(values, parsed, problems_, number_of(parsed));
    if (!id) return tl::make_unexpected(id.error());
    if (!*id) return {};
    seen_.insert(**id);
    ++added_;
    effect(fmt::format("new account {}", one_value(values, "Internet-Addresses")), {});
    return {};
  }

  po::Result<void> change(const Account& account, const form::Values& values, const form::Parsed& parsed) {
    if (!seen_.insert(account.id).second) {
      problems_.push_back(
          {parsed.line, {}, {}, fmt::format("a second form of the account {}", account.addresses.at(0))});
      return {};
    }
    if (parsed.revision && *parsed.revision != account.revision) {
      refuse_revision(parsed, account.revision);
      return {};
    }
    auto changed = batch_->change(account, values, parsed, problems_);
    if (!changed) return tl::make_unexpected(changed.error());
    if (changed->what == AccountBatch::Changed::What::kRefused) return {};
    if (changed->lines.empty()) {
      ++same_;
      return {};
    }
    ++changed_;
    effect(fmt::format("account {} ({})", account.id, account.addresses.at(0)), std::move(changed->lines));
    return {};
  }

  /// What needs all accounts of the file to be there.
  po::Result<void> check_after() {
    std::size_t before = problems_.size();
    SettingsQuestions questions{office_.admin.hostname(), [this](std::string_view address) {
                                  return batch_->directory().owner_of_address(address).map(
                                      [](const auto& owner) { return owner.has_value(); });
                                }};
    if (auto ok = check_settings(questions, before_, after_, problems_); !ok) return ok;
    for (std::size_t i = before; i < problems_.size(); ++i)
      for (const auto& [name, parsed] : system_forms_)
        if (int line = form::line_of(parsed, problems_[i].field);
            parsed.form->find(problems_[i].field) != nullptr)
          problems_[i].line = line;
    return {};
  }

  const Office& office_;
  std::string_view text_;
  std::optional<AccountBatch> batch_;
  directory::Settings before_, after_;
  form::CheckContext context_;
  std::map<std::string, form::Parsed> system_forms_;
  std::set<std::uint64_t> seen_;
  std::vector<Problem> problems_;
  std::vector<Effect> effects_;
  std::size_t forms_ = 0, added_ = 0, changed_ = 0, same_ = 0, system_changed_ = 0;
};

}  // namespace

CommandResult run_import_command(const Office& office, Words words, std::string_view input) {
  bool dry_run = take_flag(words, "--dry-run"), yes = take_flag(words, "--yes"),
       json = take_flag(words, "--json");
  if (!words.empty()) return usage(fmt::format("import: there is no '{}'", po::for_display(words[0])));
  if (dry_run && yes) return usage("import: --dry-run or --yes, not both");
  Import import(office, input);
  if (auto ok = import.read(); !ok) return failed(ok.error());
  if (import.forms() == 0)
    return refused("standard input holds no form; see forms(5) for what one looks like");
  if (!import.problems().empty()) return refused(import.problems(), "nothing was imported");
  if (yes) {
    auto generation = import.commit();
    if (!generation) return failed(generation.error());
  }
  if (json) return {import.json(yes), {}, 0};
  if (!import.changes_anything())
    return {import.text() + (yes ? "nothing was changed\n" : "nothing would change\n"), {}, 0};
  return {
      import.text() + (yes ? "imported\n" : "this was a dry run: nothing was changed; --yes imports it\n"),
      {},
      0};
}

}  // namespace accounts
