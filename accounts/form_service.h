// What can be done with a form, once for all ways that lead here: the command line, the web, a file of forms.
// Each change is checked by the form's declaration, compared with the revision that was shown, committed with
// a row of its history (who, when, from where, by which way, old and new values), and can be taken back. What
// a caller may read and change stands in the declaration. Callers: the command files of accounts,
// accounts/web_*.cc; one thread at a time changes (Administration).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/account_list.h"
#include "accounts/administration.h"
#include "lib/directory/history.h"
#include "lib/error.h"
#include "lib/form/check.h"
#include "lib/form/form.h"
#include "lib/form/text.h"

namespace accounts {

/// Who asks, as the history tells it.
struct Caller {
  form::Who rights = form::Who::kPostmaster;
  std::uint64_t account = 0;  ///< who is logged in; 0: nobody (root on the command line)
  std::string who;            ///< "Postmaster", "jane@podunk.edu", "root", "uid 1000"
  std::string from;           ///< "192.0.2.1"; empty: no network in it
  std::string way;            ///< "command", "web", "import"
  /// Of the machine: root, the administrators' group, or whoever a private instance belongs to. They may see
  /// password hashes.
  bool administrator = false;
};

/// One form of the system: a settings form, or the Account Data or Individual Account Information of one
/// account.
struct Subject {
  const form::Form* form = nullptr;
  std::uint64_t account = 0;  ///< for forms of an account; 0 there: a new one
};

struct Shown {
  form::Values values;         ///< those that the caller may read; passwords never; of a new account (number
                               ///< 0) what the Default Account gives it
  std::uint64_t revision = 0;  ///< generation of its last change; 0: as it was installed
};

struct Outcome {
  enum class What : std::uint8_t {
    kChanged,   ///< committed
    kSame,      ///< nothing to do
    kRefused,   ///< `problems`
    kConflict,  ///< changed since the caller saw it: `since`
  };
  What what = What::kRefused;
  std::uint64_t account = 0;   ///< that was added or changed
  std::uint64_t revision = 0;  ///< of the form, now
  std::vector<form::Problem> problems;
  std::vector<directory::Revision::Line> changes;  ///< what changed, or (check) would
  std::vector<directory::Revision> since;          ///< newest first
};

/// A line of the List of Accounts: number, primary address, name, whether it is locked. No line end.
[[nodiscard]] std::string list_line(const directory::Account& account);

/// What these settings mean for the check of a form.
[[nodiscard]] form::CheckContext check_context(const Administration& admin,
                                               const directory::Settings& settings,
                                               form::Who who = form::Who::kPostmaster);

/// Permanent failure: there is no such account, or the caller may not see it.
[[nodiscard]] po::Result<Shown> show(const Administration& admin, const Caller& caller,
                                     const Subject& subject);

/// What `submit` is given. Fields that are not there stay as they are.
struct Submission {
  form::Parsed given;  ///< unchecked, with lines if it was text
  /// That the caller saw; nothing: he changes single fields, whatever else the form says now.
  std::optional<std::uint64_t> seen;
  bool check_only = false;  ///< say what is wrong and what would change
};
/// Adds the account if the subject is a new one. A failure is of the databases, or permanent as for show().
[[nodiscard]] po::Result<Outcome> submit(Administration& admin, const Caller& caller, const Subject& subject,
                                         const Submission& submission);

/// Newest first, at most `limit`, of revisions below `before` (0: from the newest).
[[nodiscard]] po::Result<std::vector<directory::Revision>> history(const Administration& admin,
                                                                   const Caller& caller,
                                                                   const Subject& subject,
                                                                   std::uint64_t before, std::size_t limit);

/// Gives every field that the change of `revision` changed the value that it had before, if it still has the
/// one that the change gave it; a field that was changed again since is a conflict, and nothing is done. The
/// undo is a change with a history of its own. Of a removed account it makes the account again, with its
/// number, without a password; what queue has not yet done with its mail is not done. Passwords do not come
/// back: a change of nothing else is refused. Permanent failure for a revision that the history has not, and
/// for the one that added an account.
[[nodiscard]] po::Result<Outcome> undo(Administration& admin, const Caller& caller, const Subject& subject,
                                       std::uint64_t revision);

/// What becomes of a removed account's mail: it is deleted, or goes to the account `hand_to`.
struct Removal {
  std::uint64_t account = 0;
  std::optional<std::uint64_t> hand_to;
};
/// Permanent failure for the Postmaster, for an account that is not there, and for itself as the heir.
[[nodiscard]] po::Result<Outcome> remove(Administration& admin, const Caller& caller, const Removal& removal);

}  // namespace accounts
