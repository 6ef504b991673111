#include "dispatcher/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <vector>

#include "lib/fd.h"

namespace dispatcher {

using po::Fd;
using po::Result;

/// Nothing is inherited but what the sanitizers of a test build need. A confined process cannot attach to
/// itself, so the leak checker stays off there.
static std::vector<std::string> child_environment() {
  std::vector<std::string> out;
#ifdef POST_OFFICE_SANITIZED
  const char* asan = std::getenv("ASAN_OPTIONS");
  const char* ubsan = std::getenv("UBSAN_OPTIONS");
  out.push_back(fmt::format("ASAN_OPTIONS={}{}detect_leaks=0", asan != nullptr ? asan : "",
                            asan != nullptr ? ":" : ""));
  if (ubsan != nullptr) out.push_back(fmt::format("UBSAN_OPTIONS={}", ubsan));
#endif
  return out;
}

static void reset_signals() {
  for (int s = 1; s < NSIG; ++s) {
    if (s != SIGKILL && s != SIGSTOP) signal(s, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Puts the descriptors in place; everything else closes at exec. `report` moves out of the way, to the
/// number returned.
static int place_descriptors(const SpawnRequest& request, int report) {
  constexpr int kAbove = 16;  // no source may lie where a target will be
  int control = fcntl(request.control, F_DUPFD, kAbove);
  int log = fcntl(request.log, F_DUPFD, kAbove);
  int notice = fcntl(request.notice, F_DUPFD, kAbove);
  report = fcntl(report, F_DUPFD_CLOEXEC, kAbove);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  bool ok = control >= 0 && log >= 0 && notice >= 0 && report >= 0 && null >= 0 && dup2(null, 0) == 0 &&
            dup2(null, 1) == 1 && dup2(log, 2) == 2 && dup2(control, 3) == 3 && dup2(log, 4) == 4 &&
            dup2(notice, 5) == 5 && close_range(6, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
  return ok ? report : -1;
}

static bool set_limits(std::uint64_t descriptors) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return false;
  files.rlim_cur = files.rlim_max = std::min<rlim_t>(files.rlim_max, descriptors);
  rlimit none{0, 0};
  return setrlimit(RLIMIT_NOFILE, &files) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
}

[[noreturn]] static void become_program(const SpawnRequest& request, int report, char* const* argv,
                                        char* const* envp) {
  setsid();  // a terminal's Ctrl-C is for the dispatcher alone
  reset_signals();
  umask(077);
  int placed = place_descriptors(request, report);
  if (placed >= 0 && set_limits(request.descriptors) && chdir("/") == 0)
    execve(request.path.c_str(), argv, envp);
  int error = errno;
  [[maybe_unused]] ssize_t n = write(placed >= 0 ? placed : report, &error, sizeof error);
  _exit(127);
}

Result<pid_t> spawn(const SpawnRequest& request) {
  std::string name = request.name;
  char* argv[] = {name.data(), nullptr};
  std::vector<std::string> environment = child_environment();
  std::vector<char*> envp;
  for (std::string& e : environment) envp.push_back(e.data());
  envp.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return po::temporary("pipe", errno);
  Fd from(ends[0]), to(ends[1]);
  pid_t pid = fork();
  if (pid < 0) return po::temporary(fmt::format("cannot start {}", request.name), errno);
  if (pid == 0) become_program(request, to.get(), argv, envp.data());
  to.reset();
  int error = 0;
  ssize_t n = 0;
  do n = read(from.get(), &error, sizeof error);
  while (n < 0 && errno == EINTR);
  if (n == 0) return pid;  // closed by exec
  waitpid(pid, nullptr, 0);
  return po::temporary(fmt::format("cannot execute {}", request.path), n == sizeof error ? error : EIO);
}

}  // namespace dispatcher
