#include "deliver/lmtp/server.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "lib/text.h"

namespace lmtp_deliver {

using namespace po::messages;
using deliver::Connection;
using po::Kind;
using Clock = std::chrono::steady_clock;

/// All connections are to one socket.
static constexpr const char* kStore = "store";
static constexpr const char* kStopping = "the post office is stopping; the mail goes on when it runs again";

Server::Server(po::Module& module) : module_(module), pool_(module.loop()) {
  tick_.every(module.loop(), std::chrono::seconds(1), [this] { tick(); });
}

// ---- what the dispatcher says

void Server::on_peer(const Peer& peer, po::Fd pipe) {
  if (peer.role == Role::kQueue) connect_queue(std::move(pipe));
}

/// Whoever waits longest has it. A store that cannot be reached is none to anybody who waits, unless there
/// are connections that work: then it has only too many.
bool Server::on_control(po::Frame& frame) {
  LocalConnection answer;
  if (!frame.decode(answer) || asked_.erase(frame.serial) == 0) return false;
  Delivery* first = first_waiting();
  if (frame.fd && first != nullptr) {
    deliver::Terms terms;
    terms.helo = module_.welcome().hostname;
    terms.tls = TlsLevel::kNone;
    terms.lmtp = true;
    first->use_new(pool_.open({{}, {}, kStore}, std::move(terms), nullptr, *first, std::move(frame.fd)));
  } else if (!frame.fd && !store_works()) {
    for (; first != nullptr; first = first_waiting()) first->fail(answer.text);
  }
  return true;
}

po::Counters Server::counters() {
  return {static_cast<std::uint32_t>(jobs_.size()), served_, failures_};
}

// What has not begun is given back. What waits for an answer to the end of its message waits as long as there
// is time, because it is sent a second time if the answer is not heard.
void Server::on_stop(std::uint32_t seconds) {
  stopping_ = true;
  pool_.drain();
  stop_waiting();
  auto left = std::chrono::seconds(seconds);
  last_call_.after(module_.loop(), left / 2, [this] { stop_all(true); });
  end_.after(module_.loop(), left - std::min(left, std::chrono::seconds(1)), [this] { stop_all(false); });
  finish_if_idle();
}

void Server::stop_waiting() {
  while (Delivery* waiting = first_waiting()) waiting->stop("4.3.2", kStopping, false);
}

void Server::stop_all(bool may_wait) {
  std::vector<Delivery*> all;  // they leave the list as they answer
  for (const auto& job : jobs_) all.push_back(job.get());
  for (Delivery* job : all) job->stop("4.3.2", kStopping, may_wait);
}

/// The last answers have to leave, and QUITs with them.
void Server::finish_if_idle() {
  if (!stopping_ || !jobs_.empty()) return;
  finish_.after(module_.loop(), std::chrono::milliseconds(20), [this] {
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

/// Nobody hears an answer any more, and queue gives the jobs out again: what is under way is broken off, so
/// that as little as can be arrives twice.
void Server::on_queue_gone() {
  queue_.reset();
  stop_all(false);
}

static bool is_whole(const MaildropJob& j, bool has_file) {
  bool one_body = j.in_file == has_file && (has_file || j.size == j.body.size());
  return one_body && !po::has_control(j.address);
}

bool Server::on_job(po::Frame& frame) {
  auto job = std::make_shared<MaildropJob>();
  if (!frame.decode(*job) || !is_whole(*job, static_cast<bool>(frame.fd))) return false;
  if (stopping_) {
    refuse(frame.serial, *job, "4.3.2", kStopping, HopState::kUnseen);
  } else if (!po::is_unix_login(job->login)) {
    refuse(frame.serial, *job, "4.3.5", "its UNIX-Login-Name is no user's name", HopState::kServed);
  } else {
    jobs_.push_back(std::make_unique<Delivery>(*this, frame.serial, job, std::move(frame.fd)));
    work_soon();
  }
  if (reading_ && jobs_.size() >= kMostJobs) {
    reading_ = false;
    queue_->pause_reading();
  }
  return true;
}

void Server::refuse(std::uint32_t serial, const MaildropJob& job, const char* status, const char* why,
                    HopState state) {
  ++failures_;
  JobDone done;
  done.id = job.id;
  done.hop = state;
  done.outcomes.push_back({job.n, Kind::kTemporary, false, why, status});
  queue_->send(serial, done);
}

Delivery* Server::first_waiting() {
  auto at = std::find_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->waits(); });
  return at == jobs_.end() ? nullptr : at->get();
}

void Server::work_soon() {
  work_soon_.soon(module_.loop(), [this] { work(); });
}

/// Connections for those that wait: one that is there, or one that is asked for.
void Server::work() {
  while (Delivery* waiting = first_waiting()) {
    Connection* there = pool_.take(kStore);
    if (there == nullptr) break;
    waiting->use(*there);
  }
  auto waiting = static_cast<std::size_t>(
      std::count_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->waits(); }));
  while (asked_.size() < waiting && pool_.size() + asked_.size() < kMostConnections) {
    std::uint32_t serial = module_.control().next_serial();
    asked_.insert(serial);
    module_.control().send(serial, AskConnection{});
  }
}

void Server::wait_again(Delivery& delivery) {
  if (stopping_) return delivery.stop("4.3.2", kStopping, false);
  work_soon();
}

bool Server::store_works() {
  return pool_.working(kStore) > 0;
}

void Server::tick() {
  auto now = Clock::now();
  pool_.tick(now);
  std::vector<Delivery*> all;
  for (const auto& job : jobs_) all.push_back(job.get());
  for (Delivery* job : all) job->tick(now);
  work_soon();
  if (stopping_ || !lost_pipe_.hopeless(now)) return;
  module_.log().event("no-new-pipe").kv("to", "queue");
  on_stop(5);  // the next start of this program has its pipe again
}

// ---- answers

void Server::on_done(Delivery& delivery, const JobDone& answer) {
  ++(answer.outcomes.front().kind == Kind::kDone ? served_ : failures_);
  if (queue_) queue_->send(delivery.serial(), answer);
  auto at = std::find_if(jobs_.begin(), jobs_.end(),
                         [&delivery](const auto& job) { return job.get() == &delivery; });
  ended_.push_back(std::move(*at));
  jobs_.erase(at);
  clear_.soon(module_.loop(), [this] {
    ended_.clear();
    read_on();
    work();
    finish_if_idle();
  });
}

void Server::read_on() {
  if (reading_ || !queue_ || jobs_.size() >= kMostJobs) return;
  reading_ = true;
  queue_->resume_reading();
}

}  // namespace lmtp_deliver
