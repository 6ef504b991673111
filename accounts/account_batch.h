// Adds or changes accounts from checked form values, in one transaction of each database with their history:
// what a command commits as a whole. Problems name the line of the form. Callers: form_service,
// account_commands, import_commands.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/account_form.h"
#include "accounts/administration.h"
#include "accounts/form_service.h"
#include "lib/form/text.h"

namespace accounts {

/// A row of the history for a change by `caller`, now.
[[nodiscard]] directory::Revision revision_by(const Caller& caller,
                                              std::vector<directory::Revision::Line> lines,
                                              directory::Revision::Kind kind, std::uint64_t undoes = 0);

class AccountBatch {
 public:
  [[nodiscard]] static po::Result<AccountBatch> begin(Administration& administration, const Caller& caller);

  /// The history says of all that follows that it takes back this revision.
  void undo(std::uint64_t revision) { undoes_ = revision; }

  /// A new account; what `values` does not name is as the Default Account has it. It gets `number`, if that
  /// was never given to another. Its number, or nothing: then `problems` has grown and the batch is as
  /// before.
  [[nodiscard]] po::Result<std::optional<std::uint64_t>> add(const form::Values& values,
                                                             const form::Parsed& where,
                                                             std::vector<form::Problem>& problems,
                                                             std::uint64_t number = 0);
  /// An account that was removed, with its number.
  [[nodiscard]] po::Result<bool> add_again(const directory::Account& account,
                                           std::vector<form::Problem>& problems);
  struct Changed {
    enum class What : std::uint8_t { kChanged, kSame, kRefused } what = What::kRefused;
    std::vector<directory::Revision::Line> lines;
  };
  [[nodiscard]] po::Result<Changed> change(const directory::Account& before, const form::Values& values,
                                           const form::Parsed& where, std::vector<form::Problem>& problems);

  /// The settings of several forms at once; `lines` by the form's name.
  using FormLines = std::map<std::string, std::vector<directory::Revision::Line>, std::less<>>;
  [[nodiscard]] po::Result<void> set_settings(const directory::Settings& settings, const FormLines& lines);
  /// The Default Account. What changed; nothing is done if `problems` has grown.
  [[nodiscard]] po::Result<std::vector<directory::Revision::Line>> change_default(
      const form::Values& values, const form::Parsed& where, std::vector<form::Problem>& problems);

  /// Within the batch.
  [[nodiscard]] const directory::Change& directory() const { return directory_; }
  [[nodiscard]] const directory::Settings& settings() const { return *settings_; }

  /// Hashes the plain passwords, then secrets, then directory: a crash between the two leaves hashes of
  /// accounts that do not exist, and the next account with such a number replaces them. The generation; 0 if
  /// there was nothing to do.
  [[nodiscard]] po::Result<std::uint64_t> commit();

 private:
  AccountBatch(Administration& admin, Caller caller, directory::Change d, SecretsChange s,
               std::shared_ptr<const directory::Settings> settings, directory::Account begin_as)
      : admin_(&admin),
        caller_(std::move(caller)),
        directory_(std::move(d)),
        secrets_(std::move(s)),
        settings_(std::move(settings)),
        begin_as_(std::move(begin_as)) {}
  po::Result<void> check_names(const directory::Account& account, const form::Parsed& where,
                               std::vector<form::Problem>& problems);
  po::Result<void> check_number_of_accounts(int line, std::vector<form::Problem>& problems) const;
  /// A number that this batch gave is not named: nobody could look it up if the batch is dropped.
  [[nodiscard]] std::string taken_by(std::uint64_t account) const;
  struct Password {
    std::uint64_t account = 0;
    std::string ready, plain;
  };
  /// Empty account number; false after a problem.
  [[nodiscard]] bool read_password(const form::Values& values, const form::Parsed& where, Password& password,
                                   std::vector<form::Problem>& problems) const;
  po::Result<bool> is_new(const Password& password) const;
  po::Result<std::uint64_t> store_new(directory::Account account, std::uint64_t number);
  po::Result<void> keep_history(std::uint64_t account, std::vector<directory::Revision::Line> lines,
                                directory::Revision::Kind kind);

  Administration* admin_;
  Caller caller_;
  directory::Change directory_;
  SecretsChange secrets_;
  std::shared_ptr<const directory::Settings> settings_;
  directory::Account begin_as_;  ///< the Default Account
  std::vector<Password> passwords_;
  std::map<std::uint64_t, int> lines_;  ///< where the forms of new accounts begin
  std::uint64_t undoes_ = 0;
  bool directory_changed_ = false;
};

}  // namespace accounts
