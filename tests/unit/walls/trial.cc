#include "tests/unit/walls/trial.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <stdexcept>

namespace walls {

using Kind = Outcome::Kind;

static constexpr int kNotConfined = 99;
static constexpr unsigned kSeconds = 60;  // no call should block; one that does is seen as let through
static constexpr int kNumbers = 1024;

bool Outcome::refused() const {
  if (kind == Kind::kErrno) return value == ENOSYS || value == EACCES || value == EPERM;
  return kind == Kind::kSignal && value == SIGSYS;
}

std::string Outcome::text() const {
  if (kind == Kind::kDone) return "done";
  if (kind == Kind::kErrno) {
    const char* name = strerrorname_np(value);
    return name != nullptr ? name : std::to_string(value);
  }
  if (kind == Kind::kSignal) return std::string("SIG") + sigabbrev_np(value);
  return "?";
}

/// Outcomes that the children write and the parent reads.
class Shared {
 public:
  explicit Shared(std::size_t count) : count_(count) {
    void* p = mmap(nullptr, size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) throw std::runtime_error("no shared memory");
    at_ = static_cast<Outcome*>(p);
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { munmap(at_, size()); }
  Outcome& operator[](std::size_t i) { return at_[i]; }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  [[nodiscard]] std::size_t size() const { return count_ * sizeof(Outcome) + 1; }
  std::size_t count_;
  Outcome* at_ = nullptr;
};

static void confine_or_exit(const Scene& scene, const Walls& walls) {
  if (walls.row == nullptr) return;
  po::sandbox::Paths paths{scene.path("directory"), scene.path("secrets"),   scene.path("store"),
                           scene.path("logs"),      scene.path("maildrops"), {scene.resolver_port()}};
  auto confined = po::sandbox::confine(walls.row->role, paths, walls.landlock);
  if (confined) return;
  std::fprintf(stderr, "%s\n", confined.error().text.c_str());
  _exit(kNotConfined);
}

/// From `first` on, until a call is let through: what it did may spoil the next ones.
[[noreturn]] static void child(const Scene& scene, const Walls& walls, Shared& out, std::size_t first,
                               const std::function<long(std::size_t)>& run) {
  for (int s : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM, SIGTERM}) signal(s, SIG_DFL);
  scene.enter();
  alarm(kSeconds);
  confine_or_exit(scene, walls);
  for (std::size_t i = first; i < out.count(); ++i) {
    out[i].kind = Kind::kRunning;
    errno = 0;
    long r = run(i);
    out[i].value = r == -1 ? errno : 0;
    out[i].kind = r == -1 ? Kind::kErrno : Kind::kDone;
    if (!out[i].refused()) break;
  }
  _exit(0);
}

/// What became of the child that tried calls from `first` on; the next to try.
static std::size_t collect(Shared& out, std::size_t first, pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotConfined) throw std::runtime_error("not confined");
  std::size_t i = first;
  while (i < out.count() && (out[i].kind == Kind::kDone || out[i].kind == Kind::kErrno)) ++i;
  if (i < out.count() &&
      out[i].kind == Kind::kRunning) {  // it ended inside: killed, or another program's exit
    out[i].kind = WIFSIGNALED(status) ? Kind::kSignal : Kind::kDone;
    out[i].value = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ++i;
  }
  if (i == first) throw std::runtime_error("a child did nothing");
  return i;
}

static void try_all(const Scene& scene, const Walls& walls, Shared& out,
                    const std::function<long(std::size_t)>& run) {
  for (std::size_t next = 0; next < out.count();) {
    scene.restore();
    std::fflush(nullptr);
    pid_t pid = fork();
    if (pid < 0) throw std::runtime_error("fork");
    if (pid == 0) child(scene, walls, out, next, run);
    next = collect(out, next, pid);
  }
}

std::vector<Outcome> try_calls(const Scene& scene, const Walls& walls, const std::vector<Call>& calls) {
  Shared shared(calls.size());
  try_all(scene, walls, shared, [&](std::size_t i) { return calls[i].run(scene); });
  std::vector<Outcome> out;
  for (std::size_t i = 0; i < calls.size(); ++i) out.push_back(shared[i]);
  return out;
}

std::vector<int> reachable_calls(const Scene& scene, const Walls& walls) {
  std::set<int> found;
  for (long argument : {1L, -1L}) {
    Shared shared(kNumbers);
    try_all(scene, walls, shared, [&](std::size_t number) {
      return syscall(static_cast<long>(number), argument, argument, argument, argument, argument, argument);
    });
    for (int i = 0; i < kNumbers; ++i) {
      const Outcome& outcome = shared[static_cast<std::size_t>(i)];
      // uprobe and uretprobe pass every filter; from elsewhere than the kernel's own page they do nothing, or
      // kill.
      bool probe = (outcome.kind == Kind::kSignal && outcome.value == SIGILL) ||
                   (outcome.kind == Kind::kErrno && outcome.value == ENXIO);
      if (!outcome.refused() && !probe) found.insert(i);
    }
  }
  return {found.begin(), found.end()};
}

std::vector<int> landlock_versions() {
  std::vector<int> out;
  for (int version : {po::sandbox::kNewestLandlock, 2, 0}) {
    int here = std::min(version, po::sandbox::landlock_version());
    if (std::find(out.begin(), out.end(), here) == out.end()) out.push_back(here);
  }
  return out;
}

}  // namespace walls
