// `post.office account list|show|add|set|passwd|lock|unlock|remove`.
#include <fmt/core.h>

#include <charconv>
#include <optional>

#include "accounts/account_batch.h"
#include "accounts/command_words.h"
#include "lib/address.h"
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

form::CheckContext context(const Administration& admin, bool whole) {
  return {.completion_domain = admin.completion_domain(), .whole = whole};
}

/// By login name or address; else by number, with or without '#'.
po::Result<Account> find_account(Administration& admin, std::string_view who) {
  std::string address;
  if (auto mailbox = po::parse_mailbox(who, {.utf8 = true, .need_domain = false})) {
    if (mailbox->domain.empty()) mailbox->domain = admin.completion_domain();
    address = mailbox->canonical();
  }
  auto found = admin.directory().find(who, address);
  if (found && !*found) {
    std::string_view digits = who.starts_with('#') ? who.substr(1) : who;
    std::uint64_t id = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (error == std::errc() && end == digits.data() + digits.size()) found = admin.directory().account(id);
  }
  if (!found) return tl::make_unexpected(found.error());
  if (!*found)
    return po::permanent(fmt::format("there is no account {}; 'post.office account list' shows all", who));
  return std::move(**found);
}

// ---- list, show

bool matches_account(std::string_view pattern, const Account& a) {
  if (pattern.empty() || matches_pattern(pattern, a.name) || matches_pattern(pattern, a.pop_login))
    return true;
  for (const std::string& address : a.addresses)
    if (matches_pattern(pattern, address)) return true;
  return false;
}

std::string list_line(const Account& a) {
  return fmt::format("{:>8}  {:<40}  {}{}\n", a.id, a.addresses.empty() ? "" : a.addresses[0], a.name,
                     a.locked ? "  (locked)" : "");
}

CommandResult list_accounts(Administration& admin, const Words& words, bool json) {
  if (words.size() > 1) return usage("account list: one pattern at most");
  std::string pattern = words.empty() ? std::string() : words[0];
  CommandResult result;
  auto ok = admin.directory().for_each([&](const Account& a) {
    if (!matches_account(pattern, a)) return true;
    if (json)
      result.out +=
          (result.out.empty() ? "[" : ",\n ") + form::to_json(form::account_data(), account_values(a));
    else
      result.out += list_line(a);
    return true;
  });
  if (!ok) return failed(ok.error());
  if (json) result.out += result.out.empty() ? "[]\n" : "]\n";
  return result;
}

CommandResult show_account(const Account& account, bool json) {
  form::Values values = account_values(account);
  const form::Form& f = form::account_data();
  return {json ? form::to_json(f, values) + "\n" : form::render(f, values), {}, 0};
}

// ---- add

/// Reads forms from `input` into batches.
class Adder {
 public:
  Adder(Administration& admin, bool keep_going) : admin_(admin), keep_going_(keep_going) {}

  CommandResult run(std::string_view input) {
    form::Parser parser(form::account_data(), input);
    form::CheckContext check_context = context(admin_, true);
    while (auto parsed = parser.next()) {
      if (auto ok = take(*parsed, check_context); !ok) return fail(ok.error());
      if (keep_going_ && in_batch_ == kBatch)
        if (auto ok = commit(); !ok) return fail(ok.error());
    }
    if (forms_ == 0) return refused("standard input holds no form; see forms(5) for what one looks like");
    if (!problems_.empty() && !keep_going_) return refused(problems_, "nothing was added");
    if (auto ok = commit(); !ok) return fail(ok.error());
    return answer();
  }

 private:
  po::Result<void> take(const form::Parsed& parsed, const form::CheckContext& check_context) {
    ++forms_;
    std::size_t before = problems_.size();
    form::Values values = form::check(form::account_data(), parsed, check_context, problems_);
    if (problems_.size() != before) return {};
    if (!batch_) {
      auto batch = AccountBatch::begin(admin_);
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
    if (!ok) return ok;
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

  Administration& admin_;
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

CommandResult add_one(Administration& admin, const Words& words) {
  std::vector<Problem> problems;
  form::Values values = form::check_words(form::account_data(), words, {}, context(admin, true), problems);
  if (!problems.empty()) return refused(problems, "nothing was added");
  auto batch = AccountBatch::begin(admin);
  if (!batch) return failed(batch.error());
  auto id = batch->add(values, {}, problems);
  if (!id) return failed(id.error());
  if (!*id) return refused(problems, "nothing was added");
  if (auto ok = batch->commit(); !ok) return failed(ok.error());
  return {fmt::format("account {} added: {}\n", **id, one_value(values, "Internet-Addresses")), {}, 0};
}

CommandResult add_accounts(Administration& admin, Words words, std::string_view input) {
  bool keep_going = take_flag(words, "--keep-going");
  if (!options_to_fields(words)) return usage("account add: an option has no value");
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("account add: unknown option {}", bad));
  if (words.empty()) return Adder(admin, keep_going).run(input);
  return add_one(admin, words);
}

// ---- set and its short forms

CommandResult change_account(Administration& admin, const Account& account, const form::Values& values,
                             const form::Parsed& where) {
  std::vector<Problem> problems;
  auto batch = AccountBatch::begin(admin);
  if (!batch) return failed(batch.error());
  auto outcome = batch->change(account, values, where, problems);
  if (!outcome) return failed(outcome.error());
  if (*outcome == AccountBatch::Outcome::kRefused) return refused(problems, "nothing was changed");
  if (*outcome == AccountBatch::Outcome::kSame)
    return {"nothing was changed: the account already is like that\n", {}, 0};
  if (auto ok = batch->commit(); !ok) return failed(ok.error());
  return {fmt::format("account {} changed\n", account.id), {}, 0};
}

CommandResult set_account(Administration& admin, const Account& account, const Words& words,
                          std::string_view input) {
  const form::Form& f = form::account_data();
  std::vector<Problem> problems;
  if (!words.empty()) {
    form::Values values =
        form::check_words(f, words, account_values(account), context(admin, false), problems);
    if (!problems.empty()) return refused(problems, "nothing was changed");
    return change_account(admin, account, values, {});
  }
  form::Parser parser(f, input);
  auto parsed = parser.next();
  if (!parsed) return refused("standard input holds no form; give one, or Field=value words");
  form::Values values = form::check(f, *parsed, context(admin, false), problems);
  if (auto another = parser.next())
    problems.push_back({another->line, {}, {}, "a second form; 'account set' changes one account"});
  if (!problems.empty()) return refused(problems, "nothing was changed");
  return change_account(admin, account, values, *parsed);
}

CommandResult set_password(Administration& admin, const Account& account, std::string_view input) {
  auto end = input.find('\n');
  std::string_view line = input.substr(0, end);
  if (end != std::string_view::npos && end + 1 != input.size())
    return refused("a password stands on one line; standard input holds more");
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return refused("give the password on standard input");
  form::Parsed parsed;
  parsed.fields.push_back({form::account_data().find(kPasswordField), 0, {std::string(line)}});
  std::vector<Problem> problems;
  form::Values values = form::check(form::account_data(), parsed, context(admin, false), problems);
  if (!problems.empty()) return refused(problems, "the password was not changed");
  CommandResult result = change_account(admin, account, values, parsed);
  if (result.exit_code == 0) result.out = fmt::format("password of account {} changed\n", account.id);
  return result;
}

CommandResult set_lock(Administration& admin, const Account& account, bool lock) {
  CommandResult result = change_account(admin, account, {{"Account-Locked", {lock ? "yes" : "no"}}}, {});
  if (account.locked != lock && result.exit_code == 0)
    result.out = fmt::format("account {} {}\n", account.id, lock ? "locked" : "unlocked");
  return result;
}

CommandResult remove_account(Administration& admin, const Account& account) {
  auto change = admin.directory().begin();
  if (!change) return failed(change.error());
  if (auto ok = change->remove(account.id); !ok) return failed(ok.error());
  if (auto ok = change->commit(); !ok) return failed(ok.error());
  // The account is gone; a hash that stayed behind would belong to nobody.
  auto secrets = admin.secrets().begin();
  if (secrets && secrets->remove(account.id)) (void)secrets->commit();
  return {fmt::format("account {} removed\n", account.id), {}, 0};
}

}  // namespace

CommandResult run_account_command(Administration& admin, Words words, std::string_view input) {
  if (words.empty()) return usage("account: say what to do");
  std::string verb = words[0];
  words.erase(words.begin());
  if (verb == "add") return add_accounts(admin, std::move(words), input);
  bool json = (verb == "list" || verb == "show") && take_flag(words, "--json");
  if (auto bad = unknown_option(words); !bad.empty())
    return usage(fmt::format("account {}: unknown option {}", verb, bad));
  if (verb == "list") return list_accounts(admin, words, json);
  bool known = verb == "show" || verb == "set" || verb == "passwd" || verb == "lock" || verb == "unlock" ||
               verb == "remove";
  if (!known) return usage(fmt::format("account: there is no '{}'", po::for_display(verb)));
  if (words.empty()) return usage(fmt::format("account {}: say which account", verb));
  if (verb != "set" && words.size() > 1) return usage(fmt::format("account {}: one account at a time", verb));
  auto account = find_account(admin, words[0]);
  if (!account) return failed(account.error());
  words.erase(words.begin());
  if (verb == "set") return set_account(admin, *account, words, input);
  if (verb == "show") return show_account(*account, json);
  if (verb == "passwd") return set_password(admin, *account, input);
  if (verb == "remove") return remove_account(admin, *account);
  return set_lock(admin, *account, verb == "lock");
}

}  // namespace accounts
