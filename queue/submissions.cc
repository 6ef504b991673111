#include "queue/submissions.h"

#include "lib/header.h"
#include "lib/net_address.h"

namespace queue {

using po::Kind;
using po::MessageId;
using namespace po::messages;

static constexpr const char* kNoSpace = "insufficient system storage";

static Kind kind_of(const store::Failure& f) {
  return f.status == store::Status::kRefused ? Kind::kPermanent : Kind::kTemporary;
}

static std::size_t octets_of(const Submit& s) {
  std::size_t n = s.body.size() + s.sender.size() + 512;
  for (const Recipient& r : s.recipients) n += 256 + 2 * r.address.size() + r.orcpt.size() + s.sender.size();
  return n;
}

void Submissions::refuse(bool in_file, const Reply& reply, const Submitted& why) {
  ++office_.refused;
  if (in_file) office_.bodies.drop(why.id);
  reply(why);
}

void Submissions::submit(Submit&& submit, OpenBodies& open, Reply reply) {
  // A file belongs to the pipe that asked for it; nothing is dropped where another's is named.
  if (submit.in_file && open.erase(submit.id) == 0) {
    ++office_.refused;
    return reply({submit.id, Kind::kPermanent, false, false, "there is no body with this id"});
  }
  if (work_.contains(submit.id)) {
    ++office_.refused;
    return reply({submit.id, Kind::kTemporary, false, false, "this message is being stored"});
  }
  if (!office_.has_space())
    return refuse(submit.in_file, reply, {submit.id, Kind::kTemporary, true, false, kNoSpace});
  Work work;
  work.octets = octets_of(submit);
  work.in_file = submit.in_file;
  work.since = std::chrono::steady_clock::now();
  work.sender = submit.sender;
  work.session = submit.session;
  work.size = submit.size;
  work.recipients = submit.recipients.size();
  if (!submit.recipients.empty()) work.first = submit.recipients[0].address;
  const MessageId id = submit.id;
  auto accept = make_accept(std::move(submit), office_.parts.routing, now_ms());
  if (!accept) {
    return refuse(work.in_file, reply,
                  {id, accept.error().kind, false, false, std::move(accept.error().text)});
  }
  if (auto why = brake(accept->change)) {
    return refuse(work.in_file, reply, {id, Kind::kTemporary, false, true, std::move(*why)});
  }
  work.elsewhere = accept->change.waiting;
  work.reached = std::move(accept->reached);
  work.reply = std::move(reply);
  office_.begin_change(work.octets);
  bool in_file = work.in_file;
  work_.emplace(accept->change.id, std::move(work));
  if (in_file) {
    keep_body(std::move(accept->change));
  } else {
    write(std::move(accept->change));
  }
}

/// Held ones count too: they may be released.
std::optional<std::string> Submissions::brake(const store::Accept& accept) {
  auto sender = braked_sender(accept.envelope);
  if (!sender || accept.waiting.empty()) return {};
  auto recipients = static_cast<std::uint32_t>(accept.waiting.size());
  BrakeVerdict verdict = brake_.ask(*sender, recipients,
                                    brake_limits(sender->kind, *office_.parts.settings()), accept.arrival_ms);
  if (verdict.allowed) return {};
  std::string why = brake_text(verdict);
  office_.parts.log.event("braked")
      .kv("id", accept.id.text())
      .kv("from", accept.envelope.sender)
      .kv("who", sender_text(*sender))
      .kv("nrcpt", recipients)
      .kv("session", accept.envelope.session)
      .kv("why", why);
  if (verdict.tell) tell_postmaster(*sender, accept, verdict);
  return why;
}

void Submissions::tell_postmaster(const BrakedSender& sender, const store::Accept& accept,
                                  const BrakeVerdict& verdict) {
  BrakeNotice notice;
  notice.sender = sender;
  notice.envelope_sender = accept.envelope.sender;
  if (accept.envelope.client.family != 0) notice.client = po::address_text(accept.envelope.client);
  notice.verdict = verdict;
  if (sender.kind == BrakedSender::Kind::kAccount) {
    auto account = office_.parts.routing.account(sender.number);
    if (account && *account && !(*account)->addresses.empty()) notice.address = (*account)->addresses[0];
  }
  MessageId id = deliveries_.notices().next_id();
  std::string date = po::format_date(static_cast<std::int64_t>(accept.arrival_ms / 1000));
  deliveries_.settlements().write_notice(
      deliveries_.notices().to_postmaster(id, {brake_notice(notice, office_.parts.hostname, date, id)}),
      accept.id, "braked");
}

// First the body's octets and name are on the disk, then the transaction that speaks of it is begun.
void Submissions::keep_body(store::Accept accept) {
  MessageId id = accept.id;
  std::uint64_t size = accept.size, checksum = accept.checksum;
  auto shared = std::make_shared<store::Accept>(std::move(accept));
  office_.bodies.keep(id, size, checksum, [this, shared](const store::Result<void>& kept) {
    if (kept) return write(std::move(*shared));
    finish(shared->id, tl::unexpected(kept.error()));
  });
}

void Submissions::write(store::Accept accept) {
  MessageId id = accept.id;
  office_.writer.add(std::move(accept),
                     [this, id](const store::Result<std::uint64_t>& result) { finish(id, result); });
}

// The reply leaves here, after the commit, whether or not the pipe still stands. Those who asked in the
// meantime hear what the store says, which by now is final.
void Submissions::finish(const MessageId& id, const store::Result<std::uint64_t>& result) {
  if (!result && office_.lost(result.error())) return;
  auto node = work_.extract(id);
  if (node.empty()) return;
  Work& work = node.mapped();
  office_.end_change(work.octets);
  if (result) {
    log_stored(id, work);
    ++office_.stored;
    office_.note_space(true, "a message was stored");
  } else {
    ++office_.refused;
    if (work.in_file) office_.bodies.drop(id);
  }
  work.reply(answer(id, result));
  for (const StoredReply& reply : work.waiting) reply(look(id));
  // 1: it was not there before. Of what was, all this has been done.
  if (result && *result == 1) deliveries_.accepted(id, work.sender, work.elsewhere, work.reached);
}

Submitted Submissions::answer(const MessageId& id, const store::Result<std::uint64_t>& result) {
  if (result) return {id, Kind::kDone, false, false, {}};
  const store::Failure& f = result.error();
  if (f.no_space) office_.note_space(false, f.text);
  return {id, kind_of(f), f.no_space, false, f.no_space ? kNoSpace : f.text};
}

void Submissions::log_stored(const MessageId& id, const Work& work) {
  auto took = std::chrono::steady_clock::now() - work.since;
  office_.parts.log.event("stored")
      .kv("id", id.text())
      .kv("from", work.sender)
      .kv("to", work.first)
      .kv("nrcpt", work.recipients)
      .kv("size", work.size)
      .kv("session", work.session)
      .kv("ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

BodyFile Submissions::open_body(const MessageId& id, OpenBodies& open, po::Fd& fd) {
  if (!office_.has_space()) return {id, Kind::kTemporary, true, kNoSpace};
  if (work_.contains(id)) return {id, Kind::kTemporary, false, "this message is being stored"};
  if (open.size() >= kMaxOpenBodies) return {id, Kind::kTemporary, false, "too many messages at once"};
  auto file = office_.parts.store.open_body(id);
  if (!file) {
    const store::Failure& f = file.error();
    (void)office_.lost(f);  // an answer that denies is still true: there is no file
    if (f.no_space) office_.note_space(false, f.text);
    return {id, kind_of(f), f.no_space, f.no_space ? kNoSpace : f.text};
  }
  open.insert(id);
  fd = std::move(*file);
  return {id, Kind::kDone, false, {}};
}

void Submissions::drop_body(const MessageId& id, OpenBodies& open) {
  if (open.erase(id) > 0) office_.bodies.drop(id);
}

void Submissions::drop_all(OpenBodies& open) {
  for (const MessageId& id : open) office_.bodies.drop(id);
  open.clear();
}

void Submissions::ask_stored(const MessageId& id, StoredReply reply) {
  auto found = work_.find(id);
  if (found == work_.end()) return reply(look(id));
  found->second.waiting.push_back(std::move(reply));
}

Stored Submissions::look(const MessageId& id) {
  auto stored = office_.parts.store.is_stored(id);
  if (!stored) (void)office_.lost(stored.error());  // "not known" promises nothing
  return {id, stored.has_value(), stored.value_or(false)};
}

}  // namespace queue
