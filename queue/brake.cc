#include "queue/brake.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "lib/net_address.h"
#include "lib/text.h"

namespace queue {

using Kind = BrakedSender::Kind;

static constexpr std::uint64_t kPartOfHour = 5 * 60'000, kPartOfDay = 3'600'000, kDay = 86'400'000;
static constexpr std::uint32_t kNobody = 0xffffffff;

// ---- who

static std::uint64_t first_64_bits(const po::messages::NetAddress& address) {
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < 8; ++i) n = n << 8 | address.octets[i];
  return n;
}

std::optional<BrakedSender> braked_sender(const store::Envelope& e) {
  if (e.account != 0) return BrakedSender{Kind::kAccount, e.account, 0};
  if (e.local_uid != kNobody) return BrakedSender{Kind::kUser, e.local_uid, 0};
  if (e.client.family == 0) return {};
  return BrakedSender{Kind::kNetwork, first_64_bits(e.client), e.client.family};
}

std::string sender_text(const BrakedSender& sender) {
  if (sender.kind == Kind::kAccount) return fmt::format("account {}", sender.number);
  if (sender.kind == Kind::kUser) return fmt::format("local user {}", sender.number);
  po::messages::NetAddress address;
  address.family = sender.family;
  for (std::size_t i = 0; i < 8; ++i) {
    address.octets[i] = static_cast<std::uint8_t>(sender.number >> (8 * (7 - i)));
  }
  bool v6 = sender.family == 6;
  return fmt::format("{} {}{}", v6 ? "network" : "client", po::address_text(address), v6 ? "/64" : "");
}

BrakeLimits brake_limits(Kind kind, const directory::Settings& s) {
  if (kind == Kind::kAccount) return {s.account_per_hour, s.account_per_day};
  if (kind == Kind::kUser) return {s.user_per_hour, s.user_per_day};
  return {s.network_per_hour, s.network_per_day};
}

// ---- windows

template <std::size_t N>
void Brake::Window<N>::slide_to(std::uint64_t part) {
  if (part <= newest) return;  // a clock that was set back counts on in the newest part
  std::uint64_t steps = std::min<std::uint64_t>(part - newest, N);
  for (std::uint64_t i = 0; i < steps; ++i) parts[(part - i) % N] = 0;
  newest = part;
}

template <std::size_t N>
std::uint64_t Brake::Window<N>::sum() const {
  return std::accumulate(parts.begin(), parts.end(), std::uint64_t{0});
}

Brake::Counts& Brake::counts_of(const BrakedSender& sender) {
  auto at = counts_.find(sender);
  if (at == counts_.end()) {
    if (counts_.size() >= kMostSenders) {
      counts_.erase(by_age_.front());
      by_age_.pop_front();
    }
    at = counts_.emplace(sender, Counts{}).first;
    at->second.age = by_age_.insert(by_age_.end(), sender);
  }
  by_age_.splice(by_age_.end(), by_age_, at->second.age);
  return at->second;
}

BrakeVerdict Brake::ask(const BrakedSender& sender, std::uint32_t recipients, const BrakeLimits& limits,
                        std::uint64_t now_ms) {
  BrakeVerdict verdict;
  if (recipients == 0 || (limits.per_hour == 0 && limits.per_day == 0)) return verdict;
  Counts& counts = counts_of(sender);
  counts.hour.slide_to(now_ms / kPartOfHour);
  counts.day.slide_to(now_ms / kPartOfDay);
  verdict.in_hour = counts.hour.sum();
  verdict.in_day = counts.day.sum();
  bool over_hour = limits.per_hour != 0 && verdict.in_hour + recipients > limits.per_hour;
  bool over_day = limits.per_day != 0 && verdict.in_day + recipients > limits.per_day;
  if (!over_hour && !over_day) {
    counts.hour.add(recipients);
    counts.day.add(recipients);
    return verdict;
  }
  verdict.allowed = false;
  verdict.hourly = !over_day;  // who is over both has to wait for the day
  verdict.recipients = recipients;
  verdict.limit = over_day ? limits.per_day : limits.per_hour;
  std::uint64_t today = now_ms / kDay + 1;
  verdict.tell = counts.told_day != today;
  counts.told_day = today;
  return verdict;
}

// ---- what is said

std::string brake_text(const BrakeVerdict& v) {
  if (v.recipients > v.limit) {
    return fmt::format("too many recipients elsewhere in one message: at most {} within {}; send it in parts",
                       v.limit, v.hourly ? "an hour" : "a day");
  }
  return fmt::format("too many recipients: at most {} within {}, {} were taken; try later", v.limit,
                     v.hourly ? "an hour" : "a day", v.hourly ? v.in_hour : v.in_day);
}

static std::string_view counted_name(Kind kind) {
  static constexpr std::string_view kFields[] = {"Account", "UNIX-User", "Network"};
  return kFields[static_cast<std::size_t>(kind)];
}

static std::string_view advice(Kind kind) {
  if (kind == Kind::kAccount) {
    return "If its owner did not send this, somebody has the password: change it with\r\n"
           "post.office account passwd, or lock the account with post.office account lock.\r\n";
  }
  if (kind == Kind::kUser) {
    return "If a program of that user sends more than it should, stop it; if the user's web site or\r\n"
           "password was taken over, that is the place to look at.\r\n";
  }
  return "If the machine at that address was taken over, take it out of Relay-Networks\r\n"
         "(form System Security) or cut it off.\r\n";
}

std::string brake_notice(const BrakeNotice& n, std::string_view hostname, std::string_view date,
                         const po::MessageId& id) {
  std::string who = sender_text(n.sender);
  if (!n.address.empty()) who += fmt::format(" <{}>", po::for_display(n.address, 256));
  const BrakeVerdict& v = n.verdict;
  std::string out = fmt::format(
      "From: Mail system <MAILER-DAEMON@{0}>\r\nTo: Postmaster <postmaster@{0}>\r\n"
      "Subject: Too many recipients from {1}\r\nDate: {2}\r\nMessage-ID: <{3}@{0}>\r\n"
      "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
      "charset=us-ascii\r\n\r\n",
      hostname, who, date, id.text());
  out += fmt::format(
      "{} has sent mail to {} recipients elsewhere within the last hour and {} within\r\n"
      "the last day. A message to {} more was refused for now, because at most {} are\r\n"
      "allowed within {}. The client was told to try later; what was taken before is still\r\n"
      "being delivered.\r\n\r\n",
      who, v.in_hour, v.in_day, v.recipients, v.limit, v.hourly ? "an hour" : "a day");
  out += fmt::format("The sender that the message named: <{}>\r\n", po::for_display(n.envelope_sender, 256));
  if (!n.client.empty()) out += fmt::format("The client it came from: {}\r\n", po::for_display(n.client));
  out += "\r\n";
  out += advice(n.sender.kind);
  out += fmt::format(
      "\r\nWhat waits can be seen with post.office queue list, stopped with post.office queue\r\n"
      "hold --sender ADDRESS, and thrown away with post.office queue remove --discard\r\n"
      "--sender ADDRESS.\r\n"
      "If the mail is wanted, raise Recipients-per-{}-per-{} in form Mail Queue.\r\n"
      "There is no further message about this sender today.\r\n",
      v.hourly ? "Hour" : "Day", counted_name(n.sender.kind));
  return out;
}

}  // namespace queue
