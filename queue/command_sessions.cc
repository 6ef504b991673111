#include "queue/command_sessions.h"

namespace queue {

using po::messages::CommandOutput;

static constexpr auto kLookAgain = std::chrono::milliseconds(10);

static std::unique_ptr<po::CommandTask> too_many() {
  return std::make_unique<po::ReadyAnswer>(
      CommandOutput{{}, "post.office: too many commands at once; try again\n", true, po::kExitTemporary});
}

void CommandSessions::add(po::Fd connection, std::unique_ptr<po::CommandTask> task) {
  if (sessions_.size() >= 2 * kMost) return;
  if (sessions_.size() >= kMost) task = too_many();
  At at = sessions_.emplace(sessions_.end());
  at->task = std::move(task);
  at->moved = std::chrono::steady_clock::now();
  at->channel = std::make_unique<po::Channel>(
      loop_, std::move(connection), [](po::Frame&) { return false; },
      [this, at](std::string_view) { sessions_.erase(at); });
  at->task->on_wake([this, at] {
    at->woken = true;
    if (at->waiting) go_on(at, {});
  });
  go_on(at, {});
}

// A timer of no time runs after the loop has looked at all pipes once: Event::soon() would not let it.
void CommandSessions::go_on(At at, std::chrono::milliseconds after) {
  at->waiting = false;
  at->next.after(loop_, after, [this, at] { run(at); });
}

bool CommandSessions::is_stuck(Session& session) const {
  auto now = std::chrono::steady_clock::now();
  std::size_t backlog = session.channel->backlog();
  if (backlog < session.backlog || backlog == 0) session.moved = now;
  session.backlog = backlog;
  return now - session.moved > kPatience;
}

void CommandSessions::run(At at) {
  if (is_stuck(*at)) {
    sessions_.erase(at);
    return;
  }
  if (at->task && at->channel->backlog() < kMostBacklog) return step(at);
  if (!at->task && at->channel->backlog() == 0) {
    sessions_.erase(at);
    return;
  }
  go_on(at, kLookAgain);
}

void CommandSessions::step(At at) {
  CommandOutput out;
  out.end = false;
  at->woken = false;
  auto step = at->task->step(out);
  out.end = step == po::CommandTask::Step::kEnd;
  if (out.end) at->task.reset();
  // An empty frame before a wait tells the client that the command still goes on.
  if (step != po::CommandTask::Step::kMore || !out.out.empty() || !out.err.empty())
    po::send_piece(*at->channel, 0, std::move(out));
  if (step == po::CommandTask::Step::kWait && !at->woken) {
    at->waiting = true;
  } else {
    go_on(at, {});
  }
}

}  // namespace queue
