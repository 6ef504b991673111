#include "queue/queue_show.h"

#include <fmt/format.h>
#include <unistd.h>

#include "lib/net_address.h"
#include "lib/text.h"
#include "queue/queue_text.h"

namespace queue {

using po::messages::CommandOutput;
using Step = po::CommandTask::Step;

static constexpr std::size_t kRows = 128;
static constexpr std::size_t kBodyPiece = 64 * 1024;

QueueShow::QueueShow(const store::Store& store, const DeliveryControl& control, const po::MessageId& id,
                     Part part, bool json, std::uint64_t now_ms)
    : store_(store), control_(control), id_(id), part_(part), json_(json), now_ms_(now_ms) {}

Step QueueShow::step(CommandOutput& out) {
  switch (stage_) {
    case Stage::kBegin:
      return begin(out);
    case Stage::kRecipients:
      return print_recipients(out);
    case Stage::kBody:
      return print_body(out);
  }
  return Step::kEnd;
}

// Only what waits is shown: a message that lies in mailboxes alone is its owners' business.
Step QueueShow::begin(CommandOutput& out) {
  auto first = store_.waiting(id_, 0, 1);
  if (!first && first.error().status != store::Status::kRefused) {
    return fail(out, po::kExitTemporary, first.error().text);
  }
  if (!first || first->empty()) {
    return fail(out, po::kExitRefused,
                fmt::format("nothing of message {} waits; post.office trace {} tells what became of it",
                            id_.text(), id_.text()));
  }
  if (part_ != Part::kEnvelope) return begin_body(out);
  auto head = store_.head(id_);
  if (!head) return fail(out, po::kExitTemporary, head.error().text);
  print_envelope(*head, out.out);
  stage_ = Stage::kRecipients;
  return Step::kMore;
}

// ---- envelope

static std::string_view ret_name(std::uint8_t ret) {
  static constexpr std::string_view kNames[] = {"", "FULL", "HDRS"};
  return ret < 3 ? kNames[ret] : "";
}

static std::string notify_text(std::uint8_t notify) {
  struct Bit {
    std::uint8_t bit;
    std::string_view name;
  };
  std::string out;
  for (const Bit& b : {Bit{po::messages::kNotifyNever, "NEVER"},
                       {po::messages::kNotifySuccess, "SUCCESS"},
                       {po::messages::kNotifyFailure, "FAILURE"},
                       {po::messages::kNotifyDelay, "DELAY"}}) {
    if ((notify & b.bit) != 0) out.append(out.empty() ? "" : ",").append(b.name);
  }
  return out;
}

static std::string origin_text(const store::Envelope& e) {
  if (e.client.family != 0) return po::address_text(e.client);
  if (e.local_uid != 0xffffffff) return fmt::format("local user {}", e.local_uid);
  return "this system";
}

static std::string envelope_json(const po::MessageId& id, const store::Head& head) {
  const store::Envelope& e = head.envelope;
  std::string uid = e.local_uid == 0xffffffff ? "null" : fmt::format("{}", e.local_uid);
  return fmt::format(
      "{{\"id\":\"{}\",\"arrival\":\"{}\",\"size\":{},\"sender\":{},\"ret\":\"{}\",\"envid\":{},\"smtputf8\":"
      "{},"
      "\"body_8bit\":{},\"session\":{},\"client\":{},\"account\":{},\"local_uid\":{},\"recipients\":[",
      id.text(), utc_text(head.arrival_ms), head.size, po::json_string(e.sender), ret_name(e.ret),
      po::json_string(e.envid), e.smtputf8, e.body_8bit, po::json_string(e.session),
      po::json_string(e.client.family == 0 ? "" : po::address_text(e.client)), e.account, uid);
}

void QueueShow::print_envelope(const store::Head& head, std::string& out) const {
  if (json_) {
    out += envelope_json(id_, head);
    return;
  }
  const store::Envelope& e = head.envelope;
  std::uint64_t age = now_ms_ > head.arrival_ms ? now_ms_ - head.arrival_ms : 0;
  out += fmt::format(
      "Message:    {}\nSender:     {}\nArrival:    {} ({} ago)\nSize:       {}\nFrom:       {}\n", id_.text(),
      bracketed(e.sender), utc_text(head.arrival_ms), age_text(age), size_text(head.size), origin_text(e));
  if (e.account != 0) out += fmt::format("Account:    {}\n", e.account);
  if (!e.session.empty()) out += fmt::format("Session:    {}\n", po::for_terminal(e.session));
  if (e.ret != 0) out += fmt::format("RET:        {}\n", ret_name(e.ret));
  if (!e.envid.empty()) out += fmt::format("ENVID:      {}\n", po::for_terminal(e.envid));
  if (e.smtputf8 || e.body_8bit) {
    out += fmt::format("Needs:      {}{}\n", e.body_8bit ? "8BITMIME " : "", e.smtputf8 ? "SMTPUTF8" : "");
  }
}

// ---- recipients

void QueueShow::print_next(const store::WaitingRow& row, RowState state, std::string& out) const {
  const store::Waiting& w = row.row;
  if (state == RowState::kActive) {
    out += "  next:     being delivered at this moment\n";
  } else if (state == RowState::kHeld) {
    out += "  next:     none while it is held; post.office queue release lets it go\n";
  } else {
    std::uint64_t spared = control_.spared_until(w.hop);
    out += fmt::format("  next:     {} ({}), {}\n", until_text(w.next_ms, now_ms_), utc_text(w.next_ms),
                       w.attempts == 0 ? "the first attempt" : "because the last attempt failed for now");
    if (spared > now_ms_) {
      out += fmt::format("  but:      {} could not be reached and is spared {}\n", po::for_terminal(w.hop),
                         until_text(spared, now_ms_));
    }
  }
}

void QueueShow::print_recipient(const store::WaitingRow& row, std::string& out) {
  RowState state = state_of(row.row, control_.in_flight(row.key));
  const store::Waiting& w = row.row;
  if (json_) {
    out += fmt::format("{}{{{}}}", printed_ == 0 ? "" : ",", row_json(row, state, true));
    return;
  }
  out += fmt::format("\nRecipient:  {}\n", bracketed(w.address));
  if (!w.original.empty()) out += fmt::format("  given as: {}\n", bracketed(w.original));
  out += fmt::format("  state:    {}\n  next hop: {}\n", state_name(state), po::for_terminal(w.hop));
  if (w.notify != 0) out += fmt::format("  NOTIFY:   {}\n", notify_text(w.notify));
  if (!w.orcpt.empty()) out += fmt::format("  ORCPT:    {}\n", po::for_terminal(w.orcpt));
  if (w.delay_told) out += "  notice:   the sender has been told that it is late\n";
  out += fmt::format("  attempts: {}\n", w.attempts);
  for (const store::Attempt& a : w.last) {
    out += fmt::format("    {}  {}{}\n", utc_text(a.at_ms),
                       a.host.empty() ? "" : po::for_terminal(a.host) + ": ", po::for_terminal(a.reply, 600));
  }
  print_next(row, state, out);
}

Step QueueShow::print_recipients(CommandOutput& out) {
  auto rows = store_.waiting(id_, from_, kRows);
  bool gone = !rows && rows.error().status == store::Status::kRefused;
  if (!rows && !gone) return fail(out, po::kExitTemporary, rows.error().text);
  if (rows) {
    for (const store::WaitingRow& row : *rows) {
      print_recipient(row, out.out);
      ++printed_;
      from_ = row.key.n + 1;
    }
  }
  if (rows && rows->size() == kRows) return Step::kMore;
  if (json_) out.out += "]}\n";
  return Step::kEnd;
}

// ---- body

Step QueueShow::begin_body(CommandOutput& out) {
  auto body = store_.body(id_);
  if (!body) return fail(out, po::kExitTemporary, body.error().text);
  body_ = std::move(*body);
  stage_ = Stage::kBody;
  return Step::kMore;
}

/// The next octets; empty at the end, or if the file cannot be read.
static std::string next_piece(const store::Content& body, std::uint64_t at) {
  if (!body.file) return at < body.body.size() ? body.body.substr(at, kBodyPiece) : std::string();
  std::string piece(kBodyPiece, '\0');
  ssize_t n = ::pread(body.file.get(), piece.data(), piece.size(), static_cast<off_t>(at));
  piece.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return piece;
}

// The lines of the message end in CR LF; a terminal or a file of the administrator has them without CR.
static void append_lines(std::string_view octets, std::string& out) {
  for (char c : octets)
    if (c != '\r') out += c;
}

Step QueueShow::print_body(CommandOutput& out) {
  std::string piece = next_piece(body_, body_at_);
  body_at_ += piece.size();
  if (piece.empty()) {
    if (body_at_ < body_.body_size) return fail(out, po::kExitTemporary, "the body cannot be read");
    return Step::kEnd;
  }
  if (part_ == Part::kHeaders) {
    std::string joined = tail_ + piece;
    auto end = joined.find("\r\n\r\n");
    if (end != std::string::npos) {
      append_lines(
          std::string_view(joined).substr(tail_.size(), end + 2 > tail_.size() ? end + 2 - tail_.size() : 0),
          out.out);
      return Step::kEnd;
    }
    tail_ = joined.substr(joined.size() > 3 ? joined.size() - 3 : 0);
  }
  append_lines(piece, out.out);
  return Step::kMore;
}

}  // namespace queue
