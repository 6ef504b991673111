#include "queue/queue_list.h"

#include <fmt/format.h>

#include "lib/text.h"
#include "queue/queue_text.h"

namespace queue {

using po::messages::CommandOutput;

QueueList::QueueList(std::unique_ptr<QueueScan> scan, Form form, std::uint64_t limit, std::uint64_t now_ms)
    : scan_(std::move(scan)), form_(form), limit_(limit), now_ms_(now_ms) {}

static std::string attempts_json(const std::vector<store::Attempt>& attempts) {
  std::string out = "[";
  for (const store::Attempt& a : attempts) {
    out += fmt::format("{}{{\"time\":\"{}\",\"host\":{},\"reply\":{}}}", out.size() > 1 ? "," : "",
                       utc_text(a.at_ms), po::json_string(a.host), po::json_string(a.reply));
  }
  return out + "]";
}

std::string row_json(const store::WaitingRow& row, RowState state, bool attempts) {
  const store::Waiting& w = row.row;
  std::string out = fmt::format(
      "\"n\":{},\"recipient\":{},\"original\":{},\"state\":\"{}\",\"hop\":{},\"attempts\":{},"
      "\"next\":{}",
      row.key.n, po::json_string(w.address), po::json_string(w.original), state_name(state),
      po::json_string(w.hop), w.attempts, w.held ? "null" : fmt::format("\"{}\"", utc_text(w.next_ms)));
  if (attempts) {
    out += ",\"replies\":" + attempts_json(w.last);
  } else {
    out += ",\"reply\":" + (w.last.empty() ? "null" : po::json_string(w.last.back().reply));
  }
  return out;
}

static std::string list_json(const FoundRow& row) {
  const store::Head& head = *row.head;
  return fmt::format("{{\"id\":\"{}\",\"arrival\":\"{}\",\"size\":{},\"sender\":{},{}}}\n",
                     row.waiting.key.id.text(), utc_text(head.arrival_ms), head.size,
                     po::json_string(head.envelope.sender), row_json(row.waiting, row.state, false));
}

static std::string list_line(const FoundRow& row, std::uint64_t now_ms) {
  const store::Waiting& w = row.waiting.row;
  std::uint64_t age = now_ms > row.head->arrival_ms ? now_ms - row.head->arrival_ms : 0;
  std::string next = w.held ? "-" : until_text(w.next_ms, now_ms);
  if (row.state == RowState::kActive) next = "now";
  return fmt::format("{}  {:<8} {:>5} {:>10}  {:<7} {} {}\n", row.waiting.key.id.text(),
                     state_name(row.state), age_text(age), row.head->size, next,
                     bracketed(row.head->envelope.sender), bracketed(w.address));
}

/// The mark behind the id that mailq gives: '*' active, '!' held.
static char mailq_mark(RowState state) {
  if (state == RowState::kActive) return '*';
  return state == RowState::kHeld ? '!' : ' ';
}

// Postfix's columns: id and mark, size, arrival, sender; below it the reason and the recipient. Our ids have
// 20 digits, so they are as wide as Postfix's long ones and a little more.
void QueueList::print_mailq(const FoundRow& row, std::string& out) {
  if (printed_ == 0) out += "-Queue ID-            --Size-- ----Arrival Time---- -Sender/Recipient-------\n";
  const store::Head& head = *row.head;
  if (row.waiting.key.id != last_) {
    if (printed_ > 0) out += "\n";
    std::string sender = head.envelope.sender.empty() ? "MAILER-DAEMON" : head.envelope.sender;
    out += fmt::format("{}{} {:>8} {:<20} {}\n", row.waiting.key.id.text(), mailq_mark(row.state), head.size,
                       mailq_time(head.arrival_ms), po::for_terminal(sender));
  }
  const store::Waiting& w = row.waiting.row;
  if (!w.last.empty()) {
    const store::Attempt& last = w.last.back();
    out += fmt::format("{:>8}({}{})\n", "",
                       last.host.empty() ? "" : fmt::format("host {} said: ", po::for_terminal(last.host)),
                       po::for_terminal(last.reply, 600));
  }
  out += fmt::format("{:>51} {}\n", "", po::for_terminal(w.address));
}

void QueueList::print(const FoundRow& row, std::string& out) {
  if (form_ == Form::kMailq) {
    print_mailq(row, out);
  } else if (form_ == Form::kJson) {
    out += list_json(row);
  } else {
    if (printed_ == 0) {
      out += fmt::format("{:<20}  {:<8} {:>5} {:>10}  {:<7} {}\n", "ID", "STATE", "AGE", "OCTETS", "NEXT",
                         "SENDER RECIPIENT");
    }
    out += list_line(row, now_ms_);
  }
  if (row.waiting.key.id != last_) {
    ++messages_;
    octets_ += row.head->size;
    last_ = row.waiting.key.id;
  }
  ++printed_;
}

po::CommandTask::Step QueueList::finish(CommandOutput& out) const {
  if (form_ == Form::kMailq) {
    out.out += printed_ == 0 ? "Mail queue is empty\n"
                             : fmt::format("\n-- {} Kbytes in {} Request{}.\n", (octets_ + 1023) / 1024,
                                           messages_, messages_ == 1 ? "" : "s");
  } else if (form_ == Form::kText) {
    out.out += printed_ == 0 ? "nothing of this kind waits\n"
                             : fmt::format("{} recipient{} of {} message{}\n", printed_,
                                           printed_ == 1 ? "" : "s", messages_, messages_ == 1 ? "" : "s");
  }
  return Step::kEnd;
}

po::CommandTask::Step QueueList::step(CommandOutput& out) {
  auto found = scan_->next();
  if (!found) return fail(out, po::kExitTemporary, found.error().text);
  for (const FoundRow& row : *found) {
    if (printed_ >= limit_) return finish(out);
    print(row, out.out);
  }
  return scan_->done() || printed_ >= limit_ ? finish(out) : Step::kMore;
}

}  // namespace queue
