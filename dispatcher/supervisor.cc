#include "dispatcher/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "dispatcher/spawn.h"
#include "dispatcher/system_facts.h"
#include "lib/sandbox.h"

namespace dispatcher {

using namespace std::chrono_literals;
using po::Fd;
using po::Frame;
using po::Result;
using po::messages::Role;

static constexpr auto kReadyWithin = 30s;
static constexpr auto kServersDrain = 6s;
static constexpr auto kDrain = 10s;
static constexpr std::uint32_t kOwnersSeconds = 3;
static constexpr unsigned kStartAttempts = 3;
static constexpr auto kLogLook = 5s;
static constexpr auto kSessionKeysLife = 8h;

static bool is_owner(Role role) {
  return role == Role::kAccounts || role == Role::kQueue;
}

/// What a server may leave on its way through pipes (services.cc, descriptor_limit) has to be less than our
/// own limit also where the system sets that: else we could pass none any more.
static std::uint64_t most_for_a_server() {
  constexpr rlim_t kKeptBack = 1024;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return kKeptBack;
  return files.rlim_cur > 4 * kKeptBack ? files.rlim_cur - kKeptBack : files.rlim_cur / 2;
}

Supervisor::Supervisor(const po::Loop& loop, Instance& instance, LogFiles& files, po::Log& log,
                       Incarnations& incarnations, Hooks hooks)
    : loop_(loop),
      instance_(instance),
      files_(files),
      log_(log),
      incarnations_(incarnations),
      hooks_(std::move(hooks)),
      maildrops_(instance.config.program("maildrop"), log) {
  for (ChildSpec& spec : wanted_children(instance.config)) children_.emplace_back(std::move(spec));
}

Result<void> Supervisor::begin() {
  if (auto r = hub_.open(loop_, [this](std::string_view d) { on_datagram(d); }); !r) return r;
  if (instance_.ports.inetd) {
    hand_overs_.emplace(
        loop_, instance_.config, instance_.who.uid, log_,
        [this](const std::string& program, std::uint32_t serial, const po::messages::HandedClient& handed,
               Fd client) { return give_client(program, serial, handed, std::move(client)); });
    hand_overs_->open(std::move(instance_.ports.inetd));
  }
  log_timer_.every(loop_, kLogLook, [this] { look_after_log(); });
  session_keys_timer_.every(loop_, kSessionKeysLife, [this] {
    session_keys_.rotate();
    for (Child& child : children_) send_certificates(child);
  });
  advance();
  return {};
}

Supervisor::Child* Supervisor::find(Role role) {
  for (Child& child : children_) {
    if (child.spec.role == role) return &child;
  }
  return nullptr;
}

/// First starts, in order: accounts makes the directory that all others read, queue the store that servers
/// promise on.
void Supervisor::advance() {
  if (stopping()) return;
  bool all_up = true;
  for (Child& child : children_) {
    if (child.state == State::kWaiting) start_child(child);
    all_up = all_up && child.state == State::kUp;
    if (is_owner(child.spec.role) && child.state != State::kUp && !announced_) return;
  }
  if (!all_up || announced_) return;
  announced_ = true;
  log_.event("ready").kv("processes", children_.size());
  if (hooks_.on_ready) hooks_.on_ready();
}

void Supervisor::start_child(Child& child) {
  auto started = try_start(child);
  if (started) return;
  log_.event("child-start-failed").kv("name", child.spec.name).kv("error", started.error().text);
  enter(child, State::kDown);
  child.control.reset();
  schedule_restart(child, 0ms);
}

Result<void> Supervisor::try_start(Child& child) {
  WelcomeParts parts;
  auto number = incarnations_.next();
  if (!number) return tl::unexpected(number.error());
  auto notice = hub_.make_module_socket();
  if (!notice) return tl::unexpected(notice.error());
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return po::temporary("socketpair", errno);
  Fd ours(ends[0]), theirs(ends[1]);
  Fd log = files_.duplicate();

  SpawnRequest request;
  request.path = instance_.config.program(po::sandbox::row(child.spec.role)->executable);
  request.name = child.spec.name;
  request.control = theirs.get();
  request.log = log.get();
  request.notice = notice->socket.get();
  request.descriptors = descriptor_limit(instance_.config, child.spec.program);
  if (!is_owner(child.spec.role)) request.descriptors = std::min(request.descriptors, most_for_a_server());
  auto pid = spawn(request);
  if (!pid) return tl::unexpected(pid.error());

  parts.incarnation = child.incarnation = *number;
  parts.notice_key = random_key();
  parts.notice_port = hub_.port();
  parts.ticket_key = ticket_key_;
  parts.order_key = order_key_;
  child.pid = *pid;
  enter(child, State::kStarting);
  child.started = Clock::now();
  child.last = {};
  child.last_alive.reset();
  child.rate = 0;
  child.notices_in.emplace(*number, parts.notice_key);
  child.notices_out.emplace(0, parts.notice_key);  // the dispatcher speaks as incarnation 0
  child.notice_port = notice->port;
  child.control = std::make_unique<po::Channel>(
      loop_, std::move(ours), [this, &child](Frame& f) { return on_frame(child, f); },
      [this, &child](std::string_view why) { on_control_closed(child, why); });
  log_.event("child-started").kv("name", child.spec.name).kv("pid", *pid).kv("incarnation", *number);
  child.ready_timer.after(loop_, kReadyWithin, [this, &child] {
    log_.event("child-not-ready").kv("name", child.spec.name).kv("pid", child.pid);
    if (child.pid != 0) kill(child.pid, SIGKILL);
  });
  return wire(child, parts);
}

Result<void> Supervisor::wire(Child& child, const WelcomeParts& parts) {
  child.control->send(0, make_welcome(instance_, child.spec, parts));
  send_ports(*child.control, instance_, child.spec.program);
  for (Child& other : children_) {
    bool alive = other.state == State::kStarting || other.state == State::kUp;
    if (!alive || !other.control || !are_peers(child.spec.role, other.spec.role)) continue;
    auto r = connect_peers({*child.control, child.spec, child.incarnation},
                           {*other.control, other.spec, other.incarnation});
    if (!r) {
      kill(child.pid, SIGKILL);  // half wired is of no use; reap() and back-off try again
      return r;
    }
  }
  send_certificates(child);
  if (child.spec.role == Role::kAccounts) send_facts();
  child.control->send(0, po::messages::Start{});
  return {};
}

/// What goes on at once, a start or a stop of all, is told once.
void Supervisor::enter(Child& child, State state) {
  if (child.state == state) return;
  child.state = state;
  facts_soon_.soon(loop_, [this] { send_facts(); });
}

void Supervisor::send_facts() {
  Child* accounts = find(Role::kAccounts);
  if (accounts != nullptr && accounts->control)
    accounts->control->send(0, system_facts(instance_.config, rows()));
}

void Supervisor::send_certificates(Child& child) {
  if (!child.control || !wants_certificates(child.spec.role)) return;
  bool own = child.spec.role == Role::kWwwd && !instance_.web_certificates.empty();
  child.control->send(0, po::messages::Certificates{own ? instance_.web_certificates : instance_.certificates,
                                                    session_keys_.keys()});
}

// ---- what children say

bool Supervisor::on_frame(Child& child, Frame& frame) {
  po::messages::Ready ready;
  if (frame.decode(ready)) {
    if (child.state == State::kStarting) on_ready(child);
    return true;
  }
  po::messages::Took took;
  if (frame.decode(took)) return hand_overs_ && hand_overs_->took(child.incarnation, frame.serial);
  if (child.spec.role == Role::kUnixDeliver) return on_make_maildrop(child, frame);
  if (child.spec.role == Role::kLmtpDeliver) return on_ask_connection(child, frame);
  if (child.spec.role != Role::kAccounts) return false;  // nobody else has anything to say
  if (frame.is<po::messages::Administer>()) return on_administer(child, frame);
  if (frame.is<po::messages::AskConnection>()) return on_ask_connection(child, frame);
  return frame.is<po::messages::PassCommand>() && on_pass_command(child, frame);
}

void Supervisor::on_ready(Child& child) {
  enter(child, State::kUp);
  child.ready_timer.cancel();
  log_.event("child-ready").kv("name", child.spec.name).kv("pid", child.pid);
  advance_soon_.soon(loop_, [this] { advance(); });
  if (hand_overs_) hand_overs_->ready();
}

/// To each process of the program in turn.
std::uint32_t Supervisor::give_client(const std::string& program, std::uint32_t serial,
                                      const po::messages::HandedClient& handed, Fd client) {
  std::vector<Child*> ready;
  for (Child& child : children_) {
    if (child.spec.program == program && child.state == State::kUp && child.control && child.control->open())
      ready.push_back(&child);
  }
  if (ready.empty()) return 0;
  Child& child = *ready[turn_++ % ready.size()];
  child.control->send(serial, handed, std::move(client));
  return child.incarnation;
}

/// A child that closes its control socket, or writes garbage into it, is of no use; one that is ending anyway
/// may.
void Supervisor::on_control_closed(Child& child, std::string_view channel_says) {
  std::string why(channel_says);  // the channel's own words go with it
  child.control.reset();
  if (child.pid == 0) return;
  int status = 0;
  if (waitpid(child.pid, &status, WNOHANG) == child.pid) {
    // It ended at once when its socket was closed: the line must tell all the same why that was.
    if (why.starts_with("garbage")) log_.event("child-garbage").kv("name", child.spec.name).kv("why", why);
    return on_death(child, status);
  }
  if (child.state == State::kStopping) return;
  log_.event("child-killed").kv("name", child.spec.name).kv("pid", child.pid).kv("why", why);
  kill(child.pid, SIGKILL);
}

void Supervisor::on_datagram(std::string_view datagram) {
  auto sender = po::notice_sender(datagram);
  if (!sender) return;
  for (Child& child : children_) {
    if (child.incarnation != *sender || child.pid == 0 || !child.notices_in) continue;
    auto notice = child.notices_in->open(datagram);
    if (!notice) return;
    if (notice->kind == po::messages::NoticeKind::kAlive) return on_alive(child, *notice);
    if (child.spec.role != Role::kAccounts) return;
    for (Child& other : children_) {
      if (&other == &child || other.pid == 0 || !other.notices_out) continue;
      hub_.send(other.notice_port, other.notices_out->seal(*notice));
    }
    return;
  }
}

void Supervisor::on_alive(Child& child, const po::messages::Notice& notice) {
  auto now = Clock::now();
  if (child.last_alive && notice.served >= child.last.served) {
    double seconds = std::max(0.1, std::chrono::duration<double>(now - *child.last_alive).count());
    double rate = static_cast<double>(notice.served - child.last.served) / seconds;
    child.rate += (rate - child.rate) * std::min(1.0, seconds / 10);
  }
  child.last_alive = now;
  // A child that was started again counts from nothing, and `last` has been cleared for it. One that counts
  // backwards tells nothing of the time between, but what it says now is shown.
  if (notice.served >= child.last.served && notice.failures >= child.last.failures) {
    history_.add(module_name(child.spec.role), notice.served - child.last.served,
                 notice.failures - child.last.failures, std::time(nullptr));
  }
  child.last = notice;
}

// ---- death

void Supervisor::reap() {
  maildrops_.reap();
  // By pid, never by -1: only those that we started, and each only once.
  for (auto it = children_.begin(); it != children_.end();) {
    Child& child = *it++;  // on_death may take it off the list
    int status = 0;
    if (child.pid != 0 && waitpid(child.pid, &status, WNOHANG) == child.pid) on_death(child, status);
  }
}

void Supervisor::on_death(Child& child, int status) {
  auto lived = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - child.started);
  bool expected = child.state == State::kStopping;
  {
    auto line = log_.event(expected ? "child-stopped" : "child-died");
    line.kv("name", child.spec.name).kv("pid", child.pid);
    if (WIFSIGNALED(status)) line.kv("signal", WTERMSIG(status));
    if (WIFEXITED(status)) line.kv("exit", WEXITSTATUS(status));
  }
  child.pid = 0;
  enter(child, State::kDown);
  child.control.reset();
  child.ready_timer.cancel();
  if (hand_overs_) hand_overs_->gone(child.incarnation);
  if (stopping()) return after_death_while_stopping();
  if (child.dismissed) {
    children_.remove_if([&child](const Child& c) { return &c == &child; });
    return;
  }
  schedule_restart(child, lived);
}

void Supervisor::schedule_restart(Child& child, std::chrono::milliseconds lived) {
  ++child.restarts;
  if (!announced_ && child.restarts >= kStartAttempts) {
    log_.event("start-failed").kv("name", child.spec.name);
    if (hooks_.on_start_failed) hooks_.on_start_failed(child.spec.name);
    return;
  }
  auto delay = child.backoff.next(lived);
  log_.event("child-restart")
      .kv("name", child.spec.name)
      .kv("in_ms", delay.count())
      .kv("restarts", child.restarts);
  child.restart_timer.after(loop_, delay, [this, &child] {
    if (!stopping() && child.state == State::kDown) start_child(child);
  });
}

// ---- the end
// Servers first: what they have read to the end is still stored and answered. Then the owners of data.

void Supervisor::stop(std::string_view why, std::function<void()> when_gone) {
  when_gone_ = std::move(when_gone);
  if (stopping()) return;
  log_.event("stopping").kv("why", why);
  phase_ = Phase::kDraining;
  for (Child& child : children_) child.restart_timer.cancel();
  send_stop(true, static_cast<std::uint32_t>(kServersDrain.count()));
  drain_deadline_.after(loop_, kServersDrain + 500ms, [this] { kill_all(true); });
  last_deadline_.after(loop_, kDrain, [this] { kill_all(false); });
  after_death_while_stopping();
}

void Supervisor::send_stop(bool servers, std::uint32_t seconds) {
  for (Child& child : children_) {
    if (is_owner(child.spec.role) == servers || child.pid == 0) continue;
    enter(child, State::kStopping);
    child.ready_timer.cancel();
    if (child.control) child.control->send(0, po::messages::Stop{seconds});
  }
}

void Supervisor::kill_all(bool servers_only) {
  for (Child& child : children_) {
    if (child.pid == 0 || (servers_only && is_owner(child.spec.role))) continue;
    log_.event("child-killed")
        .kv("name", child.spec.name)
        .kv("pid", child.pid)
        .kv("why", "did not stop in time");
    kill(child.pid, SIGKILL);
  }
}

bool Supervisor::any_alive(bool servers_only) const {
  return std::any_of(children_.begin(), children_.end(), [servers_only](const Child& c) {
    return c.pid != 0 && !(servers_only && is_owner(c.spec.role));
  });
}

void Supervisor::after_death_while_stopping() {
  if (phase_ == Phase::kDraining && !any_alive(true)) {
    phase_ = Phase::kClosing;
    drain_deadline_.cancel();
    send_stop(false, kOwnersSeconds);
  }
  if (phase_ != Phase::kClosing || any_alive(false)) return;
  last_deadline_.cancel();
  auto when_gone = std::move(when_gone_);
  when_gone_ = {};
  if (when_gone) gone_.after(loop_, 0ms, when_gone);
}

void Supervisor::restart_modules() {
  stop("restart", [this] {
    phase_ = Phase::kRunning;
    children_.clear();
    for (ChildSpec& spec : wanted_children(instance_.config)) children_.emplace_back(std::move(spec));
    announced_ = false;
    hooks_.on_ready = {};
    advance();
  });
}

// ---- log files

void Supervisor::look_after_log() {
  if (files_.rotate_if_full()) hand_out_log();
}

void Supervisor::hand_out_log() {
  log_.replace(files_.duplicate());
  for (Child& child : children_) {
    if (child.control) child.control->send(0, po::messages::LogFile{}, files_.duplicate());
  }
}

}  // namespace dispatcher
