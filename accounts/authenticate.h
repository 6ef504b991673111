// Decides whether a login name and password are right, and what follows from it: locks, access restrictions,
// a ticket for the mailbox. The octets come from any client on the Internet. Answers are the same, and take
// the same time, whether or not the account exists. scrypt runs in a bounded number of threads behind a
// bounded waiting list; who was right a short while ago is answered from a cache, without waiting, and an
// application password (accounts/app_passwords.h) from the database. Where the account says so, saslauthd is
// asked instead, in threads of its own, so that a slow one holds up nobody else; those answers take what time
// they take. Callers: pipes (smtpd and pop3d ask), web_server, command_server (the Postmaster's password).
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/administration.h"
#include "accounts/app_passwords.h"
#include "accounts/login_cache.h"
#include "accounts/password.h"
#include "accounts/sign_ins.h"
#include "accounts/slow_down.h"
#include "accounts/threads.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/messages.h"

namespace accounts {

class Authenticator {
 public:
  using Request = po::messages::Authenticate;
  struct Verdict : po::messages::Verdict {
    /// Granted only: credentials_of() (accounts/web_rights.h) what the password was held against.
    std::string credentials;
  };
  /// Called once, perhaps before authenticate() returns.
  using Done = std::function<void(const Verdict&)>;
  /// A connection to saslauthd, or why there is none; called once.
  using Connected = std::function<void(po::Result<po::Fd>)>;
  using Connect = std::function<void(Connected)>;

  /// `writer`: the thread that changes the databases.
  Authenticator(const po::Loop& loop, Administration& administration, Threads& writer, po::Log& log,
                const po::messages::Key& ticket_key);

  void authenticate(Service service, Request request, Done done);
  /// The same for an account that the caller names; `request.login` is for the log.
  void authenticate_account(std::uint64_t account, Service service, Request request, Done done);
  /// How saslauthd is reached; until then it is not.
  void reach_saslauthd(Connect connect) { connect_ = std::move(connect); }
  [[nodiscard]] SignIns& sign_ins() { return sign_ins_; }
  /// Of Verdict::credentials.
  [[nodiscard]] const po::messages::Key& credentials_key() const { return credentials_key_; }

  [[nodiscard]] std::uint64_t granted() const { return granted_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

  /// Tries that wait for a thread. Known addresses have a list of their own, so that guessers cannot fill
  /// theirs.
  static constexpr std::size_t kMostWaiting = 1024;
  static constexpr std::size_t kMostWaitingPerAddress = 256;
  static constexpr std::chrono::seconds kLongestWait{30};
  static constexpr std::size_t kMostSystemChecks = 8;  ///< questions to saslauthd at once

 private:
  struct Try {
    Service service = Service::kSubmission;
    Request request;
    Done done;
    std::chrono::steady_clock::time_point since;
    std::optional<std::uint64_t> named;  ///< authenticate_account
    std::optional<directory::Account> account;
    std::string stored;                      ///< hash; empty: none
    std::string cache_name;                  ///< if there is a hash
    std::vector<AppPassword> app_passwords;  ///< of the account, if what was given can be one and may be
    SlowDown::Who who;
    bool known_today = false;  ///< no need to write the address down again
  };
  using TryPtr = std::shared_ptr<Try>;

  void begin(TryPtr t);
  bool load(Try& t);
  void load_known(Try& t, std::int64_t now);
  bool load_secrets(Try& t);
  bool decide_now(Try& t);
  bool is_app_password(Try& t);
  void enqueue(TryPtr t);
  void start_checks();
  void start_check(TryPtr t);
  void finish_check(const TryPtr& t, const password::Checked& checked);
  void wrong_password(Try& t);
  void start_system_checks();
  void start_system_check(TryPtr t);
  void finish_system_check(Try& t, const po::Result<bool>& right);
  std::deque<TryPtr>& list_of(const Try& t);
  bool still_good(const TryPtr& t);
  /// `by`: for the owner's list of sign-ins; `how`: for the log.
  void right_password(Try& t, std::string_view how, std::string_view by = "password");
  void note(const Try& t, std::string by);
  Verdict judge(const Try& t) const;
  void grant(Try& t, Verdict& verdict);
  void remember_address(const Try& t);
  void replace_hash(const TryPtr& t, std::string replacement);
  void fail(Try& t, po::messages::Answer answer, std::string_view reason, std::uint32_t retry_after = 0);
  SlowDown::Limits limits() const;

  Administration& administration_;
  Threads& writer_;
  po::Log& log_;
  po::messages::Key ticket_key_;
  po::messages::Key credentials_key_;  ///< of this start
  LoginCache cache_;
  SlowDown slow_down_;
  std::shared_ptr<const directory::Settings> settings_;
  SignIns sign_ins_;
  Connect connect_;
  std::deque<TryPtr> waiting_known_, waiting_other_, waiting_system_;
  std::size_t running_ = 0, system_running_ = 0;
  std::uint64_t granted_ = 0, failures_ = 0;
  Threads checks_, system_checks_;  ///< last: joined before the rest goes
};

}  // namespace accounts
