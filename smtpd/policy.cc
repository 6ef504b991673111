#include "smtpd/policy.h"

#include <algorithm>

#include "lib/text.h"

namespace smtpd {

using directory::Resolution;
using directory::Settings;
using directory::Target;
using directory::Verdict;

bool RelayNetworks::needs_name(const po::messages::NetAddress& client) const {
  return po::needs_name(rules_, client);
}

bool RelayNetworks::allows(const po::messages::NetAddress& client, std::string_view confirmed_name) const {
  return po::any_match(rules_, client, confirmed_name);
}

bool QueueStartPermissions::needs_name(std::string_view domain,
                                       const po::messages::NetAddress& client) const {
  return po::needs_name(directory::who_may_start(lines_, domain), client);
}

bool QueueStartPermissions::allows(std::string_view domain, const po::messages::NetAddress& client,
                                   std::string_view confirmed_name) const {
  return po::any_match(directory::who_may_start(lines_, domain), client, confirmed_name);
}

std::optional<Refusal> refuse_recipient(const Resolution& resolution, const po::Mailbox& recipient,
                                        bool may_relay) {
  bool routed = recipient.local.find_first_of("%!@") != std::string::npos;
  switch (resolution.verdict) {
    case Verdict::kLocal:
      return std::nullopt;
    case Verdict::kRelayDomain:
      if (!routed) return std::nullopt;
      break;
    case Verdict::kUnknown:
      return replies::kUnknownUser;
    case Verdict::kLoop:
      return Refusal(550, "5.4.6", resolution.why);
    case Verdict::kRemote:
      break;
  }
  if (may_relay) return std::nullopt;
  return replies::kRelayDenied;
}

const directory::Account* mailbox_of(const Resolution& resolution) {
  if (!resolution.account) return nullptr;
  auto own = [&](const Target& t) {
    return t.kind == Target::Kind::kMailbox && t.account == resolution.account->id;
  };
  bool keeps = std::any_of(resolution.targets.begin(), resolution.targets.end(), own);
  return keeps ? &*resolution.account : nullptr;
}

std::uint64_t quota_of(const directory::Account& account, const Settings& settings) {
  if (account.id == directory::kPostmaster) return 0;
  return account.mailbox_limit != 0 ? account.mailbox_limit : settings.default_mailbox_limit;
}

bool over_quota(std::uint64_t quota, std::uint64_t used, std::uint64_t coming) {
  if (quota == 0) return false;
  return used >= quota || coming > quota - used;
}

static bool passed(std::uint32_t count, std::uint32_t limit) {
  return limit != 0 && count >= limit;
}

std::optional<Reply> Conduct::verdict(const Settings& settings) const {
  if (passed(errors_, settings.smtp_error_limit)) return replies::kTooManyErrors;
  if (passed(unknown_, settings.smtp_unknown_limit)) return replies::kTooManyUnknown;
  if (settings.smtp_idle_commands != 0 && idle_ > settings.smtp_idle_commands) return replies::kTooManyIdle;
  return std::nullopt;
}

void Patience::note(Moment now, Phase phase, std::uint64_t commands, std::uint64_t octets,
                    std::uint64_t messages) {
  bool moved = phase != phase_ || commands != commands_;
  if (phase == Phase::kMessage && octets - octets_ >= kProgress) moved = true;
  if (messages != messages_) last_message_ = now;
  messages_ = messages;
  if (!moved) return;
  mark_ = now;
  phase_ = phase;
  commands_ = commands;
  octets_ = octets;
}

bool Patience::over(Moment now, const Settings& settings) const {
  if (phase_ == Phase::kOurs) return false;
  auto limit = phase_ == Phase::kCommand ? settings.smtp_command_seconds : settings.smtp_data_seconds;
  if (limit != 0 && now - mark_ >= std::chrono::seconds(limit)) return true;
  // A message that is coming in well may outlast the session limit; it has its own.
  return phase_ == Phase::kCommand && settings.smtp_session_seconds != 0 &&
         now - last_message_ >= std::chrono::seconds(settings.smtp_session_seconds);
}

}  // namespace smtpd
