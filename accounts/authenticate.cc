#include "accounts/authenticate.h"

#include <algorithm>

#include "accounts/account_form.h"
#include "accounts/random.h"
#include "accounts/saslauthd.h"
#include "accounts/unix_time.h"
#include "accounts/web_rights.h"
#include "lib/address.h"
#include "lib/net_address.h"
#include "lib/text.h"
#include "lib/ticket.h"

namespace accounts {

using po::messages::Answer;
using std::chrono::steady_clock;

namespace {

/// As many as the form System Security allows; Password-Checks-at-Once says how many of them work.
constexpr std::size_t kMostThreads = 64;

/// Of a login name, to remember failures by: longer than any account's, and bounded, for a hundred thousand
/// are kept.
constexpr std::size_t kLongestName = 320;

}  // namespace

Authenticator::Authenticator(const po::Loop& loop, Administration& administration, Threads& writer,
                             po::Log& log, const po::messages::Key& ticket_key)
    : administration_(administration),
      writer_(writer),
      log_(log),
      ticket_key_(ticket_key),
      credentials_key_(random_key()),
      cache_(random_key()),
      settings_(std::make_shared<const directory::Settings>()),
      sign_ins_(loop, administration.secrets(), writer),
      checks_(loop, kMostThreads),
      system_checks_(loop, kMostSystemChecks) {}

void Authenticator::authenticate(Service service, Request request, Done done) {
  auto t = std::make_shared<Try>();
  t->service = service;
  t->request = std::move(request);
  t->done = std::move(done);
  begin(std::move(t));
}

void Authenticator::authenticate_account(std::uint64_t account, Service service, Request request, Done done) {
  auto t = std::make_shared<Try>();
  t->service = service;
  t->request = std::move(request);
  t->done = std::move(done);
  t->named = account;
  begin(std::move(t));
}

void Authenticator::begin(TryPtr t) {
  t->since = steady_clock::now();
  if (!load(*t)) return fail(*t, Answer::kUnavailable, "directory");
  if (!decide_now(*t)) enqueue(std::move(t));
}

/// Reads everything about the account as it is now. False if the databases could not be read.
bool Authenticator::load(Try& t) {
  auto settings = administration_.directory().settings();
  if (!settings) return false;
  settings_ = *settings;
  std::string address;
  if (auto mailbox = po::parse_mailbox(t.request.login, {.utf8 = true, .need_domain = false})) {
    if (mailbox->domain.empty()) mailbox->domain = administration_.completion_domain();
    address = mailbox->canonical();
  }
  auto found = t.named ? administration_.directory().account(*t.named)
                       : administration_.directory().find(t.request.login, address);
  if (!found) return false;
  t.account = std::move(*found);
  t.stored.clear();
  t.cache_name.clear();
  t.app_passwords.clear();
  t.who = {po::limit_key(t.request.client),
           "name " + po::ascii_lower(t.request.login.substr(0, kLongestName)), false};
  if (!t.account) return true;
  t.who.account = std::to_string(t.account->id);
  load_known(t, unix_seconds());
  return load_secrets(t);
}

/// Of an account with the system's password no hash of our own counts.
bool Authenticator::load_secrets(Try& t) {
  const Secrets& secrets = administration_.secrets();
  bool may_be_app = t.service == Service::kPop3 || t.service == Service::kSubmission;
  if (may_be_app && app_password_core(t.request.password)) {
    auto all = secrets.app_passwords(t.account->id);
    if (!all) return false;
    t.app_passwords = std::move(*all);
  }
  if (t.account->system_password) return true;
  auto stored = secrets.password(t.account->id);
  if (!stored) return false;
  t.stored = std::move(*stored);
  if (!t.stored.empty())
    t.cache_name = cache_.name(t.account->id, t.account->revision, t.stored, t.request.password);
  return true;
}

void Authenticator::load_known(Try& t, std::int64_t now) {
  constexpr std::int64_t kDay = 24 * 3600;
  std::int64_t last = administration_.secrets().known(t.account->id, t.who.address, now).value_or(0);
  t.who.known = last != 0;
  t.known_today = last != 0 && now - last < kDay;
}

SlowDown::Limits Authenticator::limits() const {
  return {settings_->failures_per_address, settings_->failures_per_account,
          std::chrono::seconds(settings_->failure_delay_max)};
}

/// The slow-down comes before the cache: a guess that happens to be in it must not be told for nothing.
bool Authenticator::decide_now(Try& t) {
  auto now = steady_clock::now();
  if (auto wait = slow_down_.wait(t.who, limits(), now); wait.count() > 0) {
    fail(t, Answer::kTooMany, "slowed-down", static_cast<std::uint32_t>(wait.count()));
    return true;
  }
  if (is_app_password(t)) return true;
  if (t.cache_name.empty() || !cache_.hit(t.cache_name, now)) return false;
  right_password(t, "cache");
  return true;
}

/// Not by the cache: one that was revoked is no good at once.
bool Authenticator::is_app_password(Try& t) {
  const AppPassword* found = find_app_password(t.app_passwords, t.request.password);
  if (!found) return false;
  slow_down_.succeeded(t.who);
  sign_ins_.used(t.account->id, found->id, unix_seconds(), t.who.address);
  right_password(t, "app-password", found->name);
  return true;
}

std::deque<Authenticator::TryPtr>& Authenticator::list_of(const Try& t) {
  if (t.account && t.account->system_password) return waiting_system_;
  return t.who.known ? waiting_known_ : waiting_other_;
}

void Authenticator::enqueue(TryPtr t) {
  auto& list = list_of(*t);
  auto same_address = [&](const TryPtr& other) { return other->who.address == t->who.address; };
  bool full = list.size() >= kMostWaiting;
  if (!full && !t->who.known)
    full = static_cast<std::size_t>(std::count_if(list.begin(), list.end(), same_address)) >=
           kMostWaitingPerAddress;
  if (full) return fail(*t, Answer::kUnavailable, "busy");
  list.push_back(std::move(t));
  start_checks();
  start_system_checks();
}

/// Asked again just before the work: tries that came in parallel must not get around the slow-down. False if
/// it is answered, or waits in another list: an account may have changed meanwhile.
bool Authenticator::still_good(const TryPtr& t) {
  bool system = t->account && t->account->system_password;
  if (steady_clock::now() - t->since > kLongestWait) {
    fail(*t, Answer::kUnavailable, "waited-too-long");
  } else if (!load(*t)) {
    fail(*t, Answer::kUnavailable, "directory");
  } else if (!decide_now(*t)) {
    if (system == (t->account && t->account->system_password)) return true;
    enqueue(t);
  }
  return false;
}

void Authenticator::start_checks() {
  while (running_ < std::min<std::size_t>(settings_->password_checks, kMostThreads)) {
    auto& list = waiting_known_.empty() ? waiting_other_ : waiting_known_;
    if (list.empty()) return;
    TryPtr t = std::move(list.front());
    list.pop_front();
    if (still_good(t)) start_check(std::move(t));
  }
}

void Authenticator::start_check(TryPtr t) {
  ++running_;
  auto checked = std::make_shared<password::Checked>();
  checks_.run([t, checked] { *checked = password::check(t->stored, t->request.password); },
              [this, t, checked] {
                --running_;
                finish_check(t, *checked);
                start_checks();
              });
}

void Authenticator::finish_check(const TryPtr& t, const password::Checked& checked) {
  if (!checked.right) return wrong_password(*t);
  slow_down_.succeeded(t->who);
  if (!checked.replacement.empty()) return replace_hash(t, checked.replacement);
  cache_.put(t->cache_name, steady_clock::now());
  right_password(*t, "password");
}

void Authenticator::wrong_password(Try& t) {
  slow_down_.failed(t.who, limits(), steady_clock::now());
  bool none = t.account && !t.account->system_password && t.stored.empty();
  fail(t, Answer::kDenied, !t.account ? "unknown-account" : none ? "no-password-set" : "password");
}

// ---- the system's passwords

void Authenticator::start_system_checks() {
  while (system_running_ < kMostSystemChecks && !waiting_system_.empty()) {
    TryPtr t = std::move(waiting_system_.front());
    waiting_system_.pop_front();
    if (still_good(t)) start_system_check(std::move(t));
  }
}

void Authenticator::start_system_check(TryPtr t) {
  const directory::Account& account = *t->account;
  const std::string& user = account.system_user.empty() ? account.pop_login : account.system_user;
  auto question = saslauthd::question(user, t->request.password);
  if (!question) return wrong_password(*t);
  if (!connect_) return finish_system_check(*t, po::temporary("no saslauthd is configured"));
  ++system_running_;
  connect_([this, t, question = std::move(*question)](po::Result<po::Fd> connection) {
    auto right = std::make_shared<po::Result<bool>>(false);
    auto socket = std::make_shared<po::Result<po::Fd>>(std::move(connection));
    system_checks_.run(
        [right, socket, question] {
          *right = *socket ? saslauthd::ask(**socket, question) : tl::make_unexpected(socket->error());
        },
        [this, t, right] {
          --system_running_;
          finish_system_check(*t, *right);
          start_system_checks();
        });
  });
}

/// A saslauthd that cannot be asked is nobody's wrong password.
void Authenticator::finish_system_check(Try& t, const po::Result<bool>& right) {
  if (!right) {
    log_.event("saslauthd-failed").kv("session", t.request.session).kv("error", right.error().text);
    return fail(t, Answer::kUnavailable, "saslauthd");
  }
  if (!*right) return wrong_password(t);
  slow_down_.succeeded(t.who);
  right_password(t, "saslauthd", "system password");
}

// ---- what follows from it

/// Everything below is told to those only who gave the right password.
void Authenticator::right_password(Try& t, std::string_view how, std::string_view by) {
  Verdict verdict = judge(t);
  switch (verdict.answer) {
    case Answer::kGranted:
      break;
    case Answer::kNeedName:
      t.done(verdict);  // not an end: the same question comes again, with the name
      return;
    case Answer::kLocked:
      return fail(t, verdict.answer, "locked");
    case Answer::kNoMailbox:
      return fail(t, verdict.answer, "no-mailbox");
    default:
      return fail(t, verdict.answer, "access-restriction");
  }
  grant(t, verdict);
  ++granted_;
  note(t, std::string(by));
  log_.event("auth-ok")
      .kv("session", t.request.session)
      .kv("account", t.account->id)
      .kv("login", t.request.login)
      .kv("client", po::address_text(t.request.client))
      .kv("by", how);
  t.done(verdict);
}

Authenticator::Verdict Authenticator::judge(const Try& t) const {
  Verdict verdict;
  const directory::Account& a = *t.account;
  verdict.answer = Answer::kLocked;
  if (a.locked) return verdict;
  Admission admitted = admission(a.access, t.request.client, t.request.client_name, t.request.name_looked_up);
  if (admitted != Admission::kYes) {
    verdict.answer = admitted == Admission::kNeedsName ? Answer::kNeedName : Answer::kNotFrom;
    return verdict;
  }
  verdict.answer = t.request.mailbox && !has_mailbox(a) ? Answer::kNoMailbox : Answer::kGranted;
  return verdict;
}

void Authenticator::grant(Try& t, Verdict& verdict) {
  verdict.account = t.account->id;
  verdict.address = primary_address(*t.account);
  verdict.credentials = credentials_of(credentials_key_, *t.account, t.stored);
  if (t.request.mailbox)
    verdict.ticket = po::seal_ticket(
        ticket_key_, {t.account->id, po::ticket_now_ms(), random_number(), t.request.session});
  if (!t.known_today) remember_address(t);
}

void Authenticator::remember_address(const Try& t) {
  writer_.run(
      [&secrets = administration_.secrets(), id = t.account->id, address = t.who.address] {
        auto change = secrets.begin();
        // Not written: then this address counts as new the next time, no harm done.
        if (change && change->set_known(id, address, unix_seconds())) (void)change->commit();
      },
      {});
}

/// A hash of another cost or of crypt(3) gives way to ours, unless the password was changed meanwhile. The
/// answer comes after that: a session on the web is bound to the hash that is kept now.
void Authenticator::replace_hash(const TryPtr& t, std::string replacement) {
  auto kept = std::make_shared<bool>(false);
  writer_.run(
      [&secrets = administration_.secrets(), id = t->account->id, old = t->stored, made = replacement, kept] {
        auto now = secrets.password(id);
        if (!now || *now != old) return;
        auto change = secrets.begin();
        *kept = change && change->set_password(id, made) && change->commit();
      },
      [this, t, replacement, kept] {
        if (*kept) t->stored = replacement;
        right_password(*t, "password");
      });
}

/// What stands in the list of sign-ins of somebody who may not know the log's words.
static std::string_view refusal_text(Answer answer) {
  switch (answer) {
    case Answer::kDenied:
      return "refused: wrong password";
    case Answer::kLocked:
      return "refused: locked";
    case Answer::kNotFrom:
      return "refused: not allowed from there";
    case Answer::kTooMany:
      return "refused: too many failures";
    case Answer::kNoMailbox:
      return "refused: no mailbox";
    default:
      return {};
  }
}

void Authenticator::note(const Try& t, std::string by) {
  sign_ins_.add(t.account->id, {unix_seconds(), t.service, t.who.address, std::move(by), 1});
}

void Authenticator::fail(Try& t, Answer answer, std::string_view reason, std::uint32_t retry_after) {
  ++failures_;
  if (std::string_view text = refusal_text(answer); t.account && !text.empty()) note(t, std::string(text));
  log_.event("auth-failed")
      .kv("session", t.request.session)
      .kv("login", t.request.login)
      .kv("client", po::address_text(t.request.client))
      .kv("reason", reason);
  Verdict verdict;
  verdict.answer = answer;
  verdict.retry_after = retry_after;
  t.done(verdict);
}

}  // namespace accounts
