#include "queue/acceptance.h"

#include <fmt/format.h>

#include <unordered_set>

#include "lib/checksum.h"
#include "lib/header.h"
#include "lib/text.h"

namespace queue {

using po::Kind;
using po::messages::Recipient;
using po::messages::Submit;

namespace {

// Bounds of what goes into rows. SMTP's own are tighter (RFC 5321 4.5.3.1, RFC 3461 4); smtpd keeps those.
constexpr std::size_t kMaxRecipients = 100'000;
constexpr std::size_t kMaxAddress = 512;
constexpr std::size_t kMaxOrcpt = 512;
constexpr std::size_t kMaxEnvid = 512;
constexpr std::size_t kMaxSession = 64;
constexpr std::uint8_t kAllNotify = 15;

tl::unexpected<Refusal> refuse(Kind kind, std::string text) {
  return tl::unexpected<Refusal>(Refusal{kind, std::move(text)});
}

/// A line end in an address would write header lines of its own into Return-Path and Delivered-To.
bool is_plain(std::string_view text, std::size_t max) {
  return text.size() <= max && !po::has_control(text);
}

bool recipient_ok(const Recipient& r) {
  return !r.address.empty() && is_plain(r.address, kMaxAddress) && is_plain(r.orcpt, kMaxOrcpt) &&
         r.notify <= kAllNotify;
}

/// What is wrong with the submission; empty: nothing.
std::string_view fault_of(const Submit& s) {
  if (s.id == po::MessageId{}) return "the message id is zero";
  if (s.recipients.empty()) return "the message has no recipient";
  if (s.recipients.size() > kMaxRecipients) return "the message has too many recipients";
  if (!is_plain(s.sender, kMaxAddress) || !is_plain(s.envid, kMaxEnvid) ||
      !is_plain(s.session, kMaxSession) || s.ret > 2) {
    return "the envelope is malformed";
  }
  for (const Recipient& r : s.recipients) {
    if (!recipient_ok(r)) return "a recipient is malformed";
  }
  if (s.in_file) return s.body.empty() ? "" : "the body is in two places";
  if (s.body.size() != s.size || s.size > po::messages::kSmallBody) return "the body has a wrong size";
  po::Checksum sum;
  sum.add(s.body);
  return sum.value() == s.checksum ? "" : "the body has a wrong checksum";
}

/// Takes all but the recipients.
store::Accept without_recipients(Submit& s, std::uint64_t now_ms) {
  store::Accept a;
  a.id = s.id;
  a.envelope = {std::move(s.sender),  s.ret,    std::move(s.envid), s.smtputf8, s.body_8bit,
                std::move(s.session), s.client, s.account,          s.local_uid};
  a.size = s.size;
  a.checksum = s.checksum;
  a.arrival_ms = now_ms;
  a.in_file = s.in_file;
  a.body = std::move(s.body);
  return a;
}

/// What the recipients of one submission become, one after the other.
class Recipients {
 public:
  Recipients(const Routing& routing, Acceptance& out) : routing_(routing), out_(out) {}

  tl::expected<void, Refusal> add(Recipient& r) {
    auto found = routing_.resolve(r.address, false);
    if (!found) return cannot_read();
    // smtpd asked the same at RCPT: since then somebody changed something. The client asks again and hears
    // why.
    if (found->targets.empty()) return refuse(Kind::kTemporary, "recipients have changed, send again");
    bool several = found->targets.size() > 1;
    bool local = found->targets[0].kind == directory::Target::Kind::kMailbox;
    if ((several || local) && (r.notify & po::messages::kNotifySuccess) != 0) {
      out_.reached.push_back({r.address, r.orcpt, several});
      if (several) r.notify = without_success(r.notify);
    }
    for (directory::Target& target : found->targets) {
      if (auto ok = add_target(r, target); !ok) return ok;
    }
    return {};
  }

 private:
  static tl::unexpected<Refusal> cannot_read() {
    return refuse(Kind::kTemporary, "the directory cannot be read now");
  }

  /// Those that an address was expanded to are not the sender's to hear of (RFC 3461 5.2.7).
  static std::uint8_t without_success(std::uint8_t notify) {
    notify &= static_cast<std::uint8_t>(~po::messages::kNotifySuccess);
    return notify == 0 ? std::uint8_t{po::messages::kNotifyNever} : notify;
  }

  tl::expected<void, Refusal> add_target(const Recipient& r, directory::Target& target) {
    if (target.kind == directory::Target::Kind::kMailbox) {
      out_.change.deliveries.push_back(
          {target.account, r.notify, r.orcpt, prefix_lines(out_.change.envelope.sender, r.address)});
      return {};
    }
    // A mail drop gets it once, whatever addresses led there.
    bool maildrop = target.kind == directory::Target::Kind::kMaildrop;
    std::string place = maildrop ? fmt::format("{} {}", kMaildropHop, target.account) : target.address;
    if (!seen_.insert(std::move(place)).second) return {};
    if (!table_) {
      auto table = routing_.table();
      if (!table) return cannot_read();
      table_ = std::move(*table);
      lane_ = lane_of(out_.change.envelope);
    }
    store::Waiting w;
    w.held = target.kind == directory::Target::Kind::kHeld;
    w.hop = hop_name(*table_, target, out_.change.envelope.sender);
    w.lane = lane_;
    w.next_ms = out_.change.arrival_ms;
    w.notify = r.notify;
    w.orcpt = r.orcpt;
    if (target.address != r.address) w.original = r.address;
    w.address = std::move(target.address);
    out_.change.waiting.push_back(std::move(w));
    return {};
  }

  const Routing& routing_;
  Acceptance& out_;
  std::shared_ptr<const directory::RoutingTable> table_;
  std::uint8_t lane_ = 0;
  std::unordered_set<std::string> seen_;  ///< addresses elsewhere: two aliases may lead to one
};

}  // namespace

std::string prefix_lines(std::string_view sender, std::string_view address) {
  std::string out;
  out.reserve(40 + sender.size() + address.size());
  out.append("Return-Path: <").append(sender).append(">\r\nDelivered-To: ").append(address).append("\r\n");
  return out;
}

bool has_looped(std::string_view content) {
  po::HeaderScanner scanner;
  scanner.feed(content);
  return scanner.count(po::HeaderScanner::Field::kReceived) > kMostHops;
}

tl::expected<Acceptance, Refusal> make_accept(Submit&& submit, const Routing& routing, std::uint64_t now_ms) {
  if (std::string_view fault = fault_of(submit); !fault.empty()) {
    return refuse(Kind::kPermanent, std::string(fault));
  }
  Acceptance out;
  out.change = without_recipients(submit, now_ms);
  Recipients recipients(routing, out);
  for (Recipient& r : submit.recipients) {
    if (auto ok = recipients.add(r); !ok) return tl::unexpected(std::move(ok.error()));
  }
  if (!out.change.waiting.empty() && has_looped(out.change.body)) {
    return refuse(Kind::kPermanent, std::string(kLoopText));
  }
  return out;
}

}  // namespace queue
