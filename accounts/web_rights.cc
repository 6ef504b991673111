#include "accounts/web_rights.h"

#include <algorithm>

#include "lib/access.h"
#include "lib/notice.h"
#include "lib/text.h"
#include "lib/wire.h"

namespace accounts {

std::string credentials_of(const po::messages::Key& key, const directory::Account& account,
                           std::string_view stored) {
  std::string text;
  po::wire::Writer w(text);
  w.put(account.id);
  w.put(account.system_password);
  w.put(account.system_password ? account.system_user : std::string());
  w.put(account.system_password ? account.pop_login : std::string());
  w.put(account.system_password ? std::string_view() : stored);
  return po::hmac_sha256(key, text);
}

po::Result<bool> is_postmaster(const Administration& administration, const directory::Account& account) {
  if (account.id == directory::kPostmaster) return true;
  auto first = administration.directory().account(directory::kPostmaster);
  if (!first) return tl::make_unexpected(first.error());
  if (!*first) return false;
  auto own = [&](const std::string& forward) {
    return std::any_of(account.addresses.begin(), account.addresses.end(),
                       [&](const std::string& address) { return po::equal_ignoring_case(address, forward); });
  };
  return std::any_of((*first)->forwarding.begin(), (*first)->forwarding.end(), own);
}

Admission admission(const std::vector<std::string>& restrictions, const po::messages::NetAddress& client,
                    std::string_view client_name, bool name_looked_up) {
  if (restrictions.empty()) return Admission::kYes;
  std::vector<po::AccessRule> rules = po::parse_access_rules(restrictions);
  if (!name_looked_up && po::needs_name(rules, client)) return Admission::kNeedsName;
  return po::any_match(rules, client, client_name) ? Admission::kYes : Admission::kNo;
}

po::Result<WebRights> web_rights(const Administration& administration, const po::messages::Key& key,
                                 const WebSession& session, const po::messages::NetAddress& client) {
  auto over = [](std::string_view why) {
    WebRights none;
    none.over = why;
    return none;
  };
  auto settings = administration.directory().settings();
  if (!settings) return tl::make_unexpected(settings.error());
  auto account = administration.directory().account(session.account);
  if (!account) return tl::make_unexpected(account.error());
  if (!*account) return over("account removed");
  auto stored = administration.secrets().password(session.account);
  if (!stored) return tl::make_unexpected(stored.error());
  if (!po::same_octets(credentials_of(key, **account, *stored), session.credentials))
    return over("password changed");
  if ((*account)->locked) return over("locked");
  std::string_view name = client.octets == session.client.octets ? session.client_name : std::string_view();
  if (admission((*account)->access, client, name, true) != Admission::kYes) return over("access-restriction");
  if (admission((*settings)->web_limit, client, name, true) != Admission::kYes) return over("web-limit");
  auto postmaster = is_postmaster(administration, **account);
  if (!postmaster) return tl::make_unexpected(postmaster.error());
  WebRights rights;
  rights.account = std::move(**account);
  rights.postmaster = *postmaster;
  return rights;
}

}  // namespace accounts
