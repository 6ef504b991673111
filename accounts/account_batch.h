// Adds or changes accounts from checked form values, in one transaction of each database: what a command
// commits as a whole. Problems name the line of the form. Caller: account_commands.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "accounts/account_form.h"
#include "accounts/administration.h"
#include "lib/form/text.h"

namespace accounts {

class AccountBatch {
 public:
  [[nodiscard]] static po::Result<AccountBatch> begin(Administration& administration);

  /// A new account. Its number, or nothing: then `problems` has grown and the batch is as before.
  [[nodiscard]] po::Result<std::optional<std::uint64_t>> add(const form::Values& values,
                                                             const form::Parsed& where,
                                                             std::vector<form::Problem>& problems);
  enum class Outcome { kChanged, kSame, kRefused };
  [[nodiscard]] po::Result<Outcome> change(const directory::Account& before, const form::Values& values,
                                           const form::Parsed& where, std::vector<form::Problem>& problems);
  /// Hashes the plain passwords, then secrets, then directory: a crash between the two leaves hashes of
  /// accounts that do not exist, and the next account with such a number replaces them.
  [[nodiscard]] po::Result<void> commit();

 private:
  AccountBatch(directory::Change d, SecretsChange s) : directory_(std::move(d)), secrets_(std::move(s)) {}
  po::Result<void> check_names(const directory::Account& account, const form::Parsed& where,
                               std::vector<form::Problem>& problems);
  /// A number that this batch gave is not named: nobody could look it up if the batch is dropped.
  [[nodiscard]] std::string taken_by(std::uint64_t account) const;
  struct Password {
    std::uint64_t account = 0;
    std::string ready, plain;
  };
  /// Empty account number; false after a problem.
  static bool read_password(const form::Values& values, const form::Parsed& where, Password& password,
                            std::vector<form::Problem>& problems);

  directory::Change directory_;
  SecretsChange secrets_;
  std::vector<Password> passwords_;
  std::map<std::uint64_t, int> lines_;  ///< where the forms of new accounts begin
  bool directory_changed_ = false;
};

}  // namespace accounts
