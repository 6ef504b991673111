#include "queue/acceptance.h"

#include "lib/checksum.h"
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

std::string prefix_lines(std::string_view sender, std::string_view address) {
  std::string out;
  out.reserve(40 + sender.size() + address.size());
  out.append("Return-Path: <").append(sender).append(">\r\nDelivered-To: ").append(address).append("\r\n");
  return out;
}

/// Takes all but the recipients.
store::Accept without_deliveries(Submit& s, std::uint64_t now_ms) {
  store::Accept a;
  a.id = s.id;
  a.envelope = {std::move(s.sender),  s.ret,    std::move(s.envid), s.smtputf8, s.body_8bit,
                std::move(s.session), s.client, s.account,          s.local_uid};
  a.size = s.size;
  a.checksum = s.checksum;
  a.arrival_ms = now_ms;
  a.in_file = s.in_file;
  a.body = std::move(s.body);
  a.deliveries.reserve(s.recipients.size());
  return a;
}

}  // namespace

tl::expected<store::Accept, Refusal> make_accept(Submit&& submit, const Router& route, std::uint64_t now_ms) {
  if (std::string_view fault = fault_of(submit); !fault.empty()) {
    return refuse(Kind::kPermanent, std::string(fault));
  }
  store::Accept accept = without_deliveries(submit, now_ms);
  for (Recipient& r : submit.recipients) {
    auto routed = route(r.address);
    if (!routed) return refuse(Kind::kTemporary, "the directory cannot be read now");
    // smtpd asked the same at RCPT: since then somebody changed the account. The client asks again and hears
    // why.
    if (routed->route != directory::Route::kMailbox || !routed->account) {
      return refuse(Kind::kTemporary, "recipients have changed, send again");
    }
    accept.deliveries.push_back(
        {routed->account->id, r.notify, std::move(r.orcpt), prefix_lines(accept.envelope.sender, r.address)});
  }
  return accept;
}

}  // namespace queue
