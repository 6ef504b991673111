#include "dispatcher/start.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "dispatcher/layout.h"
#include "dispatcher/supervisor.h"
#include "dispatcher/version.h"

namespace dispatcher {

using po::Fd;
using po::permanent;
using po::Result;
using po::config::Config;

// Modules that lost their dispatcher finish within 5 s; a start right after that waits for their ports and
// locks.
static constexpr int kWaitForPredecessor = 8;

/// Where the one who typed `start` hears how it went: directly, or through a pipe from the daemon.
class Report {
 public:
  explicit Report(Fd pipe) : pipe_(std::move(pipe)) {}
  void say(const std::string& line) const {
    std::string text = line + "\n";
    [[maybe_unused]] ssize_t n = write(pipe_ ? pipe_.get() : 2, text.data(), text.size());
  }
  /// A NUL tells the waiting parent that all is well; without it, end of file means failure.
  void done() {
    if (!pipe_) return;
    [[maybe_unused]] ssize_t n = write(pipe_.get(), "", 1);
    pipe_.reset();
  }

 private:
  Fd pipe_;
};

/// The parent's half of a daemon start: prints what comes, until the child is ready or gone.
static int wait_for_daemon(Fd from) {
  char buffer[4096];
  while (true) {
    ssize_t n = read(from.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 1;
    const void* nul = std::memchr(buffer, 0, static_cast<std::size_t>(n));
    auto text = nul != nullptr ? static_cast<std::size_t>(static_cast<const char*>(nul) - buffer)
                               : static_cast<std::size_t>(n);
    std::fwrite(buffer, 1, text, stderr);
    if (nul != nullptr) return 0;
  }
}

static void raise_descriptor_limit(const Config& config) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  rlim_t want = descriptor_limit(config, "post.office");
  if (files.rlim_max < want && geteuid() == 0) files.rlim_max = want;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

/// Whoever can write an executable is whoever runs it. Called also by `check`, which asks for more.
std::string examine_programs(const Config& config, unsigned suite_uid) {
  for (const ChildSpec& child : wanted_children(config)) {
    std::string path = config.program(child.program);
    struct stat st {};
    if (stat(path.c_str(), &st) != 0) {
      return fmt::format("{}: {}; install the programs there, or set program-directory", path,
                         std::strerror(errno));
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
      return fmt::format("{} is not an executable program", path);
    bool private_instance = geteuid() != 0;
    if (!private_instance && (st.st_uid == suite_uid || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
      return fmt::format("{} can be changed by others than root: chown root:root {} && chmod 0711 {}", path,
                         path, path);
    }
  }
  return {};
}

/// Readiness for systemd (sd_notify(3)); nothing if nobody asked for it.
static void notify_supervisor(const char* what) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::size_t length = std::strlen(path);
  if (length >= sizeof un.sun_path) return;
  std::memcpy(un.sun_path, path, length);
  if (un.sun_path[0] == '@') un.sun_path[0] = '\0';
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sendto(fd.get(), what, std::strlen(what), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&un),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

// ---- the phases

/// As root, or in a private instance as the caller. Everything here works on root's own directories and on
/// descriptors.
static Result<void> before_drop(Instance& instance, std::vector<InheritedSocket> inherited,
                                const Report& report, int wait) {
  Config& config = instance.config;
  bool root = geteuid() == 0;
  instance.private_instance = !root;
  if (!po::config::is_qualified_name(config.hostname)) {
    return permanent(fmt::format("the host name '{}' is not fully qualified; set hostname in {}",
                                 config.hostname, config.file));
  }
  auto who = root ? find_identity(config.user, config.group) : Result<Identity>(own_identity());
  if (!who) return tl::unexpected(who.error());
  instance.who = *who;
  if (!config.admin_group.empty()) {
    auto admins = find_admin_group(config.admin_group);
    if (!admins) return tl::unexpected(admins.error());
    instance.admin_gid = *admins;
  }
  auto kept = what_is_kept(config, root);
  if (!kept) return tl::unexpected(kept.error());
  instance.kept = std::move(*kept);
  if (std::string why = examine_programs(config, who->uid); !why.empty()) return permanent(why);
  raise_descriptor_limit(config);
  if (auto r = make_top_directories(config, *who); !r) return r;
  auto ports = bind_network_ports(config, std::move(inherited), wait);
  if (!ports) return tl::unexpected(ports.error());
  instance.ports = std::move(*ports);
  for (const std::string& warning : instance.ports.warnings) report.say("warning: " + warning);
  auto made = make_certificate_if_none(config, *who);
  if (!made) return tl::unexpected(made.error());
  if (*made) report.say(fmt::format("made a self-signed certificate in {}/tls", config.spool_directory));
  auto certificates = read_certificates(certificate_files(config));
  if (!certificates) return tl::unexpected(certificates.error());
  instance.certificates = std::move(*certificates);
  auto web = read_certificates(config.web_certificates);
  if (!web) return tl::unexpected(web.error());
  instance.web_certificates = std::move(*web);
  return {};
}

/// As the suite's user: everything below the trees.
struct RunState {
  std::optional<PidFile> pid_file;
  std::optional<Incarnations> incarnations;
};

static Result<RunState> after_drop(Instance& instance, LogFiles& files, int wait) {
  RunState state;
  if (auto r = make_inner_directories(instance.config, instance.who); !r) return tl::unexpected(r.error());
  auto pid_file = PidFile::lock(instance.config.run_path("pid"));
  if (!pid_file) return tl::unexpected(pid_file.error());
  state.pid_file.emplace(std::move(*pid_file));
  if (auto r = files.open(); !r) return tl::unexpected(r.error());
  files.remove_old();
  if (auto r = bind_unix_ports(instance.config, instance.ports, wait); !r) return tl::unexpected(r.error());
  auto incarnations = Incarnations::open(instance.config.run_path("incarnation"));
  if (!incarnations) return tl::unexpected(incarnations.error());
  state.incarnations.emplace(std::move(*incarnations));
  return state;
}

static void let_go_of_terminal(int log) {
  Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  dup2(null.get(), 0);
  dup2(null.get(), 1);
  dup2(log, 2);
}

static void remove_sockets(const Instance& instance) {
  for (const Port& port : instance.ports.ports) {
    if (port.endpoint().address.family == 0 && !port.inherited) unlink(port.endpoint().path.c_str());
  }
  if (instance.config.any_inetd()) unlink(instance.config.run_path("inetd").c_str());
}

static void say_ready(const Report& report, const Instance& instance) {
  std::string ports;
  for (const Port& p : instance.ports.ports) {
    if (p.endpoint().address.family != 0) ports += fmt::format(" {} {}", p.service.name, p.endpoint().text());
  }
  for (const auto& service : instance.config.services) {
    if (service.inetd && !service.off) ports += fmt::format(" {} inetd", service.name);
  }
  report.say(fmt::format("Post.Office {} on {} is ready:{}", kVersion, instance.config.hostname, ports));
}

/// From here on nothing holds privileges; runs until everything has stopped.
static int supervise(Instance& instance, LogFiles& files, RunState& state, Report& report, bool foreground) {
  po::Log log(files.duplicate(), "dispatcher");
  po::Loop loop;
  bool failed = false;
  std::optional<Supervisor> supervisor;
  auto stop = [&](const char* why) { supervisor->stop(why, [&loop] { loop.stop(); }); };
  Supervisor::Hooks hooks;
  hooks.on_ready = [&] {
    say_ready(report, instance);
    notify_supervisor("READY=1");
    if (!foreground) {
      Fd copy = files.duplicate();
      let_go_of_terminal(copy.get());
    }
    report.done();
  };
  hooks.on_start_failed = [&](const std::string& name) {
    failed = true;
    report.say(
        fmt::format("{} does not come up; the end of {}:\n{}", name, files.path(), tail_of(files.path(), 8)));
    stop("start failed");
  };
  supervisor.emplace(loop, instance, files, log, *state.incarnations, std::move(hooks));
  supervisor->set_on_stop_asked([&] { stop("asked by an administrator"); });

  // What is in force again once the events below are gone: a signal that comes when all has stopped must not
  // turn a clean end into a death by signal. Children begin with the defaults (spawn.cc).
  for (int s : {SIGTERM, SIGINT, SIGHUP}) signal(s, SIG_IGN);
  po::Event on_child, on_term, on_int, on_hup;
  on_child.on_signal(loop, SIGCHLD, [&] { supervisor->reap(); });
  on_term.on_signal(loop, SIGTERM, [&] { stop("SIGTERM"); });
  on_int.on_signal(loop, SIGINT, [&] { stop("SIGINT"); });
  on_hup.on_signal(loop, SIGHUP, [&] {
    auto done = supervisor->reload();
    if (!done) log.event("reload-failed").kv("error", done.error().text);
  });
  log.event("start")
      .kv("version", kVersion)
      .kv("hostname", instance.config.hostname)
      .kv("pid", getpid())
      .kv("private", instance.private_instance ? 1 : 0);
  if (auto r = supervisor->begin(); !r) {
    report.say("post.office: " + r.error().text);
    return 1;
  }
  loop.run();
  log.event("stopped").kv("pid", getpid());
  remove_sockets(instance);
  state.pid_file->release();
  return failed ? 1 : 0;
}

static int start_here(const Config& config, std::vector<InheritedSocket> inherited, Report report,
                      bool foreground) {
  auto fail = [&report](const po::Error& error) {
    report.say("post.office: " + error.text);
    return 1;
  };
  std::string pid_path = config.run_path("pid");
  if (auto holder = lock_holder(pid_path)) {
    return fail({po::Kind::kPermanent, 0, fmt::format("it runs already, as process {}", *holder)});
  }
  struct stat st {};
  bool unclean = stat(pid_path.c_str(), &st) == 0 && st.st_size > 0;
  int wait = unclean ? kWaitForPredecessor : 0;

  Instance instance;
  instance.config = config;
  LogFiles files(config, foreground && config.log_to == po::config::LogTo::kStderr);
  umask(022);
  if (auto r = before_drop(instance, std::move(inherited), report, wait); !r) return fail(r.error());
  if (!instance.private_instance) {
    if (auto r = become(instance.who, instance.kept); !r)
      return fail({r.error().kind, 0, "giving up root failed: " + r.error().text});
  }
  umask(077);
  if (chdir("/") != 0) return fail({po::Kind::kPermanent, errno, "chdir /"});
  signal(SIGPIPE, SIG_IGN);
  auto state = after_drop(instance, files, wait);
  if (!state) return fail(state.error());
  return supervise(instance, files, *state, report, foreground);
}

/// No descriptor of the caller's passes on, but the three standard ones and what a supervisor hands over.
static void close_inherited(const std::vector<InheritedSocket>& kept) {
  unsigned first = 3;  // they are numbered from 3
  for (const InheritedSocket& socket : kept)
    first = std::max(first, static_cast<unsigned>(socket.socket.get()) + 1);
  close_range(first, ~0U, 0);
}

int run_start(const Config& config, bool foreground) {
  std::vector<InheritedSocket> inherited = take_inherited_sockets();
  close_inherited(inherited);
  if (foreground) return start_here(config, std::move(inherited), Report(Fd()), true);
  if (config.log_to == po::config::LogTo::kStderr) {
    std::fprintf(stderr, "post.office: log stderr in %s needs start --foreground\n", config.file.c_str());
    return 1;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return 1;
  Fd from(ends[0]), to(ends[1]);
  pid_t pid = fork();
  if (pid < 0) {
    std::perror("post.office: fork");
    return 1;
  }
  if (pid > 0) {
    to.reset();
    return wait_for_daemon(std::move(from));
  }
  from.reset();
  setsid();
  std::_Exit(start_here(config, std::move(inherited), Report(std::move(to)), false));
}

}  // namespace dispatcher
