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
using po::Kind;
using End = Attempt::End;

static constexpr auto kComeAgain = 200ms;
/// A mail program has a drop locked for the moment in which it writes it; longer, and others' mail would
/// wait.
static constexpr auto kLockedFor = 5s;
static constexpr auto kMaking = 60s;
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

/// Made or not: another message for the same user may have had it made.
bool Server::on_control(po::Frame& frame) {
  MaildropMade made;
  if (!frame.decode(made)) return false;
  auto job = std::ranges::find(jobs_, frame.serial, &Job::asked);
  if (job == jobs_.end()) return true;  // nobody waits for it any more
  job->asked = 0;
  job->not_made = made.kind == Kind::kDone ? "it was made and is not there" : made.text;
  job->not_before = {};
  work_soon();
  return true;
}

po::Counters Server::counters() {
  return {static_cast<std::uint32_t>(jobs_.size()), served_, failures_};
}

/// No drop is ever left half written between two turns of the loop: what has not begun is given back.
void Server::on_stop(std::uint32_t) {
  stopping_ = true;
  give_all_back();
  finish_if_idle();
}

void Server::give_all_back() {
  while (!jobs_.empty()) settle(jobs_.begin(), Kind::kTemporary, kStopping, "4.3.2", true);
}

void Server::finish_if_idle() {
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
  jobs_.clear();
}

static bool is_whole(const MaildropJob& j, bool has_file) {
  bool one_body = j.in_file == has_file && (has_file || j.size == j.body.size());
  return one_body && !po::has_control(j.sender) && !po::has_control(j.address);
}

bool Server::on_job(po::Frame& frame) {
  auto got = std::make_shared<MaildropJob>();
  if (!frame.decode(*got) || !is_whole(*got, static_cast<bool>(frame.fd))) return false;
  Job& job = jobs_.emplace_back();
  job.serial = frame.serial;
  std::shared_ptr<const std::string> body(got, &got->body);
  job.content = std::make_unique<deliver::Content>(std::move(body), got->size, std::move(frame.fd));
  job.job = std::move(got);
  if (stopping_) {
    give_all_back();
  } else {
    work_soon();
  }
  if (reading_ && jobs_.size() >= kMostJobs) {
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
  for (auto job = jobs_.begin(); job != jobs_.end(); ++job) {
    if (job->not_before <= now) {
      attempt(job);
      next = now;
      break;
    }
    next = std::min(next, job->not_before);
  }
  if (next == Clock::time_point::max()) return;
  wake_.after(module_.loop(), std::chrono::ceil<std::chrono::milliseconds>(next - now), [this] { work(); });
}

static std::tm local_time(std::uint64_t ms) {
  auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm out{};
  localtime_r(&seconds, &out);
  return out;
}

namespace {

/// The message as it goes into the drop.
class Text {
 public:
  Text(const MaildropJob& job, deliver::Content& content) : content_(content) {
    begins_ = from_line(job.sender, local_time(job.arrival_ms)) + trace_lines(job.sender, job.address);
    fill();
    take_first_field();
  }

  [[nodiscard]] const std::string& begins() const { return begins_; }

  /// What comes behind that; empty at the end.
  po::Result<std::string_view> next() {
    if (!fresh_ || out_.empty()) {
      out_.clear();
      fill();
    }
    fresh_ = false;
    if (broken_) return po::temporary("the message cannot be read");
    return std::string_view(out_);
  }

 private:
  void fill() {
    while (!ended_ && !broken_ && out_.size() < deliver::Content::kPiece) {
      std::string_view piece = content_.piece(at_);
      broken_ = piece.empty() && at_ < content_.size();
      at_ += piece.size();
      encoder_.add(piece, out_);
      if (!piece.empty() || broken_) continue;
      encoder_.finish(out_);
      ended_ = true;
    }
  }

  /// The beginning tells this message in this drop from all others: it ends with the first field, our own
  /// Received, in which the message's id stands.
  void take_first_field() {
    std::size_t end = out_.find('\n');
    while (end != std::string::npos && end + 1 < out_.size() &&
           (out_[end + 1] == ' ' || out_[end + 1] == '\t'))
      end = out_.find('\n', end + 1);
    if (end == std::string::npos) return;
    begins_ += out_.substr(0, end + 1);
    out_.erase(0, end + 1);
  }

  deliver::Content& content_;
  MboxEncoder encoder_;
  std::string begins_, out_;
  std::uint64_t at_ = 0;
  bool fresh_ = true, ended_ = false, broken_ = false;
};

}  // namespace

void Server::attempt(JobAt at) {
  const MaildropJob& job = *at->job;
  if (!po::is_unix_login(job.login))
    return settle(at, Kind::kTemporary, "its UNIX-Login-Name is no user's name", "4.3.5");
  Text text(job, *at->content);
  Attempt a = drops_.append(job.login, {text.begins(), [&text] { return text.next(); }, job.again});
  if (!a.note.empty())
    module_.log().event("mail-drop").kv("id", job.id.text()).kv("login", job.login).kv("note", a.note);
  auto now = Clock::now();
  switch (a.end) {
    case End::kWritten:
      return settle(at, Kind::kDone, fmt::format("into the mail drop of {}", job.login), "2.0.0");
    case End::kAbsent:
      if (!at->not_made) return make_drop(*at);
      return settle(at, Kind::kTemporary, *at->not_made, "4.3.5");
    case End::kLocked:
      if (!at->locked_since) at->locked_since = now;
      at->not_before = now + kComeAgain;
      if (now - *at->locked_since < kLockedFor) return;
      return settle(at, Kind::kTemporary,
                    fmt::format("the mail drop of {} is locked by another program", job.login), "4.2.0");
    case End::kFailed:
      return settle(at, a.error.kind, a.error.text, a.status);
  }
}

void Server::make_drop(Job& job) {
  job.asked = module_.control().next_serial();
  job.not_made = "no answer came in time to the wish to have it made";
  job.not_before = Clock::now() + kMaking;
  module_.control().send(job.asked, MakeMaildrop{job.job->login});
}

// ---- answers

/// `unseen`: what we say ourselves is no attempt.
void Server::settle(JobAt at, Kind kind, std::string words, std::string status, bool unseen) {
  ++(kind == Kind::kDone ? served_ : failures_);
  JobDone done;
  done.id = at->job->id;
  done.hop = unseen ? HopState::kUnseen : HopState::kServed;
  done.outcomes.push_back({at->job->n, kind, false, std::move(words), std::move(status)});
  if (queue_) queue_->send(at->serial, done);
  jobs_.erase(at);
  if (reading_ || !queue_ || jobs_.size() >= kMostJobs) return;
  reading_ = true;
  queue_->resume_reading();
}

}  // namespace unix_deliver
