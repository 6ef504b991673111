#include "fingerd/desk.h"

#include <vector>

#include "fingerd/answer.h"
#include "lib/address.h"

namespace fingerd {
namespace {

/// Read in one transaction, which must be short.
constexpr std::size_t kPage = 500;

Answer no_forwarding(const Query& query) {
  return {no_forwarding_text(query.host), "not-forwarded"};
}

Answer unreadable() {
  return {line_text("The account database cannot be read at the moment; try again later."), "unreadable"};
}

}  // namespace

Answer Desk::answer(const Query& query, const directory::Settings& settings) const {
  if (query.ask == Ask::kForward) return no_forwarding(query);
  std::string domain;
  if (!query.host.empty()) {
    auto parsed = po::parse_domain(query.host);
    if (!parsed) return no_forwarding(query);
    domain = std::move(*parsed);
  }
  Answer out = query.ask == Ask::kPerson ? person(query, domain) : list(query, domain, settings.finger_list);
  if (out.given && settings.finger_host_line) out.text.insert(0, host_line(hostname_));
  return out;
}

// Whether there is an account that does not allow finger must not be seen from the answer.
Answer Desk::person(const Query& query, const std::string& domain) const {
  auto named = reader_.named(query.user, domain);
  if (!named) return unreadable();
  if (named->account && named->account->finger_allowed)
    return {account_text(*named->account), "shown", named->account->id, true};
  if (!named->local) return no_forwarding(query);
  return {no_account_text(query.user, query.host), "no-account"};
}

Answer Desk::list(const Query& query, const std::string& domain, bool allowed) const {
  if (!domain.empty()) {
    auto local = reader_.is_local(domain);
    if (!local) return unreadable();
    if (!*local) return no_forwarding(query);
  }
  if (!allowed) return {no_list_text(hostname_), "not-listed"};
  return all_accounts().value_or(unreadable());
}

po::Result<Answer> Desk::all_accounts() const {
  std::vector<directory::Account> listed;
  std::uint64_t last = 0;
  for (std::size_t looked_at = 0; looked_at < kMostLookedAt; looked_at += kPage) {
    auto page = reader_.accounts_after(last, kPage);
    if (!page) return tl::make_unexpected(page.error());
    for (directory::Account& account : *page) {
      last = account.id;
      if (!account.finger_allowed) continue;
      if (listed.size() == kMostListed) return Answer{list_text(listed, true), "listed", 0, true};
      listed.push_back(std::move(account));
    }
    if (page->size() < kPage) return Answer{list_text(listed, false), "listed", 0, true};
  }
  return Answer{list_text(listed, true), "listed", 0, true};
}

}  // namespace fingerd
