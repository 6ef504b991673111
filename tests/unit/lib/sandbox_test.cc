// Each row in a process of its own: confined, it tries what it must not do. Run once with all walls and once
// with Landlock left out, so that seccomp alone is seen to hold.
#include "lib/sandbox.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "lib/fd.h"

namespace {

using po::messages::Role;
namespace sandbox = po::sandbox;

const std::vector<Role> kRows = {Role::kAccounts, Role::kQueue, Role::kSmtpd, Role::kPop3d};

#ifndef POST_OFFICE_SANITIZED  // that build leaves openings for the sanitizers' reports

struct TemporaryDirectory {
  std::string path;
  TemporaryDirectory() {
    char name[] = "/tmp/sandbox_test.XXXXXX";
    path = mkdtemp(name);
    mkdir((path + "/store").c_str(), 0700);
    std::ofstream(path + "/outside") << "x";
  }
  ~TemporaryDirectory() {
    for (const char* f : {"/store/a", "/store/b", "/outside", "/store"}) remove((path + f).c_str());
    rmdir(path.c_str());
  }
};

sandbox::Paths paths_below(const std::string& dir, bool resolver = false) {
  sandbox::Paths p{dir + "/directory", dir + "/secrets", dir + "/store", {}};
  if (resolver) p.resolver_ports = {53};
  return p;
}

/// Runs `body` in a confined child; what it returns as text (empty: nothing wrong).
std::string in_child(Role role, const sandbox::Paths& paths, sandbox::Walls walls,
                     const std::function<std::string()>& body) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    signal(SIGABRT, SIG_DFL);  // not the test runner's
    auto done = sandbox::confine(role, paths, walls);
    std::string said = done ? body() : "confine: " + done.error().text;
    if (write(ends[1], said.data(), said.size()) < 0) _exit(2);
    _exit(0);
  }
  close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) said += " killed by signal " + std::to_string(WTERMSIG(status));
  return said;
}

/// Notes `name` unless the call failed with one of the errors of a wall.
void must_fail(std::string& out, const char* name, long result) {
  bool wall = result == -1 && (errno == ENOSYS || errno == EACCES || errno == EPERM);
  if (!wall)
    out +=
        std::string(name) + " was let through (" + (result == -1 ? strerrorname_np(errno) : "done") + "); ";
}

std::string forbidden_everywhere(const std::string& dir, pid_t parent) {
  std::string out;
  std::string outside = dir + "/outside";
  must_fail(out, "execve", syscall(SYS_execve, "/bin/true", nullptr, nullptr));
  must_fail(out, "fork", syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  must_fail(out, "ptrace", ptrace(PTRACE_ATTACH, parent, nullptr, nullptr));
  must_fail(out, "kill", kill(parent, SIGCONT));
  must_fail(out, "tgkill", syscall(SYS_tgkill, parent, parent, SIGCONT));
  must_fail(out, "tkill", syscall(SYS_tkill, parent, SIGCONT));
  must_fail(out, "pidfd_open", syscall(SYS_pidfd_open, parent, 0));
  must_fail(out, "process_vm_readv", syscall(SYS_process_vm_readv, parent, nullptr, 0, nullptr, 0, 0));
  rlimit limit{0, 0};
  must_fail(out, "prlimit of another", prlimit(parent, RLIMIT_NOFILE, nullptr, &limit));
  must_fail(out, "setrlimit", prlimit(0, RLIMIT_NOFILE, &limit, nullptr));
  must_fail(out, "prctl dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
  must_fail(out, "truncate", truncate(outside.c_str(), 0));
  must_fail(out, "chmod", chmod(outside.c_str(), 0777));
  must_fail(out, "chown", chown(outside.c_str(), 0, 0));
  must_fail(out, "setxattr", setxattr(outside.c_str(), "user.x", "1", 1, 0));
  must_fail(out, "symlink", symlink("/etc", (dir + "/link").c_str()));
  must_fail(out, "mknod", mknod((dir + "/fifo").c_str(), S_IFIFO | 0600, 0));
  must_fail(out, "open outside", open(outside.c_str(), O_RDONLY));
  must_fail(out, "open /etc/passwd", open("/etc/passwd", O_RDONLY));
  must_fail(out, "unix socket", socket(AF_UNIX, SOCK_STREAM, 0));
  must_fail(out, "raw socket", socket(AF_INET, SOCK_RAW, 1));
  must_fail(out, "netlink socket", socket(AF_NETLINK, SOCK_RAW, 0));
  must_fail(out, "bind", bind(0, nullptr, 0));
  must_fail(out, "listen", listen(0, 1));
  must_fail(out, "F_SETOWN", fcntl(0, F_SETOWN, parent));
  must_fail(out, "io_uring", syscall(SYS_io_uring_setup, 1, nullptr));
  must_fail(out, "bpf", syscall(SYS_bpf, 0, nullptr, 0));
  must_fail(out, "keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
  must_fail(out, "memfd_create", syscall(SYS_memfd_create, "x", 0));
  must_fail(out, "setuid", setuid(0));
  must_fail(out, "chroot", chroot("/"));
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must_fail(out, "executable mmap", page == MAP_FAILED ? -1 : 0);
  page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) out += "plain mmap refused; ";
  must_fail(out, "mprotect executable", mprotect(page, 4096, PROT_READ | PROT_EXEC));
  return out;
}

#endif

}  // namespace

#ifndef POST_OFFICE_SANITIZED

TEST_CASE("no row can do what no row may") {
  TemporaryDirectory dir;
  pid_t parent = getpid();
  for (Role role : kRows) {
    CAPTURE(po::messages::role_name(role));
    CHECK(in_child(role, paths_below(dir.path, true), sandbox::Walls::kAll,
                   [&] { return forbidden_everywhere(dir.path, parent); }) == "");
  }
}

TEST_CASE("seccomp alone holds, but for paths of the row that opens files") {
  TemporaryDirectory dir;
  pid_t parent = getpid();
  for (Role role : {Role::kAccounts, Role::kSmtpd, Role::kPop3d}) {
    CAPTURE(po::messages::role_name(role));
    CHECK(in_child(role, paths_below(dir.path), sandbox::Walls::kSeccompOnly,
                   [&] { return forbidden_everywhere(dir.path, parent); }) == "");
  }
}

TEST_CASE("sockets and threads only where the row says so") {
  TemporaryDirectory dir;
  auto open_socket = [] {
    return std::string(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0 ? "socket" : "");
  };
  auto make_thread = [] {
    try {
      std::thread([] {}).join();
    } catch (const std::exception&) {
      return std::string();
    }
    return std::string("thread");
  };
  for (Role role : kRows) {
    CAPTURE(po::messages::role_name(role));
    const sandbox::Row& row = *sandbox::row(role);
    CHECK(in_child(role, paths_below(dir.path, true), sandbox::Walls::kAll, open_socket) ==
          ((row.calls & sandbox::kResolver) != 0 ? "socket" : ""));
    CHECK(in_child(role, paths_below(dir.path, false), sandbox::Walls::kAll, open_socket) == "");
    CHECK(in_child(role, paths_below(dir.path), sandbox::Walls::kAll, make_thread) ==
          ((row.calls & sandbox::kThreads) != 0 ? "thread" : ""));
  }
}

TEST_CASE("a server reaches resolvers over TCP, no other port") {
  TemporaryDirectory dir;
  auto connect_to = [](std::uint16_t port) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = connect(fd, reinterpret_cast<sockaddr*>(&in), sizeof in);
    return r == 0 ? 0 : errno;
  };
  std::string said = in_child(Role::kSmtpd, paths_below(dir.path, true), sandbox::Walls::kAll, [&] {
    int allowed = connect_to(53), other = connect_to(54);
    return std::string(allowed == EACCES ? "53 refused;" : "") +
           (other == EACCES ? "54 refused" : "54 allowed");
  });
  // A kernel without Landlock's network rules lets both through; then the log says so and seccomp's list is
  // all there is.
  CHECK((said == "54 refused" || said == "54 allowed"));
}

TEST_CASE("queue works in the store and nowhere else") {
  TemporaryDirectory dir;
  std::string a = dir.path + "/store/a", b = dir.path + "/store/b", out = dir.path + "/outside";
  CHECK(in_child(Role::kQueue, paths_below(dir.path), sandbox::Walls::kAll, [&]() -> std::string {
          int fd = open(a.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
          if (fd < 0) return "create";
          if (pwrite(fd, "x", 1, 0) != 1 || fdatasync(fd) != 0) return "write";
          if (renameat(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str()) != 0) return "rename";
          if (renameat(AT_FDCWD, b.c_str(), AT_FDCWD, out.c_str()) == 0) return "rename out of the store";
          if (unlinkat(AT_FDCWD, b.c_str(), 0) != 0) return "unlink";
          if (unlinkat(AT_FDCWD, out.c_str(), 0) == 0) return "unlink outside";
          return "";
        }) == "");
}

TEST_CASE("abort still aborts, and leaves no core") {
  TemporaryDirectory dir;
  for (Role role : kRows) {
    std::string said =
        in_child(role, paths_below(dir.path), sandbox::Walls::kAll, []() -> std::string { abort(); });
    CHECK(said == " killed by signal 6");
  }
}

#endif

TEST_CASE("only confined processes have a row") {
  CHECK(sandbox::row(Role::kDispatcher) == nullptr);
  CHECK(sandbox::row(Role::kCommand) == nullptr);
  CHECK_FALSE(sandbox::confine(Role::kDispatcher, {}).has_value());
  CHECK(sandbox::table().size() == kRows.size());
}

TEST_CASE("internals.7 prints the table") {
  std::ifstream page("man/internals.7");
  std::string text((std::istreambuf_iterator<char>(page)), {});
  REQUIRE_FALSE(text.empty());
  for (const sandbox::Row& row : sandbox::table()) {
    CAPTURE(row.executable);
    for (std::string cell :
         {std::string(row.executable), std::string(row.descriptors), std::string(row.peers),
          std::string(row.files), std::string(row.sockets), sandbox::calls_text(row.calls)}) {
      CAPTURE(cell);
      CHECK(text.find(cell) != std::string::npos);
    }
  }
}
