#include "lib/module.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <vector>

#include "lib/notice.h"
#include "lib/sandbox.h"

namespace po {

using namespace messages;

static constexpr int kControlFd = 3;
static constexpr int kLogFd = 4;
static constexpr int kNoticeFd = 5;
static constexpr int kStartSeconds = 30;
static constexpr std::uint32_t kOrphanSeconds = 5;

struct Module::Impl {
  Role role = Role::kDispatcher;
  Loop loop;
  Welcome welcome;
  Log log;
  Fd notice_socket;
  Fd control_fd;
  std::vector<BlockingChannel::Received> before_start;
  std::unique_ptr<Channel> control;
  std::optional<NoticeWriter> notice_writer;
  std::optional<NoticeReader> notice_reader;
  ModuleHandler* handler = nullptr;
  Event alive, notices, deadline;
  bool stopping = false;

  bool on_frame(Frame& frame);
  void on_stop(std::uint32_t seconds);
  void send_notice(const Notice& notice);
  void send_alive();
  void read_notices();
  std::vector<std::uint16_t> resolver_ports() const;
};

void die(Log& log, std::string_view what, std::string_view why) {
  log.event("fatal").kv("what", what).kv("error", why);
  std::exit(1);
}

/// The dispatcher alone speaks to a module: a terminal's Ctrl-C or a supervisor's signal to the group is for
/// it. What may not be written is an error where it is written.
static void ignore_signals() {
  for (int s : {SIGPIPE, SIGXFSZ, SIGINT, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2}) signal(s, SIG_IGN);
}

Module Module::start_or_die(Role role) {
  ignore_signals();
  auto impl = std::make_unique<Impl>();
  impl->role = role;
  impl->log = Log(Fd(kLogFd), role_name(role));
  impl->notice_socket = Fd(kNoticeFd);
  if (fcntl(kControlFd, F_GETFD) < 0 || fcntl(kLogFd, F_GETFD) < 0) {
    static constexpr std::string_view kWhy =
        "This program is started by the dispatcher: use 'post.office start'.\n";
    [[maybe_unused]] ssize_t n = ::write(2, kWhy.data(), kWhy.size());
    std::exit(64);
  }
  for (int fd : {kControlFd, kLogFd, kNoticeFd}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  BlockingChannel control{Fd(kControlFd)};
  bool welcomed = false;
  for (;;) {
    auto frame = control.receive(kStartSeconds);
    if (!frame) die(impl->log, "start", frame.error().text);
    if (!welcomed) {
      welcomed = frame->decode(impl->welcome) && impl->welcome.version == kVersion;
      if (!welcomed) die(impl->log, "start", "the dispatcher is of another version: restart post.office");
      impl->log.set_proc(impl->welcome.name);
    } else if (frame->type == Start::kType) {
      break;
    } else {
      impl->before_start.push_back(std::move(*frame));
    }
  }
  impl->control_fd = control.release();
  impl->notice_writer.emplace(impl->welcome.incarnation, impl->welcome.notice_key);
  impl->notice_reader.emplace(0, impl->welcome.notice_key);
  return Module(std::move(impl));
}

Module::Module(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Module::Module(Module&&) noexcept = default;
Module::~Module() = default;

const Welcome& Module::welcome() const {
  return impl_->welcome;
}
const Loop& Module::loop() const {
  return impl_->loop;
}
Log& Module::log() {
  return impl_->log;
}
void Module::finished() {
  impl_->loop.stop();
}
Channel& Module::control() {
  return *impl_->control;
}

std::vector<std::uint16_t> Module::Impl::resolver_ports() const {
  std::vector<std::uint16_t> ports;
  for (const std::string& r : welcome.resolvers) {
    auto colon = r.rfind(':');
    bool has_port = colon != std::string::npos && (r.find(':') == colon || r.find("]:") + 1 == colon);
    int port = has_port ? std::atoi(r.c_str() + colon + 1) : 53;
    if (port > 0 && port < 65536) ports.push_back(static_cast<std::uint16_t>(port));
  }
  return ports;
}

void Module::confine_or_die() {
  sandbox::Paths paths;
  paths.directory = impl_->welcome.directory_path;
  if (impl_->role == Role::kAccounts) paths.secrets = impl_->welcome.store_path + "/secrets";
  if (impl_->role == Role::kQueue) paths.store = impl_->welcome.store_path + "/store";
  if (impl_->role == Role::kStory) paths.logs = impl_->welcome.log_path;
  if (impl_->role == Role::kUnixDeliver) paths.maildrops = impl_->welcome.maildrop_path;
  paths.resolver_ports = impl_->resolver_ports();
  auto confined = sandbox::confine(impl_->role, paths);
  if (!confined) die(impl_->log, "confine", confined.error().text);
  LogLine line = impl_->log.event("confined");
  line.kv("landlock_abi", confined->landlock);
  if (!confined->off.empty()) line.kv("off", confined->off);
}

int Module::run(ModuleHandler& handler) {
  Impl& m = *impl_;
  m.handler = &handler;
  m.control = std::make_unique<Channel>(
      m.loop, std::move(m.control_fd), [&m](Frame& f) { return m.on_frame(f); },
      [&m](std::string_view why) {
        m.log.event("dispatcher-gone").kv("why", why);
        m.on_stop(kOrphanSeconds);
      });
  for (auto& r : m.before_start) {
    Frame frame{r.type, r.serial, r.payload, std::move(r.fd)};
    if (!m.on_frame(frame)) die(m.log, "start", "unexpected control frame");
  }
  m.before_start.clear();
  if (m.notice_socket) {
    m.alive.every(m.loop, std::chrono::seconds(1), [&m] { m.send_alive(); });
    m.notices.on_readable(m.loop, m.notice_socket.get(), [&m] { m.read_notices(); });
  }
  m.control->send(0, Ready{});
  m.loop.run();
  m.log.event("stopped");
  return 0;
}

bool Module::Impl::on_frame(Frame& frame) {
  Listen listen;
  Peer peer;
  Certificates certificates;
  LogFile log_file;
  Stop stop;
  if (frame.decode(listen) && frame.fd) {
    handler->on_listen(listen, std::move(frame.fd));
  } else if (frame.decode(peer) && frame.fd) {
    handler->on_peer(peer, std::move(frame.fd));
  } else if (frame.decode(certificates)) {
    handler->on_certificates(certificates);
  } else if (frame.decode(log_file) && frame.fd) {
    log.replace(std::move(frame.fd));
  } else if (frame.decode(stop)) {
    on_stop(stop.seconds);
  } else {
    return handler->on_control(frame);
  }
  return true;
}

void Module::Impl::on_stop(std::uint32_t seconds) {
  if (stopping) return;
  stopping = true;
  deadline.after(loop, std::chrono::seconds(seconds), [this] { loop.stop(); });
  handler->on_stop(seconds);
}

void Module::Impl::send_notice(const Notice& notice) {
  std::string datagram = notice_writer->seal(notice);
  ::send(notice_socket.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Module::Impl::send_alive() {
  Counters c = handler->counters();
  Notice notice;
  notice.sessions = c.sessions;
  notice.served = c.served;
  notice.failures = c.failures;
  send_notice(notice);
}

void Module::notify_directory(std::uint64_t generation) {
  Notice notice;
  notice.kind = NoticeKind::kDirectory;
  notice.generation = generation;
  if (impl_->notice_socket) impl_->send_notice(notice);
}

void Module::Impl::read_notices() {
  char buffer[1024];
  for (int i = 0; i < 16; ++i) {
    ssize_t n = ::recv(notice_socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n <= 0) return;
    auto notice = notice_reader->open({buffer, static_cast<std::size_t>(n)});
    if (notice && notice->kind == NoticeKind::kDirectory) handler->on_directory_changed(notice->generation);
  }
}

}  // namespace po
