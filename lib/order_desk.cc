#include "lib/order_desk.h"

#include "lib/ticket.h"

namespace po {

using messages::Abandon;
using messages::CarryOut;
using messages::CommandOutput;

static constexpr auto kLookAgain = std::chrono::milliseconds(10);
static constexpr std::size_t kMostLogged = 200;

static std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ' ';
    out += word;
    if (out.size() > kMostLogged) return out.substr(0, kMostLogged) + "...";
  }
  return out;
}

bool OrderDesk::on_frame(Channel& channel, Frame& frame) {
  return frame.is<CarryOut>() ? on_carry_out(channel, frame) : on_abandon(channel, frame);
}

void OrderDesk::refuse(Channel& channel, std::uint32_t serial, std::uint8_t code, std::string_view text) {
  ++refused_;
  channel.send(serial, CommandOutput{{}, std::string("post.office: ").append(text).append("\n"), true, code});
}

bool OrderDesk::on_carry_out(Channel& channel, Frame& frame) {
  CarryOut question;
  if (!frame.decode(question)) return false;
  // Before the order is opened: it is still good when it comes again.
  if (jobs_.size() >= kMost) {
    refuse(channel, frame.serial, kExitTemporary, "too many commands at once; try again");
    return true;
  }
  auto order = book_.open(question.order, ticket_now_ms());
  if (!order) {
    log_.event("order-refused");
    refuse(channel, frame.serial, kExitNotAllowed, "this order is not good, or not any more; ask again");
    return true;
  }
  log_.event("order").kv("account", order->account).kv("command", joined(order->words));
  ++served_;
  At at = jobs_.emplace(jobs_.end());
  at->channel = &channel;
  at->serial = frame.serial;
  at->task = make_task_(*order);
  at->task->on_wake([this, at] {
    at->woken = true;
    if (at->waiting) go_on(at, {});
  });
  start_next();
  return true;
}

bool OrderDesk::on_abandon(const Channel& channel, Frame& frame) {
  Abandon abandon;
  if (!frame.decode(abandon)) return false;
  for (At at = jobs_.begin(); at != jobs_.end(); ++at) {
    if (at->channel != &channel || at->serial != frame.serial) continue;
    end(at);
    break;
  }
  return true;
}

void OrderDesk::drop(const Channel& channel) {
  for (At at = jobs_.begin(); at != jobs_.end();) {
    At next = std::next(at);
    if (at->channel == &channel) {
      running_ -= at->running ? 1 : 0;
      jobs_.erase(at);
    }
    at = next;
  }
  start_next();
}

void OrderDesk::end(At at) {
  running_ -= at->running ? 1 : 0;
  jobs_.erase(at);
  start_next();
}

void OrderDesk::start_next() {
  for (At at = jobs_.begin(); at != jobs_.end() && running_ < at_once_; ++at) {
    if (at->running) continue;
    at->running = true;
    at->moved = std::chrono::steady_clock::now();
    ++running_;
    go_on(at, {});
  }
}

// A timer of no time runs after the loop has looked at all pipes once: Event::soon() would not let it.
void OrderDesk::go_on(At at, std::chrono::milliseconds after) {
  at->waiting = false;
  at->next.after(loop_, after, [this, at] { run(at); });
}

bool OrderDesk::is_stuck(Job& job) {
  auto now = std::chrono::steady_clock::now();
  std::size_t backlog = job.channel->backlog();
  if (backlog < job.backlog || backlog < kMostBacklog) job.moved = now;
  job.backlog = backlog;
  return now - job.moved > kPatience;
}

void OrderDesk::run(At at) {
  if (is_stuck(*at)) return end(at);
  if (at->channel->backlog() < kMostBacklog) return step(at);
  go_on(at, kLookAgain);
}

void OrderDesk::step(At at) {
  CommandOutput out;
  out.end = false;
  at->woken = false;
  auto step = at->task->step(out);
  out.end = step == CommandTask::Step::kEnd;
  // An empty frame before a wait tells that the command still goes on.
  if (step != CommandTask::Step::kMore || !out.out.empty() || !out.err.empty())
    send_piece(*at->channel, at->serial, std::move(out));
  if (step == CommandTask::Step::kEnd) return end(at);
  if (step == CommandTask::Step::kWait && !at->woken) {
    at->waiting = true;
  } else {
    go_on(at, {});
  }
}

}  // namespace po
