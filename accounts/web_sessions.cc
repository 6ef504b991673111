#include "accounts/web_sessions.h"

#include <algorithm>

#include "accounts/random.h"
#include "lib/net_address.h"
#include "lib/notice.h"
#include "lib/text.h"

namespace accounts {

namespace {

constexpr std::size_t kTokenOctets = 32;
constexpr std::size_t kTokenText = 43;

std::string base64url(std::string_view octets) {
  std::string text = po::base64_encode(octets);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.erase(text.find_last_not_of('=') + 1);
  return text;
}

}  // namespace

std::optional<std::string> token_octets(std::string_view token) {
  if (token.size() != kTokenText || token.find_first_of("+/=") != std::string_view::npos) return std::nullopt;
  std::string text(token);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  return po::base64_decode(text + "=");
}

WebSessions::WebSessions(OnEnd on_end) : on_end_(std::move(on_end)), key_(random_key()) {}

WebSessions::Opened WebSessions::open(WebSession session, std::chrono::seconds idle, Time now) {
  expire(idle, now);
  make_room(session.account);
  std::string octets = random_octets(kTokenOctets);
  session.id = next_++;
  session.seal = base64url(random_octets(kTokenOctets));
  std::string hash = po::hmac_sha256(key_, octets);
  entries_.push_front({std::move(session), hash, now});
  by_token_[hash] = entries_.begin();
  by_id_[entries_.front().session.id] = entries_.begin();
  return {entries_.front().session.id, base64url(octets)};
}

void WebSessions::make_room(std::uint64_t account) {
  std::size_t same = 0;
  auto oldest = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (at->session.account != account) continue;
    ++same;
    oldest = at;
  }
  if (same >= kMostPerAccount) end(oldest, "too many of the account");
  if (entries_.size() >= kMost) end(std::prev(entries_.end()), "too many in all");
}

/// A token from another address ends nothing: whoever stole one must not be able to throw its owner out.
const WebSession* WebSessions::use(std::string_view token, const po::messages::NetAddress& client,
                                   std::chrono::seconds idle, Time now) {
  auto octets = token_octets(token);
  if (!octets) return nullptr;
  auto found = by_token_.find(po::hmac_sha256(key_, *octets));
  if (found == by_token_.end()) return nullptr;
  auto at = found->second;
  if (now - at->used > idle) {
    end(at, "idle");
    return nullptr;
  }
  if (po::limit_key(at->session.client) != po::limit_key(client)) return nullptr;
  at->used = now;
  entries_.splice(entries_.begin(), entries_, at);
  return &at->session;
}

void WebSessions::keep(std::uint64_t id, std::string credentials) {
  if (auto found = by_id_.find(id); found != by_id_.end())
    found->second->session.credentials = std::move(credentials);
}

void WebSessions::end(std::uint64_t id, std::string_view why) {
  if (auto found = by_id_.find(id); found != by_id_.end()) end(found->second, why);
}

void WebSessions::expire(std::chrono::seconds idle, Time now) {
  while (!entries_.empty() && now - entries_.back().used > idle) end(std::prev(entries_.end()), "idle");
}

void WebSessions::end(Entries::iterator at, std::string_view why) {
  if (on_end_) on_end_(at->session, why);
  by_token_.erase(at->hash);
  by_id_.erase(at->session.id);
  entries_.erase(at);
}

}  // namespace accounts
