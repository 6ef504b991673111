#include "deliver/unix/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "deliver/unix/mbox.h"
#include "lib/text.h"

namespace unix_deliver {

using namespace po::messages;
using namespace std::chrono_literals;
using End = Attempt::End;

static constexpr auto kComeAgain = 200ms;
/// A mail program has a drop locked for the moment in which it writes it.
static constexpr auto kLockedFor = 60s;
static constexpr auto kMaking = 30s;
static constexpr const char* kStopping = "the post office is stopping; the mail goes on when it runs again";

Server::Server(po::Module& module, MailDrops drops) : module_(module), drops_(std::move(drops)) {
  tick_.every(module.loop(), 1s, [this] {
    if (stopping_ || !lost_pipe_.hopeless(Clock::now())) return;
    module_.log().event("no-new-pipe").kv("to", "queue");
    on_stop(5);  // the next start of this program has its pipe again
  });
}

// ---- what the dispatcher says

void Server::on_peer(const Peer& peer, po::Fd pipe) {
  if (peer.role == Role::kQueue) connect_queue(std::move(pipe));
}

bool Server::on_control(po::Frame& frame) {
  MaildropMade made;
  if (!frame.decode(made)) return false;
  auto task = std::ranges::find(tasks_, frame.serial, &Task::asked);
  if (task == tasks_.end()) return true;  // nobody waits for it any more
  task->asked = 0;
  if (made.kind == po::Kind::kDone) {
    task->not_before = {};
    work_soon();
  } else {
    settle(task, {task->to->n, po::Kind::kTemporary, false, made.text, "4.3.5"});
  }
  return true;
}

po::Counters Server::counters() {
  return {static_cast<std::uint32_t>(tasks_.size()), served_, failures_};
}

/// No drop is ever left half written between two turns of the loop: what has not begun is given back.
void Server::on_stop(std::uint32_t) {
  stopping_ = true;
  give_all_back();
  finish_if_idle();
}

void Server::give_all_back() {
  while (!tasks_.empty()) {
    std::shared_ptr<Job> job = tasks_.front().job;
    if (job->answer.outcomes.empty()) job->answer.hop = HopState::kUnseen;
    settle(tasks_.begin(), {tasks_.front().to->n, po::Kind::kTemporary, false, kStopping, "4.3.2"});
  }
}

void Server::finish_if_idle() {
  if (!stopping_) return;
  finish_.after(module_.loop(), 20ms, [this] {
    if (!queue_ || queue_->backlog() == 0) return module_.finished();
    finish_if_idle();
  });
}

// ---- jobs

void Server::connect_queue(po::Fd pipe) {
  if (queue_) on_queue_gone();
  queue_ = std::make_unique<po::Channel>(
      module_.loop(), std::move(pipe), [this](po::Frame& frame) { return on_job(frame); },
      [this](std::string_view why) {
        module_.log().event("peer-gone").kv("peer", "queue").kv("why", why);
        lost_pipe_.lost();
        on_queue_gone();
      });
  lost_pipe_.back();
  reading_ = true;
}

/// Nobody hears an answer any more, and queue gives the jobs out again.
void Server::on_queue_gone() {
  queue_.reset();
  tasks_.clear();
  jobs_ = 0;
}

static bool is_whole(const MaildropJob& job, bool has_file) {
  if (job.recipients.empty() || job.in_file != has_file || (!has_file && job.size != job.body.size()))
    return false;
  return !po::has_control(job.sender) &&
         std::ranges::none_of(job.recipients, [](const auto& r) { return po::has_control(r.address); });
}

bool Server::on_job(po::Frame& frame) {
  auto job = std::make_shared<MaildropJob>();
  if (!frame.decode(*job) || !is_whole(*job, static_cast<bool>(frame.fd))) return false;
  auto whole = std::make_shared<Job>();
  whole->serial = frame.serial;
  whole->answer.id = job->id;
  std::shared_ptr<const std::string> body(job, &job->body);
  whole->content = std::make_unique<deliver::Content>(std::move(body), job->size, std::move(frame.fd));
  whole->job = std::move(job);
  ++jobs_;
  for (const MaildropRecipient& to : whole->job->recipients) tasks_.push_back({whole, &to, Clock::now()});
  if (stopping_) {
    give_all_back();
  } else {
    work_soon();
  }
  if (reading_ && jobs_ >= kMostJobs) {
    reading_ = false;
    queue_->pause_reading();
  }
  return true;
}

void Server::work_soon() {
  work_soon_.soon(module_.loop(), [this] { work(); });
}

/// One of those whose time has come; then what else is to be done has its turn.
void Server::work() {
  auto now = Clock::now();
  auto next = Clock::time_point::max();
  for (auto task = tasks_.begin(); task != tasks_.end(); ++task) {
    if (task->not_before > now) {
      next = std::min(next, task->not_before);
      continue;
    }
    attempt(task);
    next = now;
    break;
  }
  if (next == Clock::time_point::max()) return;
  auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(next - now, Clock::duration(0)));
  wake_.after(module_.loop(), wait, [this] { work(); });
}

namespace {

/// The message as it goes into the drop of one recipient, behind the first line.
class Text {
 public:
  Text(const MaildropJob& job, const MaildropRecipient& to, deliver::Content& content)
      : content_(content), out_(trace_lines(job.sender, to.address)) {}

  /// The next piece; empty at the end.
  po::Result<std::string_view> next() {
    if (at_ != 0 || ended_) out_.clear();
    while (!ended_ && out_.size() < deliver::Content::kPiece) {
      std::string_view piece = content_.piece(at_);
      if (piece.empty() && at_ < content_.size()) return po::temporary("the message cannot be read");
      at_ += piece.size();
      encoder_.add(piece, out_);
      if (!piece.empty()) continue;
      encoder_.finish(out_);
      ended_ = true;
    }
    return std::string_view(out_);
  }

 private:
  deliver::Content& content_;
  MboxEncoder encoder_;
  std::string out_;
  std::uint64_t at_ = 0;
  bool ended_ = false;
};

}  // namespace

static std::tm local_time(std::uint64_t ms) {
  auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm out{};
  localtime_r(&seconds, &out);
  return out;
}

void Server::attempt(TaskAt task) {
  const MaildropJob& job = *task->job->job;
  const MaildropRecipient& to = *task->to;
  if (!po::is_unix_login(to.login))
    return settle(task,
                  {to.n, po::Kind::kTemporary, false, "its UNIX-Login-Name is no user's name", "4.3.5"});
  std::string first = from_line(job.sender, local_time(job.arrival_ms));
  Text text(job, to, *task->job->content);
  Attempt a = drops_.append(to.login, first, [&text] { return text.next(); });
  if (!a.note.empty())
    module_.log().event("mail-drop").kv("id", job.id.text()).kv("login", to.login).kv("note", a.note);
  auto now = Clock::now();
  switch (a.end) {
    case End::kWritten:
      return settle(
          task, {to.n, po::Kind::kDone, false, fmt::format("into the mail drop of {}", to.login), "2.0.0"});
    case End::kAbsent:
      if (!task->made) return make_drop(*task);
      return settle(task, {to.n, po::Kind::kTemporary, false,
                           fmt::format("the mail drop of {} was made and is not there", to.login), "4.3.5"});
    case End::kLocked:
      if (now - task->began < kLockedFor) {
        task->not_before = now + kComeAgain;
        return;
      }
      return settle(task,
                    {to.n, po::Kind::kTemporary, false,
                     fmt::format("the mail drop of {} is locked by another program", to.login), "4.2.0"});
    case End::kFailed:
      return settle(task, {to.n, a.error.kind, false, a.error.text, a.status});
  }
}

void Server::make_drop(Task& task) {
  task.made = true;
  task.asked = module_.control().next_serial();
  task.not_before = Clock::now() + kMaking;  // if no answer comes, it looks again by itself
  module_.control().send(task.asked, MakeMaildrop{task.to->login});
}

// ---- answers

void Server::settle(TaskAt task, JobOutcome outcome) {
  ++(outcome.kind == po::Kind::kDone ? served_ : failures_);
  std::shared_ptr<Job> job = std::move(task->job);
  tasks_.erase(task);
  job->answer.outcomes.push_back(std::move(outcome));
  if (job->answer.outcomes.size() == job->job->recipients.size()) answer(*job);
}

void Server::answer(Job& job) {
  if (queue_) queue_->send(job.serial, job.answer);
  --jobs_;
  if (reading_ || !queue_ || jobs_ >= kMostJobs) return;
  reading_ = true;
  queue_->resume_reading();
}

}  // namespace unix_deliver
