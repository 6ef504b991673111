// Who is logged in on the web. A session is named by a token of 32 random octets, which its browser keeps in
// a cookie and wwwd passes on with each question; here stands a keyed hash of it alone, so that what leaks of
// this memory opens no session. Each belongs to the address that logged in (lib/net_address.h limit_key),
// ends when nothing was asked for the idle time, and has a seal, random as well, that its own pages alone
// carry. All are forgotten when accounts ends. Pure: the clock is passed in; memory is bounded. The token is
// foreign text. Caller: web_server; what the account may do is looked at elsewhere (accounts/web_rights.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lib/messages.h"

namespace accounts {

struct WebSession {
  std::uint64_t id = 0;  ///< for the log; says nothing about the token
  std::uint64_t account = 0;
  po::messages::NetAddress client;  ///< that logged in
  std::string client_name;          ///< its confirmed name, if that was looked up
  std::string credentials;          ///< credentials_of() (accounts/web_rights.h) at that moment
  std::string seal;
};

/// The 32 octets of a token, which is 43 characters of base64url (RFC 4648 section 5) without padding.
/// Nothing if it is not that.
[[nodiscard]] std::optional<std::string> token_octets(std::string_view token);

class WebSessions {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// A session is over, and why: "idle", "too many", "locked". Must not change the sessions.
  using OnEnd = std::function<void(const WebSession&, std::string_view why)>;

  explicit WebSessions(OnEnd on_end = {});

  struct Opened {
    std::uint64_t id = 0;
    std::string token;
  };
  /// Fills in id and seal. The account's session that was used longest ago goes if it has
  /// kMostPerAccount, and the one of all at kMost.
  [[nodiscard]] Opened open(WebSession session, std::chrono::seconds idle, Time now);

  /// Null if there is none, its time is over, or it belongs to another address; then nothing is renewed.
  /// Valid until the next call.
  [[nodiscard]] const WebSession* use(std::string_view token, const po::messages::NetAddress& client,
                                      std::chrono::seconds idle, Time now);

  /// Its account has new credentials, set by this session itself.
  void keep(std::uint64_t id, std::string credentials);
  void end(std::uint64_t id, std::string_view why);
  /// Ends those whose time is over.
  void expire(std::chrono::seconds idle, Time now);
  [[nodiscard]] std::size_t size() const { return by_token_.size(); }

  static constexpr std::size_t kMostPerAccount = 20;
  static constexpr std::size_t kMost = 20'000;

 private:
  struct Entry {
    WebSession session;
    std::string hash;  ///< of the token
    Time used{};
  };
  using Entries = std::list<Entry>;
  void end(Entries::iterator at, std::string_view why);
  void make_room(std::uint64_t account);

  OnEnd on_end_;
  po::messages::Key key_;  ///< of the hashes, of this start
  Entries entries_;        ///< used last first
  std::unordered_map<std::string, Entries::iterator> by_token_;
  std::unordered_map<std::uint64_t, Entries::iterator> by_id_;
  std::uint64_t next_ = 1;
};

}  // namespace accounts
