// What a web session may do at this moment. Looked at anew for each question, in the databases themselves, so
// that a changed password, a lock, a removal, an access restriction or a lost Postmaster's right holds at
// once and wherever it was changed. Any thread. Caller: web_server.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "accounts/administration.h"
#include "accounts/web_sessions.h"
#include "lib/directory/account.h"
#include "lib/error.h"
#include "lib/messages.h"

namespace accounts {

/// A keyed digest of what an account logs in with: another password, or another system user, gives another
/// one. `stored` is its hash. A changed name or address does not change it.
[[nodiscard]] std::string credentials_of(const po::messages::Key& key, const directory::Account& account,
                                         std::string_view stored);

struct WebRights {
  directory::Account account;
  bool postmaster = false;
  std::string_view over;  ///< not empty: the session is over, for this reason ("locked"); the rest is not set
};

/// Temporary failure: the databases cannot be read. `client`: that asks now; the session's own name is held
/// against rules that are names only if it is the very address that logged in.
[[nodiscard]] po::Result<WebRights> web_rights(const Administration& administration,
                                               const po::messages::Key& key, const WebSession& session,
                                               const po::messages::NetAddress& client);

/// Number 1, or one of its addresses stands in the Forwarding-Addresses of number 1. Temporary failure as
/// above.
[[nodiscard]] po::Result<bool> is_postmaster(const Administration& administration,
                                             const directory::Account& account);

/// What a list of access restrictions says of a client. An empty list lets everybody in; an entry that cannot
/// be read matches nobody.
enum class Admission : std::uint8_t { kYes, kNo, kNeedsName };
[[nodiscard]] Admission admission(const std::vector<std::string>& restrictions,
                                  const po::messages::NetAddress& client, std::string_view client_name,
                                  bool name_looked_up);

}  // namespace accounts
