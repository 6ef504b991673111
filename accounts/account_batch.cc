#include "accounts/account_batch.h"

#include <fmt/core.h>

#include "accounts/password.h"

namespace accounts {
namespace {

constexpr std::uint64_t kRoom = 1U << 20, kRoomEach = 4096;  // octets on the disk: the pages that change

int line_of(const form::Parsed& where, std::string_view field) {
  for (const form::Given& given : where.fields)
    if (given.field->name == field) return given.line;
  return where.line;
}

}  // namespace

po::Result<AccountBatch> AccountBatch::begin(Administration& administration) {
  auto secrets = administration.secrets().begin();
  if (!secrets) return tl::make_unexpected(secrets.error());
  auto directory = administration.directory().begin();
  if (!directory) return tl::make_unexpected(directory.error());
  return AccountBatch(std::move(*directory), std::move(*secrets));
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
      problems.push_back({line_of(where, field), std::string(field), name, taken_by(*owner)});
      break;
    }
    return {};
  };
  for (const std::string& address : account.addresses)
    if (auto ok = check("Internet-Addresses", address); !ok) return ok;
  return check("POP-Login-Name", account.pop_login);
}

bool AccountBatch::read_password(const form::Values& values, const form::Parsed& where, Password& password,
                                 std::vector<form::Problem>& problems) {
  std::string_view value = one_value(values, kPasswordField);
  if (value.empty()) return true;
  auto ready = password::ready_hash(value);
  if (!ready) {
    problems.push_back({line_of(where, kPasswordField), std::string(kPasswordField), {}, ready.error().text});
    return false;
  }
  password.ready = *ready;
  if (password.ready.empty()) password.plain = value;
  return true;
}

po::Result<std::optional<std::uint64_t>> AccountBatch::add(const form::Values& values,
                                                           const form::Parsed& where,
                                                           std::vector<form::Problem>& problems) {
  std::size_t before = problems.size();
  directory::Account account;
  apply_values(values, account);
  check_account(account, line_of(where, "POP3-Delivery"), problems);
  Password password;
  read_password(values, where, password, problems);
  if (auto ok = check_names(account, where, problems); !ok) return tl::make_unexpected(ok.error());
  if (problems.size() != before) return std::optional<std::uint64_t>();
  auto id = directory_.add(std::move(account));
  if (!id) return tl::make_unexpected(id.error());
  password.account = *id;
  lines_[*id] = where.line;
  passwords_.push_back(std::move(password));
  directory_changed_ = true;
  return std::optional(*id);
}

po::Result<AccountBatch::Outcome> AccountBatch::change(const directory::Account& before,
                                                       const form::Values& values, const form::Parsed& where,
                                                       std::vector<form::Problem>& problems) {
  std::size_t problems_before = problems.size();
  directory::Account account = before;
  apply_values(values, account);
  check_account(account, line_of(where, "POP3-Delivery"), problems);
  Password password;
  password.account = account.id;
  read_password(values, where, password, problems);
  if (auto ok = check_names(account, where, problems); !ok) return tl::make_unexpected(ok.error());
  if (problems.size() != problems_before) return Outcome::kRefused;
  bool same = po::wire::encode(account) == po::wire::encode(before);
  bool new_password = !password.ready.empty() || !password.plain.empty();
  if (same && !new_password) return Outcome::kSame;
  if (!same) {
    if (auto ok = directory_.replace(std::move(account)); !ok) return tl::make_unexpected(ok.error());
    directory_changed_ = true;
  }
  if (new_password) passwords_.push_back(std::move(password));
  return Outcome::kChanged;
}

// Two databases cannot be committed as one. So that a full disk does not come between the two, both must fit
// before the first is begun.
po::Result<void> AccountBatch::commit() {
  if (!passwords_.empty() && directory_changed_)
    if (auto ok = secrets_.check_room(kRoom + kRoomEach * passwords_.size()); !ok) return ok;
  for (const Password& p : passwords_) {
    // Also without one: a hash that a crash left under this number must not open the new account.
    std::string hash = p.plain.empty() ? p.ready : password::make_hash(p.plain);
    if (auto ok = secrets_.set_password(p.account, hash); !ok) return ok;
  }
  if (!passwords_.empty())
    if (auto ok = secrets_.commit(); !ok) return ok;
  if (!directory_changed_) return {};
  return directory_.commit().map([](std::uint64_t) {});
}

}  // namespace accounts
