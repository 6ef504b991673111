#include "deliver/server.h"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <utility>

namespace deliver {

using namespace po::messages;
using Clock = std::chrono::steady_clock;

static constexpr const char* kStopping = "the post office is stopping; the mail goes on when it runs again";

static std::unique_ptr<po::Resolver> make_resolver(po::Module& module, std::string hosts) {
  po::ResolverOptions options;
  options.hosts = std::move(hosts);
  options.concurrent = 200;
  options.waiting = 20'000;
  options.time_limit = std::chrono::seconds(20);
  if (auto servers = po::parse_dns_servers(module.welcome().resolvers)) {
    options.servers = std::move(*servers);
  } else {
    module.log().event("no-resolver").kv("error", servers.error().text);
  }
  return std::make_unique<po::Resolver>(module.loop(), std::move(options));
}

/// Good enough to spread load; nothing hangs on its being hard to guess.
static Chance make_chance() {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) po::panic("getrandom failed");
  return [engine = std::make_shared<std::mt19937_64>(seed)](std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(*engine);
  };
}

Server::Server(po::Module& module, Surroundings surroundings)
    : module_(module),
      own_(module.welcome().hostname, module.welcome().smtp_endpoints, std::move(surroundings.interfaces)),
      chance_(make_chance()),
      authorities_(std::move(surroundings.authorities)),
      resolver_(make_resolver(module, std::move(surroundings.hosts))),
      passwords_(module.loop(), module.log()),
      pool_(module.loop()) {
  tick_.every(module.loop(), std::chrono::seconds(1), [this] { tick(); });
}

Server::~Server() = default;

// ---- what the dispatcher says

void Server::on_peer(const Peer& peer, po::Fd pipe) {
  if (peer.role == Role::kQueue) {
    connect_queue(std::move(pipe));
  } else if (peer.role == Role::kAccounts) {
    passwords_.connect(std::move(pipe));
  }
}

po::Counters Server::counters() {
  return {static_cast<std::uint32_t>(deliveries_.size()), served_, failures_};
}

// What has a transaction under way may end it; what waits for an answer to the end of its message waits as
// long as there is time, because it is sent a second time if the answer is not heard.
void Server::on_stop(std::uint32_t seconds) {
  stopping_ = true;
  for (WaitingJob& w : std::exchange(waiting_, {})) refuse(w.serial, w.job);
  pool_.drain();
  stop_all(true, true);
  auto left = std::chrono::seconds(seconds);
  last_call_.after(module_.loop(), left / 2, [this] { stop_all(true, false); });
  end_.after(module_.loop(), left - std::min(left, std::chrono::seconds(1)), [this] {
    stop_all(false, false);
    finish_if_idle();
  });
  finish_if_idle();
}

void Server::stop_all(bool may_wait, bool idle_only) {
  std::vector<std::shared_ptr<Delivery>> all;
  for (auto& [raw, owned] : deliveries_) {
    if (!idle_only || !raw->at_work()) all.push_back(owned);
  }
  for (auto& d : all) d->stop("4.3.2", kStopping, may_wait);
}

/// The last answers have to leave, and QUITs with them.
void Server::finish_if_idle() {
  if (!stopping_ || !deliveries_.empty()) return;
  finish_.after(module_.loop(), std::chrono::milliseconds(20), [this] {
    bool all_heard = !queue_ || queue_->backlog() == 0;
    if (all_heard) return module_.finished();
    finish_if_idle();
  });
}

void Server::tick() {
  Moment now = Clock::now();
  pool_.tick(now);
  passwords_.tick(now);
  std::vector<std::shared_ptr<Delivery>> all;
  all.reserve(deliveries_.size());
  for (auto& [raw, owned] : deliveries_) all.push_back(owned);
  for (auto& d : all) d->tick(now);
  if (stopping_ || (!lost_pipe_.hopeless(now) && !passwords_.hopeless(now))) return;
  log().event("no-new-pipe").kv("to", lost_pipe_.hopeless(now) ? "queue" : "accounts");
  on_stop(5);  // the next start of this program has both pipes again
}

// ---- jobs

void Server::connect_queue(po::Fd pipe) {
  if (queue_) on_queue_gone();
  queue_ = std::make_unique<po::Channel>(
      module_.loop(), std::move(pipe), [this](po::Frame& frame) { return on_frame(frame); },
      [this](std::string_view why) {
        log().event("peer-gone").kv("peer", "queue").kv("why", why);
        lost_pipe_.lost();
        on_queue_gone();
      });
  lost_pipe_.back();
  reading_ = true;
}

/// Nobody hears an answer any more, and queue gives the jobs out again: what is not at its end is broken off,
/// so that it does not arrive twice.
void Server::on_queue_gone() {
  queue_.reset();
  waiting_.clear();
  questions_.clear();
  stop_all(true, false);
  for (auto& [raw, owned] : deliveries_) raw->orphan();
}

bool Server::on_frame(po::Frame& frame) {
  if (frame.is<Job>()) return on_job(frame);
  return on_ask_hosts(frame);
}

bool Server::on_job(po::Frame& frame) {
  WaitingJob w{frame.serial, {}, {}};
  if (!frame.decode(w.job) || w.job.recipients.empty()) return false;
  if (w.job.in_file != static_cast<bool>(frame.fd) || (!w.job.in_file && w.job.size != w.job.body.size()))
    return false;
  w.file = std::move(frame.fd);
  if (stopping_) {
    refuse(w.serial, w.job);
  } else if (deliveries_.size() >= kMostAtOnce) {
    waiting_.push_back(std::move(w));
  } else {
    begin(std::move(w));
  }
  if (reading_ && deliveries_.size() + waiting_.size() >= kMostInMemory) {
    reading_ = false;
    queue_->pause_reading();
  }
  return true;
}

void Server::begin(WaitingJob w) {
  auto d = std::make_shared<Delivery>(*this, w.serial, std::move(w.job), std::move(w.file));
  deliveries_.emplace(d.get(), d);
  d->start();
}

void Server::begin_waiting() {
  while (!waiting_.empty() && deliveries_.size() < kMostAtOnce) {
    WaitingJob w = std::move(waiting_.front());
    waiting_.pop_front();
    begin(std::move(w));
  }
  if (reading_ || !queue_ || deliveries_.size() + waiting_.size() >= kMostInMemory) return;
  reading_ = true;
  queue_->resume_reading();
}

void Server::refuse(std::uint32_t serial, const Job& job) {
  JobDone done;
  done.id = job.id;
  done.hop = HopState::kUnseen;
  for (const JobRecipient& r : job.recipients) {
    done.outcomes.push_back({r.n, po::Kind::kTemporary, false, kStopping, "4.3.2"});
  }
  if (queue_) queue_->send(serial, done);
}

void Server::on_done(Delivery& delivery, const JobDone& answer) {
  for (const JobOutcome& o : answer.outcomes) ++(o.kind == po::Kind::kDone ? served_ : failures_);
  if (queue_ && delivery.serial() != 0) queue_->send(delivery.serial(), answer);
  auto found = deliveries_.find(&delivery);
  ended_.push_back(std::move(found->second));
  deliveries_.erase(found);
  clear_.soon(module_.loop(), [this] { clear_ended(); });
}

void Server::clear_ended() {
  ended_.clear();
  answered_.clear();
  begin_waiting();
  finish_if_idle();
}

// ---- post.office route

bool Server::on_ask_hosts(po::Frame& frame) {
  AskHosts ask;
  if (!frame.decode(ask)) return false;
  Question q{frame.serial, std::make_unique<Lookup>(*resolver_, own_, chance_, ask.hop)};
  Lookup& lookup = *q.lookup;
  questions_.push_back(std::move(q));
  lookup.start([this, &lookup](HostList hosts) {
    for (std::size_t i = 0; i < questions_.size(); ++i) {
      if (questions_[i].lookup.get() != &lookup) continue;
      answered_.push_back(std::move(questions_[i]));
      questions_.erase(questions_.begin() + static_cast<std::ptrdiff_t>(i));
      return answer_hosts(answered_.back(), std::move(hosts));
    }
  });
  return true;
}

void Server::answer_hosts(Question& question, HostList hosts) {
  Hosts answer;
  answer.kind = hosts.none ? hosts.none->kind : po::Kind::kDone;
  if (hosts.none) answer.lines.push_back(hosts.none->status + " " + hosts.none->text);
  Moment now = Clock::now();
  pool_.dead().put_last(hosts.endpoints, now);
  for (const Endpoint& e : hosts.endpoints) {
    bool dead = pool_.dead().contains(e.address, now);
    answer.lines.push_back(endpoint_text(e) + (dead ? " (could not be reached a moment ago)" : ""));
  }
  if (queue_) queue_->send(question.serial, answer);
  clear_.soon(module_.loop(), [this] { clear_ended(); });
}

// ---- TLS

static std::string read_all(int fd) {
  constexpr std::size_t kMost = 8U << 20;
  std::string out;
  char buffer[64 * 1024];
  for (off_t at = 0; out.size() < kMost;) {
    ssize_t n = ::pread(fd, buffer, sizeof buffer, at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    out.append(buffer, static_cast<std::size_t>(n));
    at += n;
  }
  return out;
}

std::shared_ptr<const po::TlsContext> Server::tls(TlsLevel level, std::string& why) {
  auto& context = level == TlsLevel::kVerified ? verified_ : any_certificate_;
  if (context) return context;
  std::string authorities = level == TlsLevel::kVerified && authorities_ ? read_all(authorities_.get()) : "";
  if (level == TlsLevel::kVerified && authorities.empty()) {
    why =
        "the route wants certificates verified, and there is no list of authorities (package "
        "ca-certificates)";
    return nullptr;
  }
  auto made = po::TlsContext::make_client(authorities);
  if (made) {
    context = std::move(*made);
  } else {
    why = made.error().text;
    log().event("no-tls").kv("error", why);
  }
  return context;
}

}  // namespace deliver
