#include "accounts/account_batch.h"

#include <fmt/core.h>

#include "accounts/password.h"
#include "accounts/unix_time.h"
#include "lib/form/changes.h"
#include "lib/form/forms.h"

namespace accounts {
namespace {

using directory::Revision;
using Lines = std::vector<Revision::Line>;

constexpr std::uint64_t kRoom = 1U << 20, kRoomEach = 4096;  // octets on the disk: the pages that change
constexpr std::uint64_t kMostNumber = 1ULL << 48;            // that a form may choose: some are left

}  // namespace

Revision revision_by(const Caller& caller, Lines lines, Revision::Kind kind, std::uint64_t undoes) {
  Revision revision;
  revision.at = unix_seconds();
  revision.who = caller.who;
  revision.from = caller.from;
  revision.way = caller.way;
  revision.kind = kind;
  revision.lines = std::move(lines);
  revision.undoes = undoes;
  return revision;
}

po::Result<AccountBatch> AccountBatch::begin(Administration& administration, const Caller& caller) {
  auto settings = administration.directory().settings();
  if (!settings) return tl::make_unexpected(settings.error());
  auto begin_as = administration.directory().default_account();
  if (!begin_as) return tl::make_unexpected(begin_as.error());
  auto secrets = administration.secrets().begin();
  if (!secrets) return tl::make_unexpected(secrets.error());
  auto directory = administration.directory().begin();
  if (!directory) return tl::make_unexpected(directory.error());
  return AccountBatch(administration, caller, std::move(*directory), std::move(*secrets),
                      std::move(*settings), std::move(*begin_as));
}

std::string AccountBatch::taken_by(std::uint64_t account) const {
  auto line = lines_.find(account);
  if (line == lines_.end()) return fmt::format("belongs to account number {} already", account);
  return fmt::format("belongs to the form in line {} already", line->second);
}

po::Result<void> AccountBatch::check_names(const directory::Account& account, const form::Parsed& where,
                                           std::vector<form::Problem>& problems) {
  auto check = [&](std::string_view field, const std::string& name) -> po::Result<void> {
    auto by_address = directory_.owner_of_address(name);
    auto by_login = directory_.owner_of_login(name);
    if (!by_address) return tl::make_unexpected(by_address.error());
    if (!by_login) return tl::make_unexpected(by_login.error());
    for (const auto& owner : {*by_address, *by_login}) {
      if (!owner || *owner == account.id) continue;
      problems.push_back({form::line_of(where, field), std::string(field), name, taken_by(*owner)});
      break;
    }
    return {};
  };
  for (const std::string& address : account.addresses)
    if (auto ok = check("Internet-Addresses", address); !ok) return ok;
  return check("POP-Login-Name", account.pop_login);
}

po::Result<void> AccountBatch::check_number_of_accounts(int line,
                                                        std::vector<form::Problem>& problems) const {
  if (settings_->most_accounts == 0) return {};
  auto there = directory_.accounts();
  if (!there) return tl::make_unexpected(there.error());
  if (*there >= settings_->most_accounts)
    problems.push_back(
        {line, {}, {}, fmt::format("there are {} accounts; Maximum-Accounts allows no more", *there)});
  return {};
}

/// A ready hash is for a Postmaster, who brings people along; an owner's password is what he types.
bool AccountBatch::read_password(const form::Values& values, const form::Parsed& where, Password& password,
                                 std::vector<form::Problem>& problems) const {
  std::string_view value = one_value(values, kPasswordField);
  if (value.empty()) return true;
  auto ready = caller_.rights == form::Who::kOwner ? po::Result<std::string>(std::string())
                                                   : password::ready_hash(value);
  if (!ready) {
    problems.push_back(
        {form::line_of(where, kPasswordField), std::string(kPasswordField), {}, ready.error().text});
    return false;
  }
  password.ready = *ready;
  if (password.ready.empty()) password.plain = value;
  return true;
}

/// A hash that is stored already changes nothing: a file of accounts may come in again.
po::Result<bool> AccountBatch::is_new(const Password& password) const {
  if (!password.plain.empty()) return true;
  if (password.ready.empty()) return false;
  return admin_->secrets().password(password.account).map([&](const std::string& stored) {
    return stored != password.ready;
  });
}

po::Result<void> AccountBatch::keep_history(std::uint64_t account, Lines lines, Revision::Kind kind) {
  directory_changed_ = true;
  return directory_.put_history(directory::history_of_account(account),
                                revision_by(caller_, std::move(lines), kind, undoes_));
}

po::Result<std::uint64_t> AccountBatch::store_new(directory::Account account, std::uint64_t number) {
  // One that brings its number along was there before: it comes back from an export.
  bool greet = settings_->send_greeting && (account.pop3_delivery || account.unix_delivery) && number == 0;
  std::string address = primary_address(account);
  po::Result<std::uint64_t> id = number;
  if (number != 0) {
    account.id = number;
    if (auto ok = directory_.add_numbered(std::move(account)); !ok) return tl::make_unexpected(ok.error());
  } else {
    id = directory_.add(std::move(account));
  }
  if (!id) return id;
  if (auto ok = keep_history(*id, {}, Revision::Kind::kAdded); !ok) return tl::make_unexpected(ok.error());
  if (!greet) return id;
  auto ok = directory_.put_errand({directory::Errand::Kind::kGreet, *id, 0, std::move(address), {}});
  if (!ok) return tl::make_unexpected(ok.error());
  return id;
}

po::Result<std::optional<std::uint64_t>> AccountBatch::add(const form::Values& values,
                                                           const form::Parsed& where,
                                                           std::vector<form::Problem>& problems,
                                                           std::uint64_t number) {
  std::size_t before = problems.size();
  directory::Account account = begin_as_;
  apply_values(values, account);
  check_account(account, form::line_of(where, "POP3-Delivery"), problems);
  Password password;
  (void)read_password(values, where, password, problems);
  auto ok = check_names(account, where, problems);
  if (ok) ok = check_number_of_accounts(where.line, problems);
  if (!ok) return tl::make_unexpected(ok.error());
  if (problems.size() != before) return std::optional<std::uint64_t>();
  if (number != 0) {
    auto given = directory_.was_given(number);
    if (!given) return tl::make_unexpected(given.error());
    if (*given || number > kMostNumber) number = 0;
  }
  auto id = store_new(std::move(account), number);
  if (!id) return tl::make_unexpected(id.error());
  password.account = *id;
  lines_[*id] = where.line;
  passwords_.push_back(std::move(password));
  return std::optional(*id);
}

po::Result<bool> AccountBatch::add_again(const directory::Account& account,
                                         std::vector<form::Problem>& problems) {
  std::size_t before = problems.size();
  auto ok = check_names(account, {}, problems);
  if (ok) ok = check_number_of_accounts(0, problems);
  if (!ok) return tl::make_unexpected(ok.error());
  if (problems.size() != before) return false;
  ok = directory_.take_back_errands(account.id);
  if (ok) ok = directory_.add_numbered(account);
  if (ok) ok = keep_history(account.id, {}, Revision::Kind::kAdded);
  // Whatever a removal that was cut short left under this number must not let anybody in again.
  if (ok) ok = secrets_.remove(account.id);
  if (!ok) return tl::make_unexpected(ok.error());
  passwords_.push_back({account.id, {}, {}});
  return true;
}

po::Result<AccountBatch::Changed> AccountBatch::change(const directory::Account& before,
                                                       const form::Values& values, const form::Parsed& where,
                                                       std::vector<form::Problem>& problems) {
  std::size_t problems_before = problems.size();
  directory::Account account = before;
  apply_values(values, account);
  check_account(account, form::line_of(where, "POP3-Delivery"), problems);
  Password password;
  password.account = account.id;
  (void)read_password(values, where, password, problems);
  if (auto ok = check_names(account, where, problems); !ok) return tl::make_unexpected(ok.error());
  if (problems.size() != problems_before) return Changed{};
  auto new_password = is_new(password);
  if (!new_password) return tl::make_unexpected(new_password.error());
  Lines lines = form::changes_between(form::account_data(), account_values(before), account_values(account));
  if (*new_password) lines.push_back({std::string(kPasswordField), {}, {"(changed)"}});
  if (lines.empty()) return Changed{Changed::What::kSame, {}};
  auto ok = directory_.replace(std::move(account));
  if (ok) ok = keep_history(before.id, lines, Revision::Kind::kChanged);
  if (!ok) return tl::make_unexpected(ok.error());
  if (*new_password) passwords_.push_back(std::move(password));
  return Changed{Changed::What::kChanged, std::move(lines)};
}

po::Result<void> AccountBatch::set_settings(const directory::Settings& settings, const FormLines& lines) {
  settings_ = std::make_shared<const directory::Settings>(settings);
  directory_changed_ = true;
  auto ok = directory_.set_settings(settings);
  for (const auto& [form_name, form_lines] : lines)
    if (ok)
      ok = directory_.put_history(directory::history_of_form(form_name),
                                  revision_by(caller_, form_lines, Revision::Kind::kChanged, undoes_));
  return ok;
}

po::Result<Lines> AccountBatch::change_default(const form::Values& values, const form::Parsed& where,
                                               std::vector<form::Problem>& problems) {
  const form::Form& form = form::default_account();
  std::size_t before = problems.size();
  directory::Account account = begin_as_;
  apply_values(values, account);
  check_account(account, form::line_of(where, "POP3-Delivery"), problems);
  Lines lines = form::changes_between(form, account_values(begin_as_), account_values(account));
  if (problems.size() != before || lines.empty()) return Lines();
  begin_as_ = account;
  directory_changed_ = true;
  auto ok = directory_.set_default_account(std::move(account));
  if (ok)
    ok = directory_.put_history(directory::history_of_form(form.name),
                                revision_by(caller_, lines, Revision::Kind::kChanged, undoes_));
  if (!ok) return tl::make_unexpected(ok.error());
  return lines;
}

// Two databases cannot be committed as one. So that a full disk does not come between the two, both must fit
// before the first is begun.
po::Result<std::uint64_t> AccountBatch::commit() {
  if (!directory_changed_) return std::uint64_t{0};
  if (!passwords_.empty())
    if (auto ok = secrets_.check_room(kRoom + kRoomEach * passwords_.size()); !ok)
      return tl::make_unexpected(ok.error());
  for (const Password& p : passwords_) {
    // Also without one: a hash that a crash left under this number must not open the new account.
    std::string hash = p.plain.empty() ? p.ready : password::make_hash(p.plain);
    if (auto ok = secrets_.set_password(p.account, hash); !ok) return tl::make_unexpected(ok.error());
  }
  if (!passwords_.empty())
    if (auto ok = secrets_.commit(); !ok) return tl::make_unexpected(ok.error());
  return directory_.commit();
}

}  // namespace accounts
