#include "queue/notices.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "lib/checksum.h"
#include "queue/acceptance.h"
#include "queue/schedule.h"

namespace queue {

using directory::Target;
using po::MessageId;

po::Result<std::string> beginning_of(const store::Content& content, std::size_t most) {
  if (!content.file) return content.body.substr(0, most);
  std::string out(static_cast<std::size_t>(std::min<std::uint64_t>(content.body_size, most)), '\0');
  std::size_t have = 0;
  while (have < out.size()) {
    ssize_t n = ::pread(content.file.get(), out.data() + have, out.size() - have, static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return po::temporary("cannot read a body", errno);
    if (n == 0) break;  // an smtpd that was taken over has cut it short: what is there is told
    have += static_cast<std::size_t>(n);
  }
  out.resize(have);
  return out;
}

MessageId Notices::next_id() {
  return ids_.next(static_cast<std::int64_t>(now_ms()));
}

Style Notices::style() const {
  auto settings = office_.parts.settings();
  return {office_.parts.hostname, settings->bounce_full_size, settings->message_lifetime * kHourMs};
}

constexpr ForPostmaster kNoSender{"A message without a sender could not be delivered",
                                  "You are told as the Postmaster, because it has no sender who could be "
                                  "told: it may be a notice itself. Nothing has to be done, unless this "
                                  "comes often."};
constexpr ForPostmaster kSenderUnknown{"A message could not be delivered, and its sender cannot be told",
                                       "You are told as the Postmaster, because its sender's address leads "
                                       "nowhere. Nothing has to be done, unless this comes often."};
constexpr ForPostmaster kLoop{
    "Mail goes round in a loop",
    "You are told as the Postmaster, because it is for you to mend: the words below "
    "say whose MX records, which route or which local mail domain leads the mail "
    "back to this host. The sender has been told as well."};

/// Such a failure is this host's or its DNS's own, and comes back until somebody has mended it.
static bool is_loop(const Report& r) {
  return r.action == Action::kFailed && !r.remote && r.status == "5.4.6";
}

static bool has_held(const directory::Resolution& found) {
  return std::ranges::any_of(found.targets, [](const Target& t) { return t.kind == Target::Kind::kHeld; });
}

/// Who is told.
po::Result<Notices::Address> Notices::address(const store::Head& head) const {
  if (head.envelope.sender.empty()) return Address{{}, &kNoSender, {}};
  auto found = office_.parts.routing.resolve(head.envelope.sender, false);
  if (!found) return tl::unexpected(found.error());
  if (found->targets.empty() || has_held(*found)) return Address{{}, &kSenderUnknown, {}};
  return Address{head.envelope.sender, nullptr, std::move(*found)};
}

/// Yet for nobody.
static store::Accept notice_of(const MessageId& id, NoticeText text) {
  store::Accept a;
  a.id = id;
  a.arrival_ms = now_ms();
  a.envelope.smtputf8 = text.smtputf8;
  a.envelope.body_8bit = text.body_8bit;
  a.body = std::move(text.content);
  a.size = a.body.size();
  po::Checksum sum;
  sum.add(a.body);
  a.checksum = sum.value();
  return a;
}

static store::Delivery into_mailbox(std::uint64_t account, std::string_view address) {
  return {account, 0, {}, prefix_lines({}, address)};
}

store::Accept Notices::to_mailbox(const MessageId& id, NoticeText text, std::uint64_t account,
                                  std::string_view address) {
  store::Accept a = notice_of(id, std::move(text));
  a.deliveries.push_back(into_mailbox(account, address));
  return a;
}

store::Accept Notices::to_postmaster(const MessageId& id, NoticeText text) const {
  return to_mailbox(id, std::move(text), directory::kPostmaster, "postmaster@" + office_.parts.hostname);
}

po::Result<store::Accept> Notices::notice(const Original& original, std::span<const Report> reports,
                                          const Address& to) {
  MessageId id = next_id();
  NoticeText text = make_notice(original, reports, style(), id, now_ms(), to.postmaster);
  if (to.sender.empty()) return to_postmaster(id, std::move(text));
  return routed(id, std::move(text), to.sender, to.found);
}

po::Result<store::Accept> Notices::to_address(const MessageId& id, NoticeText text,
                                              const std::string& address) const {
  auto found = office_.parts.routing.resolve(address, false);
  if (!found) return tl::unexpected(found.error());
  if (has_held(*found)) return notice_of(id, std::move(text));
  return routed(id, std::move(text), address, *found);
}

po::Result<store::Accept> Notices::routed(const MessageId& id, NoticeText text, const std::string& address,
                                          const directory::Resolution& found) const {
  store::Accept a = notice_of(id, std::move(text));
  auto table = office_.parts.routing.table();
  if (!table) return tl::unexpected(table.error());
  for (const Target& target : found.targets) {
    if (target.kind == Target::Kind::kMailbox) {
      a.deliveries.push_back(into_mailbox(target.account, address));
      continue;
    }
    store::Waiting w;
    w.address = target.address;
    if (target.address != address) w.original = address;
    w.hop = hop_name(**table, target, {});
    w.lane = lane_of(a.envelope);
    w.next_ms = a.arrival_ms;
    a.waiting.push_back(std::move(w));
  }
  return a;
}

po::Result<std::vector<store::Accept>> Notices::make(const MessageId& id, const store::Head& head,
                                                     std::vector<Report> reports) {
  std::vector<store::Accept> out;
  if (reports.empty()) return out;
  auto to = address(head);
  if (!to) return tl::unexpected(to.error());
  auto content = office_.parts.store.body(id);
  if (!content && content.error().status == store::Status::kUnknown)
    return po::temporary(content.error().text);
  // A message that cannot be read any more can still be told of.
  po::Result<std::string> text;
  if (content) text = beginning_of(*content, kMostReturned + 1);
  Original original{id, head, text ? std::string_view(*text) : std::string_view()};
  std::ranges::stable_sort(reports, {}, &Report::action);
  for (std::span<const Report> left(reports); !left.empty();) {
    std::size_t n = 1, octets = octets_of(left[0]);
    while (n < left.size() && left[n].action == left[0].action &&
           (octets += octets_of(left[n])) <= kMostReported) {
      ++n;
    }
    auto one = left.first(n);
    left = left.subspan(n);
    // Without a sender only failures are anybody's business.
    if (to->sender.empty() && one[0].action != Action::kFailed) continue;
    auto accept = notice(original, one, *to);
    if (!accept) return tl::unexpected(accept.error());
    out.push_back(std::move(*accept));
    if (to->sender.empty() || std::ranges::none_of(one, is_loop)) continue;
    auto copy = notice(original, one, {{}, &kLoop, {}});
    if (!copy) return tl::unexpected(copy.error());
    out.push_back(std::move(*copy));
  }
  return out;
}

}  // namespace queue
