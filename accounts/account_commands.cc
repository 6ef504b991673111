// `post.office account list|add|passwd|lock|unlock|remove`; show, set and their like are those of any form.
#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "accounts/account_batch.h"
#include "accounts/command_words.h"
#include "accounts/history_commands.h"
#include "lib/form/check.h"
#include "lib/form/forms.h"
#include "lib/form/json.h"
#include "lib/form/text.h"
#include "lib/text.h"

namespace accounts {
namespace {

using directory::Account;
using form::Problem;

constexpr std::size_t kBatch = 1000;    // forms in one commit of --keep-going
constexpr std::size_t kMostNamed = 20;  // accounts named one by one in an answer

po::Result<form::CheckContext> context_of_new(const Administration& admin) {
  auto settings = admin.directory().settings();
  if (!settings) return tl::make_unexpected(settings.error());
  form::CheckContext context = check_context(admin, **settings);
  context.whole = true;
  return context;
}

Subject account_data_of(std::uint64_t account) {
  return {&form::account_data(), account};
}

// ---- list

/// Options of the list taken out of the words; why not, or empty.
std::string take_list_options(Words& words, ListQuery& query) {
  query.descending = take_flag(words, "--descending");
  query.sort = ListQuery::Sort::kNumber;
  query.limit = SIZE_MAX;
  std::vector<std::string> sort, search, offset, limit;
  for (auto [option, into] :
       {std::pair("--sort", &sort), {"--search", &search}, {"--offset", &offset}, {"--limit", &limit}})
    if (!take_option(words, option, *into) || into->size() > 1)
      return fmt::format("{} takes one value", option);
  constexpr std::pair<std::string_view, ListQuery::Sort> kSorts[] = {{"address", ListQuery::Sort::kAddress},
                                                                     {"name", ListQuery::Sort::kName},
                                                                     {"number", ListQuery::Sort::kNumber}};
  bool known = sort.empty();
  for (auto [name, value] : kSorts) {
    if (sort.empty() || sort[0] != name) continue;
    query.sort = value;
    known = true;
  }
  if (!known) return "--sort takes address, name or number";
  for (auto [text, into] : {std::pair(&offset, &query.offset), {&limit, &query.limit}}) {
    if (text->empty()) continue;
    auto number = read_number((*text)[0]);
    if (!number) return "--offset and --limit take a number";
    *into = *number;
  }
  if (auto bad = unknown_option(words); !bad.empty()) return fmt::format("unknown option {}", bad);
  words.insert(words.begin(), search.begin(), search.end());
  if (words.size() > 1) return "one pattern at most";
  if (!words.empty()) query.search = words[0];
  return {};
}

CommandResult list_accounts(const Office& office, Words words) {
  bool json = take_flag(words, "--json");
  ListQuery query;
  if (std::string why = take_list_options(words, query); !why.empty())
    return usage(fmt::format("account list: {}", why));
  auto found = office.admin.list().find(query);
  if (!found) return failed(found.error());
  CommandResult result;
  std::vector<std::string> objects;
  for (std::uint64_t id : found->ids) {
    auto account = office.admin.directory().account(id);
    if (!account) return failed(account.error());
    if (!*account) continue;
    if (json)
      objects.push_back(form::to_json(form::account_data(), account_values(**account)));
    else
      result.out += list_line(**account) + "\n";
  }
  if (json) result.out = json_lines(objects);
  return result;
}

// ---- add

/// Reads forms from `input` into batches.
class Adder {
 public:
  Adder(const Office& office, bool keep_going) : office_(office), keep_going_(keep_going) {}

  CommandResult run(std::string_view input) {
    form::Parser parser(form::account_data(), input);
    auto context = context_of_new(office_.admin);
    if (!context) return failed(context.error());
    while (auto parsed = parser.next()) {
      if (auto ok = take(*parsed, *context); !ok) return fail(ok.error());
      if (keep_going_ && in_batch_ == kBatch)
        if (auto ok = commit(); !ok) return fail(ok.error());
    }
    if (forms_ == 0) return refused("standard input holds no form; see forms(5) for what one looks like");
    if (!problems_.empty() && !keep_going_) return refused(problems_, "nothing was added");
    if (auto ok = commit(); !ok) return fail(ok.error());
    return answer();
  }

 private:
  po::Result<void> take(const form::Parsed& parsed, const form::CheckContext& context) {
    ++forms_;
    std::size_t before = problems_.size();
    form::Values values = form::check(form::account_data(), parsed, context, problems_);
    if (problems_.size() != before) return {};
    if (!batch_) {
      auto batch = AccountBatch::begin(office_.admin, office_.caller);
      if (!batch) return tl::make_unexpected(batch.error());
      batch_.emplace(std::move(*batch));
    }
    auto id = batch_->add(values, parsed, problems_);
    if (!id) return tl::make_unexpected(id.error());
    if (!*id) return {};
    ++in_batch_;
    if (added_ + in_batch_ <= kMostNamed)
      names_ += fmt::format("account {} added: {}\n", **id, one_value(values, "Internet-Addresses"));
    return {};
  }

  po::Result<void> commit() {
    if (!batch_) return {};
    auto ok = batch_->commit();
    batch_.reset();
    if (!ok) return tl::make_unexpected(ok.error());
    added_ += in_batch_;
    in_batch_ = 0;
    return {};
  }

  CommandResult fail(const po::Error& error) {
    CommandResult result = failed(error);
    result.err += fmt::format("{} accounts had been added before that\n", added_);
    return result;
  }

  CommandResult answer() {
    CommandResult result;
    if (!problems_.empty())
      result = refused(problems_, fmt::format("{} of {} forms were refused", forms_ - added_, forms_));
    result.out = added_ <= kMostNamed ? names_ : fmt::format("{} accounts added\n", added_);
    return result;
  }

  const Office& office_;
  bool keep_going_;
  std::optional<AccountBatch> batch_;
  std::vector<Problem> problems_;
  std::string names_;
  std::size_t forms_ = 0, added_ = 0, in_batch_ = 0;
};

/// `--address A` and the like to `Internet-Addresses=A`.
bool options_to_fields(Words& words) {
  constexpr std::pair<std::string_view, std::string_view> kOptions[] = {
      {"--address", "Internet-Addresses"},
      {"--name", "User's-Real-Name"},
      {"--login", "POP-Login-Name"},
      {"--password", kPasswordField},
  };
  Words fields;
  for (auto [option, field] : kOptions) {
    std::vector<std::string> values;
    if (!take_option(words, option, values)) return false;
    for (const std::string& value : values) fields.push_back(fmt::format("{}={}", field, value));
  }
  words.insert(words.end(), fields.begin(), fields.end());
  return true;
}

CommandResult add_one(const Office& office, const Words& words) {
  auto context = context_of_new(office.admin);
  if (!context) return failed(context.error());
  Submission submission;
  submission.given = form::read_words(form::account_data(), words, {}, *context);
  auto outcome = submit(office.admin, office.caller, account_data_of(0), submission);
  if (!outcome) return failed(outcome.error());
  if (outcome->what == Outcome::What::kRefused) return refused(outcome->problems, "nothing was added");
  auto account = office.admin.directory().account(outcome->account);
  if (!account) return failed(account.error());
  return {fmt::format("account {} added: {}\n", outcome->account,
                      *account ? (*account)->addresses.at(0) : std::string()),
          {},
          0};
}

CommandResult add_accounts(const Office& office, Words words, std::string_view input) {
  bool keep_going = take_flag(words, "--keep-going");
  if (!options_to_fields(words)) return usage("account add: an option has no value");
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("account add: unknown option {}", bad));
  if (words.empty()) return Adder(office, keep_going).run(input);
  return add_one(office, words);
}

// ---- short ways to single fields

po::Result<Outcome> set_field(const Office& office, const Account& account, std::string_view field,
                              std::string value) {
  Submission submission;
  submission.given.fields.push_back({form::account_data().find(field), 0, {std::move(value)}});
  return submit(office.admin, office.caller, account_data_of(account.id), submission);
}

CommandResult set_password(const Office& office, const Account& account, std::string_view input) {
  auto end = input.find('\n');
  std::string_view line = input.substr(0, end);
  if (end != std::string_view::npos && end + 1 != input.size())
    return refused("a password stands on one line; standard input holds more");
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return refused("give the password on standard input");
  auto outcome = set_field(office, account, kPasswordField, std::string(line));
  if (!outcome) return failed(outcome.error());
  if (outcome->what == Outcome::What::kRefused)
    return refused(outcome->problems, "the password was not changed");
  if (outcome->what == Outcome::What::kSame)
    return {fmt::format("nothing was changed: account {} has this hash already\n", account.id), {}, 0};
  return {fmt::format("password of account {} changed\n", account.id), {}, 0};
}

CommandResult set_lock(const Office& office, const Account& account, bool lock) {
  auto outcome = set_field(office, account, "Account-Locked", lock ? "yes" : "no");
  if (!outcome) return failed(outcome.error());
  if (outcome->what == Outcome::What::kRefused) return refused(outcome->problems, "nothing was changed");
  if (outcome->what == Outcome::What::kSame)
    return {"nothing was changed: the account already is like that\n", {}, 0};
  return {fmt::format("account {} {}\n", account.id, lock ? "locked" : "unlocked"), {}, 0};
}

// ---- remove

/// An account without a mailbox leaves nothing that anybody would have to decide about.
CommandResult ask_about_mail(const Account& account) {
  return refused(fmt::format(
      "what becomes of the mail in the mailbox of {}? Say --delete-mail, or --hand-mail-to ADDRESS of the "
      "account that gets it; nothing was removed",
      account.addresses.empty() ? fmt::format("account {}", account.id) : account.addresses[0]));
}

CommandResult remove_account(const Office& office, const Account& account, bool delete_mail,
                             const std::vector<std::string>& heirs) {
  if (heirs.size() + (delete_mail ? 1 : 0) > 1)
    return usage("account remove: --delete-mail, or --hand-mail-to once");
  bool asked = account.pop3_delivery && account.id != directory::kPostmaster;
  if (asked && !delete_mail && heirs.empty()) return ask_about_mail(account);
  Removal removal{.account = account.id, .hand_to = std::nullopt};
  std::string mail = account.pop3_delivery ? "; its mail is deleted" : "";
  if (!heirs.empty()) {
    auto heir = find_account(office.admin, heirs[0]);
    if (!heir) return failed(heir.error());
    removal.hand_to = heir->id;
    mail = fmt::format("; its mail goes to account {}", heir->id);
  }
  auto outcome = remove(office.admin, office.caller, removal);
  if (!outcome) return failed(outcome.error());
  return {fmt::format("account {} removed{}\n'post.office account undo {} {}' makes the account again\n",
                      account.id, mail, account.id, outcome->revision),
          {},
          0};
}

CommandResult run_remove(const Office& office, Words words) {
  bool delete_mail = take_flag(words, "--delete-mail");
  std::vector<std::string> heirs;
  if (!take_option(words, "--hand-mail-to", heirs))
    return usage("account remove: --hand-mail-to needs an address");
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("account remove: unknown option {}", bad));
  if (words.empty()) return usage("account remove: say which account");
  if (words.size() > 1) return usage("account remove: one account at a time");
  auto account = find_account(office.admin, words[0]);
  if (!account) return failed(account.error());
  return remove_account(office, *account, delete_mail, heirs);
}

/// passwd, lock, unlock.
CommandResult run_short(const Office& office, const std::string& verb, const Words& words,
                        std::string_view input) {
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("account {}: unknown option {}", verb, bad));
  if (words.empty()) return usage(fmt::format("account {}: say which account", verb));
  if (words.size() > 1) return usage(fmt::format("account {}: one account at a time", verb));
  auto account = find_account(office.admin, words[0]);
  if (!account) return failed(account.error());
  return verb == "passwd" ? set_password(office, *account, input)
                          : set_lock(office, *account, verb == "lock");
}

}  // namespace

CommandResult run_account_command(const Office& office, Words words, std::string_view input) {
  if (words.empty()) return usage("account: say what to do");
  std::string verb = words[0];
  if (is_form_verb(verb)) {
    if (take_flag(words, "--json")) words.emplace_back("--json");  // wherever it stands
    if (words.size() < 2 || words[1].starts_with("--"))
      return usage(fmt::format("account {}: say which account", verb));
    std::size_t options = static_cast<std::size_t>(std::count(words.begin(), words.end(), "--json"));
    if (verb == "show" && words.size() - options > 2) return usage("account show: one account at a time");
    auto account = account_meant(office, verb, words[1]);
    if (!account) return failed(account.error());
    words.erase(words.begin(), words.begin() + 2);
    return run_on_form(office, {"account", verb, account_data_of(*account)}, std::move(words), input);
  }
  words.erase(words.begin());
  if (verb == "add") return add_accounts(office, std::move(words), input);
  if (verb == "list") return list_accounts(office, std::move(words));
  if (verb == "remove") return run_remove(office, std::move(words));
  if (verb == "sign-ins") return run_sign_ins_command(office, std::move(words));
  if (verb == "passwd" || verb == "lock" || verb == "unlock") return run_short(office, verb, words, input);
  return usage(fmt::format("account: there is no '{}'", po::for_display(verb)));
}

}  // namespace accounts
