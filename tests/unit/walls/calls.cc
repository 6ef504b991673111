// The list of what is tried. A call that the walls refuse must do something, or fail otherwise, where there
// are none: arguments are chosen so, and so that the machine takes no harm when root tries them unconfined.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "tests/unit/walls/trial.h"

namespace walls {
namespace {

using po::sandbox::Row;

// Numbers that Debian 12's headers lack; they are the same on all architectures.
constexpr long kListmount = 458, kStatmount = 457, kLsmSetSelfAttr = 460, kFchmodat2 = 452, kSetxattrat = 463,
               kRemovexattrat = 466, kCachestat = 451, kOpenTreeAttr = 467, kFileSetattr = 469,
               kMapShadowStack = 453, kMseal = 462, kQuotactlFd = 443, kMemfdSecret = 447,
               kProcessMrelease = 448, kFutexWake = 454, kMountSetattr = 442;
constexpr int kTcpLandlock = 4;

bool given_bodies(const Row& row, int landlock) {
  return (row.calls & po::sandbox::kBodies) != 0 && landlock > 0;
}
bool given_logs(const Row& row, int landlock) {
  return (row.calls & po::sandbox::kLogs) != 0 && landlock > 0;
}
bool given_maildrops(const Row& row, int landlock) {
  return (row.calls & po::sandbox::kMaildrops) != 0 && landlock > 0;
}
bool given_cut(const Row& row, int landlock) {
  return (row.calls & po::sandbox::kBodies) != 0 || given_maildrops(row, landlock);
}
bool given_look(const Row& row, int landlock) {
  return given_cut(row, landlock) || given_logs(row, landlock);
}
bool given_udp(const Row& row, int) {
  return (row.calls & po::sandbox::kResolver) != 0;
}
bool given_sendto(const Row& row, int landlock) {
  return (row.calls & po::sandbox::kResolver) != 0 && (row.calls & po::sandbox::kConnect) == 0 &&
         landlock < kTcpLandlock;
}
bool given_connect(const Row& row, int) {
  return (row.calls & po::sandbox::kConnect) != 0;
}
bool given_tcp(const Row& row, int landlock) {
  return given_connect(row, landlock) ||
         ((row.calls & po::sandbox::kResolver) != 0 && landlock >= kTcpLandlock);
}
bool given_threads(const Row& row, int) {
  return (row.calls & po::sandbox::kThreads) != 0;
}
bool given_database(const Row& row, int) {
  return (row.calls & po::sandbox::kDatabase) != 0;
}
bool given_all(const Row&, int) {
  return true;
}

long call(long number, auto... arguments) {
  return syscall(number, arguments...);
}

/// A new process goes at once.
long gone_if_child(long r) {
  if (r == 0) _exit(0);
  if (r > 0) waitpid(static_cast<pid_t>(r), nullptr, 0);
  return r;
}

long mapped(void* p) {
  return p == MAP_FAILED ? -1 : 0;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return in;
}

socklen_t unix_address(const std::string& name, sockaddr_un& un) {
  un = {};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, name.data(), std::min(name.size(), sizeof un.sun_path - 1));
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
}

long connect_unix(const std::string& name, int type) {
  sockaddr_un un{};
  socklen_t length = unix_address(name, un);
  int fd = socket(AF_UNIX, type, 0);
  return fd < 0 ? -1 : connect(fd, reinterpret_cast<sockaddr*>(&un), length);
}

/// By a pair's end, which needs no socket(): datagram ends can be connected anew.
long connect_unix_pair(const std::string& name) {
  sockaddr_un un{};
  socklen_t length = unix_address(name, un);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) return -1;
  return connect(ends[0], reinterpret_cast<sockaddr*>(&un), length);
}

long connect_inet(int fd, std::uint16_t port) {
  sockaddr_in in = loopback(port);
  return fd < 0 ? -1 : connect(fd, reinterpret_cast<sockaddr*>(&in), sizeof in);
}

/// A connection that was accepted can be disconnected, and then connected to another place.
long reconnect(std::uint16_t port) {
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  if (connect(kClient, &none, sizeof none) != 0) return -1;
  return connect_inet(kClient, port);
}

long send_fast_open(std::uint16_t port) {
  sockaddr_in in = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return -1;
  return sendto(fd, "x", 1, MSG_FASTOPEN, reinterpret_cast<sockaddr*>(&in), sizeof in);
}

long send_message_fast_open(std::uint16_t port) {
  sockaddr_in in = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return -1;
  iovec iov{const_cast<char*>("x"), 1};
  msghdr m{};
  m.msg_name = &in;
  m.msg_namelen = sizeof in;
  m.msg_iov = &iov;
  m.msg_iovlen = 1;
  return sendmsg(fd, &m, MSG_FASTOPEN);
}

long bind_inet(int type) {
  sockaddr_in in = loopback(0);
  int fd = socket(AF_INET, type, 0);
  return fd < 0 ? -1 : bind(fd, reinterpret_cast<sockaddr*>(&in), sizeof in);
}

long send_datagram(int fd, std::uint16_t port) {
  sockaddr_in in = loopback(port);
  return fd < 0 ? -1 : sendto(fd, "x", 1, MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&in), sizeof in);
}

long send_message(int fd, std::uint16_t port) {
  sockaddr_in in = loopback(port);
  iovec iov{const_cast<char*>("x"), 1};
  msghdr m{};
  m.msg_name = &in;
  m.msg_namelen = sizeof in;
  m.msg_iov = &iov;
  m.msg_iovlen = 1;
  return fd < 0 ? -1 : sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// As a resolver is asked where connect is given.
long ask_by_udp(std::uint16_t port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  if (connect_inet(fd, port) == 0) return send(fd, "x", 1, MSG_NOSIGNAL);
  return send_datagram(fd, port);
}

/// `bytes` of the other process, which was made by fork and has the same things in the same places.
char harmless = 'x';
long read_memory(const Scene& s) {
  char into = 0;
  iovec local{&into, 1}, remote{&harmless, 1};
  return call(SYS_process_vm_readv, s.victim(), &local, 1, &remote, 1, 0);
}
long write_memory(const Scene& s) {
  char from = 'x';
  iovec local{&from, 1}, remote{&harmless, 1};
  return call(SYS_process_vm_writev, s.victim(), &local, 1, &remote, 1, 0);
}

long make_executable(int number) {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 0;  // not the question here: seen as let through
  return call(number, page, 4096, PROT_READ | PROT_EXEC, -1);
}

/// The 32-bit entry, with its own numbers: getpid. A kernel without it answers with a signal.
sigjmp_buf no_entry;
long enter_i386() {
#ifdef __x86_64__
  signal(SIGSEGV, [](int) { siglongjmp(no_entry, 1); });
  if (sigsetjmp(no_entry, 1) == 0) {
    long r = 20;
    asm volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
    return r;
  }
#endif
  errno = ENOSYS;
  return -1;
}

long make_thread() {
  try {
    std::thread([] {}).join();
  } catch (const std::exception&) {
    errno = ENOSYS;
    return -1;
  }
  return 0;
}

class List {
 public:
  using Run = std::function<long(const Scene&)>;
  using Given = bool (*)(const Row&, int);
  void group(const char* name) { group_ = name; }
  void add(std::string name, Run run, Given given = nullptr) {
    calls_.push_back({group_, std::move(name), std::move(run), given});
  }
  std::vector<Call> take() { return std::move(calls_); }

 private:
  const char* group_ = "";
  std::vector<Call> calls_;
};

// ---- files

// Flags are those that the filters of queue and story let through wherever they do, so that it is Landlock
// that is tried.
constexpr int kRead = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
constexpr int kAppend = O_RDWR | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
constexpr int kList = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_DIRECTORY;  // as opendir has them
constexpr int kMake = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;

void add_open(List& l, const std::string& what, const std::function<std::string(const Scene&)>& path,
              int flags, List::Given given = nullptr) {
  struct {
    std::uint64_t flags, mode, resolve;
  } how{static_cast<std::uint64_t>(flags), (flags & O_CREAT) != 0 ? 0600U : 0U, 0};
  l.add(
      "openat: " + what,
      [=](const Scene& s) { return call(SYS_openat, AT_FDCWD, path(s).c_str(), flags, 0600); }, given);
  l.add("openat2: " + what,
        [=](const Scene& s) { return call(SYS_openat2, AT_FDCWD, path(s).c_str(), &how, sizeof how); });
#ifdef SYS_open
  l.add("open: " + what, [=](const Scene& s) { return call(SYS_open, path(s).c_str(), flags, 0600); });
#endif
}

void add_opens(List& l) {
  l.group("open");
  struct {
    const char *what, *path;
    int flags;
    List::Given given;
  } const kFiles[] = {
      {"store's tables, to read", "store/data.mdb", kRead, nullptr},
      {"store's tables, to write", "store/data.mdb", O_RDWR, nullptr},
      {"store's bodies, to read", "store/bodies/old", kRead, given_bodies},
      {"store's bodies, to write", "store/bodies/old", O_WRONLY | O_CLOEXEC | O_NOFOLLOW, nullptr},
      {"store's bodies, to cut off", "store/bodies/old", O_WRONLY | O_TRUNC, nullptr},
      {"store's bodies, a new one", "store/bodies/new", kMake, given_bodies},
      {"store, a new file", "store/new", kMake, nullptr},
      {"secrets, to read", "secrets/data.mdb", kRead, nullptr},
      {"secrets, to write", "secrets/data.mdb", O_RDWR, nullptr},
      {"secrets, a new file", "secrets/new", kMake, nullptr},
      {"secrets, the list of files", "secrets", kRead, nullptr},
      {"directory, to read", "directory/data.mdb", kRead, nullptr},
      {"directory, to write", "directory/data.mdb", O_RDWR, nullptr},
      {"directory's lock, to write", "directory/lock.mdb", O_RDWR, nullptr},
      {"directory, a new file", "directory/new", kMake, nullptr},
      {"TLS key, to read", "tls/key.pem", kRead, nullptr},
      {"log, to read", "log", kRead, nullptr},
      {"a log file of the directory, to read", "logs/post.office.log", kRead, given_logs},
      {"a log file of the directory, to write over", "logs/post.office.log", O_WRONLY, nullptr},
      {"a log file of the directory, to cut off", "logs/post.office.log", O_WRONLY | O_TRUNC, nullptr},
      {"log directory, the list of files", "logs", kList, given_logs},
      {"log directory, a new file", "logs/new", kMake, nullptr},
      {"a file beside the log directory, from there", "logs/../outside", kRead, nullptr},
      {"a mail drop, as it is written", "maildrops/jane", kAppend, given_maildrops},
      {"a mail drop, to read", "maildrops/jane", kRead, given_maildrops},
      {"a mail drop, to cut off", "maildrops/jane", O_RDWR | O_TRUNC, nullptr},
      {"mail drops, a lock", "maildrops/new", kMake, given_maildrops},
      {"mail drops, the list of files", "maildrops", kList, nullptr},
      {"a file beside mail drops, from there", "maildrops/../outside", kAppend, nullptr},
      {"secrets, as mail drops are written", "secrets/data.mdb", kAppend, nullptr},
      {"secrets, the list of files, as logs are listed", "secrets", kList, nullptr},
      {"spool, the list of files, as logs are listed", "run", kList, nullptr},
      {"log, to write over", "log", O_WRONLY, nullptr},
      {"run/pid, to write", "run/pid", O_RDWR, nullptr},
      {"a new file elsewhere", "new", kMake, nullptr},
  };
  for (const auto& f : kFiles)
    add_open(
        l, f.what, [name = f.path](const Scene& s) { return s.path(name); }, f.flags, f.given);
  for (const char* name : {"mem", "environ", "maps", "auxv", "fd", "task"}) {
    add_open(
        l, std::string("another's /proc/PID/") + name, [name](const Scene& s) { return s.proc(name); },
        kRead);
  }
  add_open(
      l, "another's /proc/PID/mem, to write", [](const Scene& s) { return s.proc("mem"); }, O_RDWR);
  for (const char* path : {"/proc/self/mem", "/proc/self/maps", "/etc/passwd", "/dev/null", "/proc", "/"})
    add_open(
        l, path, [path](const Scene&) { return std::string(path); }, kRead);
  add_open(
      l, "own /proc/self/mem, to write", [](const Scene&) { return std::string("/proc/self/mem"); }, O_RDWR);
  l.add("openat from bodies: ../data.mdb",
        [](const Scene&) { return openat(kBodies, "../data.mdb", kRead); });
  l.add("openat from bodies: ../../secrets/data.mdb",
        [](const Scene&) { return openat(kBodies, "../../secrets/data.mdb", kRead); });
  l.add(
      "openat from bodies: a body", [](const Scene&) { return openat(kBodies, "old", kRead); }, given_bodies);
  l.add("openat with O_PATH", [](const Scene& s) { return open(s.path("secrets").c_str(), O_PATH); });
  l.add("openat with O_TMPFILE",
        [](const Scene& s) { return open(s.path("run").c_str(), O_TMPFILE | O_RDWR, 0600); });
#ifdef SYS_creat
  l.add("creat", [](const Scene& s) { return call(SYS_creat, s.path("outside").c_str(), 0600); });
#endif
  l.add("name_to_handle_at", [](const Scene& s) {
    struct {
      unsigned octets = 0;
      int type = 0;
    } handle;
    int mount = 0;
    return call(SYS_name_to_handle_at, AT_FDCWD, s.path("secrets").c_str(), &handle, &mount, 0);
  });
  l.add("open_by_handle_at", [](const Scene&) {
    struct {
      unsigned octets = 4;
      int type = 1;
      char handle[4] = {};
    } handle;
    return call(SYS_open_by_handle_at, kBodies, &handle, O_RDONLY);
  });
  l.add(
      "getdents64",
      [](const Scene&) {
        char buffer[1024];
        return call(SYS_getdents64, kBodies, buffer, sizeof buffer);
      },
      given_logs);
}

/// By name: `l.add(name, call(SYS_name, path, ...))`, where the system call is there at all.
#define ON_FILE(number, file, ...) \
  l.add(#number + 4, [](const Scene& s) { return call(number, s.path(file).c_str(), ##__VA_ARGS__); })
#define ON_FILE_AT(number, file, ...) \
  l.add(#number + 4,                  \
        [](const Scene& s) { return call(number, AT_FDCWD, s.path(file).c_str(), ##__VA_ARGS__); })
#define PLAIN(number, ...) l.add(#number + 4, [](const Scene&) { return call(number, ##__VA_ARGS__); })
#define ON_VICTIM(number, ...) \
  l.add(#number + 4, [](const Scene& s) { return call(number, s.victim(), ##__VA_ARGS__); })

void add_changes(List& l) {
  l.group("change files");
  ON_FILE(SYS_truncate, "outside", 0);
  l.add(
      "ftruncate", [](const Scene&) { return ftruncate(kBody, 0); }, given_cut);
  PLAIN(SYS_fallocate, kBody, 0, 0, 4096);
  ON_FILE_AT(SYS_fchmodat, "outside", 0777);
  PLAIN(SYS_fchmod, kBody, 0777);
  l.add("fchmodat2",
        [](const Scene& s) { return call(kFchmodat2, AT_FDCWD, s.path("outside").c_str(), 0777, 0); });
  ON_FILE_AT(SYS_fchownat, "outside", getuid(), getgid(), 0);
  PLAIN(SYS_fchown, kBody, getuid(), getgid());
  ON_FILE(SYS_setxattr, "outside", "user.x", "1", 1, 0);
  ON_FILE(SYS_lsetxattr, "outside", "user.x", "1", 1, 0);
  PLAIN(SYS_fsetxattr, kBody, "user.x", "1", 1, 0);
  ON_FILE(SYS_removexattr, "outside", "user.x");
  ON_FILE(SYS_lremovexattr, "outside", "user.x");
  PLAIN(SYS_fremovexattr, kBody, "user.x");
  ON_FILE(SYS_getxattr, "outside", "user.x", nullptr, 0);
  ON_FILE(SYS_listxattr, "outside", nullptr, 0);
  l.add("setxattrat", [](const Scene&) { return call(kSetxattrat, AT_FDCWD, "/", 0, "user.x", nullptr, 0); });
  l.add("removexattrat",
        [](const Scene&) { return call(kRemovexattrat, AT_FDCWD, "/nonexistent", 0, "user.x"); });
  l.add("file_setattr",
        [](const Scene&) { return call(kFileSetattr, AT_FDCWD, "/nonexistent", nullptr, 0, 0); });
  ON_FILE_AT(SYS_utimensat, "outside", nullptr, 0);
  ON_FILE_AT(SYS_mkdirat, "new", 0700);
  ON_FILE_AT(SYS_mknodat, "new", S_IFIFO | 0600, 0);
  l.add("symlinkat",
        [](const Scene& s) { return call(SYS_symlinkat, "/etc", AT_FDCWD, s.path("new").c_str()); });
  l.add("linkat", [](const Scene& s) {
    return call(SYS_linkat, AT_FDCWD, s.path("secrets/data.mdb").c_str(), AT_FDCWD, s.path("new").c_str(), 0);
  });
  l.add("linkat into bodies", [](const Scene& s) {
    return call(SYS_linkat, AT_FDCWD, s.path("secrets/data.mdb").c_str(), kBodies, "new", 0);
  });
  auto rename = [&l](const char* what, const char* from, const char* to, List::Given given = nullptr) {
    l.add(
        std::string("renameat: ") + what,
        [=](const Scene& s) {
          return call(SYS_renameat, AT_FDCWD, s.path(from).c_str(), AT_FDCWD, s.path(to).c_str());
        },
        given);
  };
  rename("elsewhere", "outside", "new");
  rename("a body, among bodies", "store/bodies/old", "store/bodies/new", given_bodies);
  rename("a body, out of bodies", "store/bodies/old", "new");
  rename("secrets into bodies", "secrets/data.mdb", "store/bodies/new");
  rename("the store's tables", "store/data.mdb", "store/new");
  rename("the command socket", "run/command", "new");
  l.add("renameat2", [](const Scene& s) {
    return call(SYS_renameat2, AT_FDCWD, s.path("outside").c_str(), AT_FDCWD, s.path("new").c_str(), 0);
  });
  auto unlink = [&l](const char* what, const char* path, int flags, List::Given given = nullptr) {
    l.add(
        std::string("unlinkat: ") + what,
        [=](const Scene& s) { return call(SYS_unlinkat, AT_FDCWD, s.path(path).c_str(), flags); }, given);
  };
  unlink("elsewhere", "outside", 0);
  unlink("a body", "store/bodies/old", 0, given_bodies);
  unlink("a mail drop", "maildrops/jane", 0, given_maildrops);
  unlink("the store's tables", "store/data.mdb", 0);
  unlink("secrets", "secrets/data.mdb", 0);
  unlink("a folder", "tls", AT_REMOVEDIR);
#ifdef SYS_unlink
  ON_FILE(SYS_chmod, "outside", 0777);
  ON_FILE(SYS_chown, "outside", getuid(), getgid());
  ON_FILE(SYS_lchown, "outside", getuid(), getgid());
  ON_FILE(SYS_mkdir, "new", 0700);
  ON_FILE(SYS_mknod, "new", S_IFIFO | 0600, 0);
  ON_FILE(SYS_unlink, "outside");
  ON_FILE(SYS_rmdir, "tls");
  ON_FILE(SYS_utime, "outside", nullptr);
  ON_FILE(SYS_utimes, "outside", nullptr);
  ON_FILE_AT(SYS_futimesat, "outside", nullptr);
  l.add("rename",
        [](const Scene& s) { return call(SYS_rename, s.path("outside").c_str(), s.path("new").c_str()); });
  l.add("link", [](const Scene& s) {
    return call(SYS_link, s.path("secrets/data.mdb").c_str(), s.path("new").c_str());
  });
  l.add("symlink", [](const Scene& s) { return call(SYS_symlink, "/etc", s.path("new").c_str()); });
#endif
  PLAIN(SYS_copy_file_range, kBody, nullptr, kBody, nullptr, 1, 0);
  PLAIN(SYS_splice, -1, nullptr, -1, nullptr, 1, 0);
  PLAIN(SYS_tee, -1, -1, 1, 0);
  PLAIN(SYS_vmsplice, -1, nullptr, 1, 0);
  PLAIN(SYS_flock, kBody, LOCK_SH | LOCK_NB);
  PLAIN(SYS_umask, 0);
  l.add(
      "pwrite64 on a body's descriptor", [](const Scene&) { return pwrite(kBody, "x", 1, 0); },
      given_database);
  l.add(
      "fdatasync on a body's descriptor", [](const Scene&) { return fdatasync(kBody); }, given_database);

  l.group("look at files");
  l.add(
      "newfstatat",
      [](const Scene& s) {
        struct stat st {};
        return call(SYS_newfstatat, AT_FDCWD, s.path("secrets/data.mdb").c_str(), &st, 0);
      },
      given_look);
  l.add(
      "newfstatat with AT_EMPTY_PATH and a path",
      [](const Scene& s) {
        struct stat st {};
        return call(SYS_newfstatat, AT_FDCWD, s.path("secrets/data.mdb").c_str(), &st, AT_EMPTY_PATH);
      },
      given_look);
  ON_FILE_AT(SYS_statx, "secrets/data.mdb", 0, 0, nullptr);
  ON_FILE_AT(SYS_faccessat, "outside", F_OK);
  ON_FILE_AT(SYS_faccessat2, "outside", F_OK, 0);
  PLAIN(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", nullptr, 0);
  ON_FILE(SYS_statfs, "outside", nullptr);
  PLAIN(SYS_getcwd, nullptr, 0);
  ON_FILE(SYS_chdir, "secrets");
  PLAIN(SYS_fchdir, kBodies);
#ifdef SYS_access
  ON_FILE(SYS_access, "outside", F_OK);
  ON_FILE(SYS_stat, "outside", nullptr);
  ON_FILE(SYS_lstat, "outside", nullptr);
  PLAIN(SYS_readlink, "/proc/self/exe", nullptr, 0);
#endif
  PLAIN(SYS_inotify_init1, 0);
  l.add("fanotify_init", [](const Scene&) { return call(SYS_fanotify_init, 0, O_RDONLY); });
  l.add("cachestat", [](const Scene&) { return call(kCachestat, kBody, nullptr, nullptr, 0); });
}

// ---- sockets

void add_sockets(List& l) {
  l.group("connect");
  l.add("the command socket",
        [](const Scene& s) { return connect_unix(s.path("run/command"), SOCK_STREAM); });
  l.add("a datagram socket",
        [](const Scene& s) { return connect_unix(s.path("run/datagrams"), SOCK_DGRAM); });
  l.add("a datagram socket, with one of a pair",
        [](const Scene& s) { return connect_unix_pair(s.path("run/datagrams")); });
  l.add("an abstract socket", [](const Scene& s) {
    return connect_unix(std::string(1, '\0') + s.path("").substr(0, s.path("").size() - 1), SOCK_STREAM);
  });
  l.add(
      "TCP, not a resolver's port",
      [](const Scene& s) { return connect_inet(socket(AF_INET, SOCK_STREAM, 0), s.other_port()); },
      given_connect);
  l.add(
      "TCP over IPv6, not a resolver's port",
      [](const Scene& s) {
        sockaddr_in6 in6{};
        in6.sin6_family = AF_INET6;
        in6.sin6_port = htons(s.other_port());
        in6.sin6_addr = in6addr_loopback;
        int fd = socket(AF_INET6, SOCK_STREAM, 0);
        return fd < 0 ? -1L : connect(fd, reinterpret_cast<sockaddr*>(&in6), sizeof in6);
      },
      given_connect);
  l.add(
      "TCP, an accepted connection anew", [](const Scene& s) { return reconnect(s.other_port()); },
      given_connect);
  l.add("TCP by sendto with MSG_FASTOPEN", [](const Scene& s) { return send_fast_open(s.other_port()); });
  l.add("TCP by sendmsg with MSG_FASTOPEN",
        [](const Scene& s) { return send_message_fast_open(s.other_port()); });
  l.add(
      "TCP, a resolver's port",
      [](const Scene& s) { return connect_inet(socket(AF_INET, SOCK_STREAM, 0), s.resolver_port()); },
      given_tcp);

  l.group("sockets");
  for (auto [family, name] :
       {std::pair{AF_UNIX, "AF_UNIX"}, std::pair{AF_NETLINK, "AF_NETLINK"}, std::pair{AF_PACKET, "AF_PACKET"},
        std::pair{AF_VSOCK, "AF_VSOCK"}, std::pair{AF_ALG, "AF_ALG"}, std::pair{AF_KEY, "AF_KEY"}}) {
    l.add(std::string("socket ") + name, [family = family](const Scene&) {
      return socket(family, family == AF_PACKET || family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0);
    });
  }
  l.add("socket AF_INET SOCK_RAW", [](const Scene&) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); });
  l.add("socketpair", [](const Scene&) {
    int ends[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  });
  l.add(
      "bind, TCP", [](const Scene&) { return bind_inet(SOCK_STREAM); }, given_connect);
  l.add(
      "bind, UDP", [](const Scene&) { return bind_inet(SOCK_DGRAM); }, given_connect);
  l.add(
      "setsockopt TCP_NODELAY",
      [](const Scene&) {
        int one = 1;
        return setsockopt(kClient, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      },
      given_connect);
  l.add("setsockopt TCP_ULP",
        [](const Scene&) { return setsockopt(kClient, IPPROTO_TCP, TCP_ULP, "none", 4); });
  l.add("listen", [](const Scene&) { return listen(kListening, 1); });
  l.add("end listening for all", [](const Scene&) { return shutdown(kListening, SHUT_RD); });
  l.add("setsockopt SO_RCVBUF", [](const Scene&) {
    int n = 65536;
    return setsockopt(kListening, SOL_SOCKET, SO_RCVBUF, &n, sizeof n);
  });
  l.add("setsockopt SO_ATTACH_FILTER",
        [](const Scene&) { return setsockopt(kListening, SOL_SOCKET, SO_ATTACH_FILTER, nullptr, 0); });
  l.add("getsockopt SO_PEERPIDFD", [](const Scene&) {
    int n = 0;
    socklen_t size = sizeof n;
    return getsockopt(kPeer, SOL_SOCKET, 77, &n, &size);
  });
  l.add(
      "UDP to a resolver", [](const Scene& s) { return ask_by_udp(s.udp_port()); }, given_udp);
  l.add(
      "UDP by the notices' socket: sendto",
      [](const Scene& s) { return send_datagram(kNotices, s.udp_port()); }, given_sendto);
  l.add("UDP by the notices' socket: sendmsg",
        [](const Scene& s) { return send_message(kNotices, s.udp_port()); });
  l.add("UDP by the notices' socket: sendmmsg",
        [](const Scene&) { return call(SYS_sendmmsg, kNotices, nullptr, 0, 0); });
  l.add("the notices' socket under another number: F_DUPFD_CLOEXEC",
        [](const Scene& s) { return send_message(fcntl(kNotices, F_DUPFD_CLOEXEC, 20), s.udp_port()); });
  l.add("the notices' socket under another number: F_DUPFD",
        [](const Scene& s) { return send_message(fcntl(kNotices, F_DUPFD, 20), s.udp_port()); });
  l.add("the notices' socket under another number: dup",
        [](const Scene& s) { return send_message(dup(kNotices), s.udp_port()); });
  l.add("the notices' socket under another number: dup3", [](const Scene& s) {
    return send_message(static_cast<int>(call(SYS_dup3, kNotices, 20, 0)), s.udp_port());
  });
  l.add(
      "a notice", [](const Scene&) { return send(kNotices, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT); },
      given_all);
  l.add(
      "a frame",
      [](const Scene&) {
        iovec iov{const_cast<char*>("x"), 1};
        msghdr m{};
        m.msg_iov = &iov;
        m.msg_iovlen = 1;
        return sendmsg(kControl, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
      },
      given_all);
  l.add("ioctl SIOCGIFCONF", [](const Scene&) { return ioctl(kNotices, 0x8912, nullptr); });
}

// ---- other processes

void add_processes(List& l) {
  l.group("other processes");
  ON_VICTIM(SYS_kill, SIGURG);
  l.add("kill, whether it is there", [](const Scene& s) { return kill(s.victim(), 0); });
  ON_VICTIM(SYS_tkill, SIGURG);
  l.add("tgkill", [](const Scene& s) { return call(SYS_tgkill, s.victim(), s.victim(), SIGURG); });
  l.add("rt_sigqueueinfo", [](const Scene& s) {
    siginfo_t info{};
    info.si_code = SI_QUEUE;
    return call(SYS_rt_sigqueueinfo, s.victim(), SIGURG, &info);
  });
  l.add("rt_tgsigqueueinfo", [](const Scene& s) {
    siginfo_t info{};
    info.si_code = SI_QUEUE;
    return call(SYS_rt_tgsigqueueinfo, s.victim(), s.victim(), SIGURG, &info);
  });
  ON_VICTIM(SYS_pidfd_open, 0);
  PLAIN(SYS_pidfd_send_signal, kVictim, SIGURG, nullptr, 0);
  PLAIN(SYS_pidfd_getfd, kVictim, 0, 0);
  l.add("process_vm_readv", read_memory);
  l.add("process_vm_writev", write_memory);
  PLAIN(SYS_process_madvise, kVictim, nullptr, 0, MADV_COLD, 0);
  l.add("process_mrelease", [](const Scene&) { return call(kProcessMrelease, kVictim, 0); });
  l.add("ptrace PTRACE_SEIZE",
        [](const Scene& s) { return ptrace(PTRACE_SEIZE, s.victim(), nullptr, nullptr); });
  l.add("ptrace PTRACE_TRACEME", [](const Scene&) { return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); });
  l.add("kcmp", [](const Scene& s) { return call(SYS_kcmp, s.victim(), getpid(), 2, 0, 0); });
  l.add("get_robust_list of another", [](const Scene& s) {
    void* head = nullptr;
    std::size_t size = 0;
    return call(SYS_get_robust_list, s.victim(), &head, &size);
  });
  ON_VICTIM(SYS_move_pages, 0, nullptr, nullptr, nullptr, 0);
  ON_VICTIM(SYS_migrate_pages, 0, nullptr, nullptr);
  l.add("prlimit64: limits of another", [](const Scene& s) {
    rlimit limit{};
    return prlimit(s.victim(), RLIMIT_CORE, nullptr, &limit);
  });
  l.add("prlimit64: set another's", [](const Scene& s) {
    rlimit limit{0, 0};
    return prlimit(s.victim(), RLIMIT_CORE, &limit, nullptr);
  });
  l.add("setpriority",
        [](const Scene& s) { return setpriority(PRIO_PROCESS, static_cast<id_t>(s.victim()), 5); });
  l.add("sched_setaffinity", [](const Scene& s) {
    cpu_set_t all;
    std::memset(&all, 0xff, sizeof all);
    return sched_setaffinity(s.victim(), sizeof all, &all);
  });
  l.add("sched_setscheduler", [](const Scene& s) {
    sched_param p{};
    return sched_setscheduler(s.victim(), SCHED_BATCH, &p);
  });
  l.add("sched_setparam", [](const Scene& s) {
    sched_param p{};
    return sched_setparam(s.victim(), &p);
  });
  ON_VICTIM(SYS_sched_setattr, nullptr, 0);
  l.add("ioprio_set", [](const Scene& s) { return call(SYS_ioprio_set, 1, s.victim(), 3 << 13); });
  l.add("setpgid", [](const Scene& s) { return setpgid(s.victim(), s.victim()); });
  l.add("getpgid", [](const Scene& s) { return getpgid(s.victim()); });
  l.add("wait4", [](const Scene&) { return call(SYS_wait4, -1, nullptr, WNOHANG, nullptr); });
  l.add("waitid",
        [](const Scene&) { return call(SYS_waitid, P_ALL, 0, nullptr, WNOHANG | WEXITED, nullptr); });
  l.add("fcntl F_SETOWN", [](const Scene& s) { return fcntl(kClient, F_SETOWN, s.victim()); });
  l.add("fcntl F_SETOWN_EX", [](const Scene& s) {
    f_owner_ex owner{F_OWNER_PID, s.victim()};
    return fcntl(kClient, F_SETOWN_EX, &owner);
  });
  l.add("fcntl F_SETSIG", [](const Scene&) { return fcntl(kClient, F_SETSIG, SIGURG); });
  l.add("fcntl F_SETFL with O_ASYNC", [](const Scene&) { return fcntl(kClient, F_SETFL, O_ASYNC); });
  l.add("fcntl F_SETFL, O_APPEND off the log", [](const Scene&) { return fcntl(kLog, F_SETFL, 0); });
  l.add("fcntl F_SETLEASE", [](const Scene&) { return fcntl(kBody, F_SETLEASE, F_RDLCK); });
  l.add("fcntl F_NOTIFY", [](const Scene&) { return fcntl(kBodies, F_NOTIFY, DN_CREATE); });
  l.add("ioctl FIOASYNC", [](const Scene&) {
    int on = 1;
    return ioctl(kClient, FIOASYNC, &on);
  });
  l.add("ioctl TIOCSTI", [](const Scene&) { return ioctl(kClient, TIOCSTI, "x"); });
  l.add(
      "tgkill to oneself", [](const Scene&) { return call(SYS_tgkill, getpid(), gettid(), 0); }, given_all);

  l.group("new programs and processes");
  l.add("execve", [](const Scene&) { return call(SYS_execve, "/bin/true", nullptr, nullptr); });
  l.add("execveat",
        [](const Scene&) { return call(SYS_execveat, AT_FDCWD, "/bin/true", nullptr, nullptr, 0); });
#ifdef SYS_fork
  l.add("fork", [](const Scene&) { return gone_if_child(call(SYS_fork)); });
  l.add("vfork", [](const Scene&) {
    pid_t pid = vfork();
    if (pid == 0) _exit(0);
    return static_cast<long>(pid);
  });
#endif
  l.add("clone", [](const Scene&) {
    return gone_if_child(call(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  });
  l.add("clone with CLONE_PARENT", [](const Scene&) {
    return gone_if_child(call(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  });
  l.add("clone with CLONE_NEWUSER", [](const Scene&) {
    return gone_if_child(call(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  });
  l.add("clone3", [](const Scene&) {
    struct {
      std::uint64_t flags = 0, pidfd = 0, child_tid = 0, parent_tid = 0, exit_signal = SIGCHLD, stack = 0,
                    stack_size = 0, tls = 0;
    } how;
    return gone_if_child(call(SYS_clone3, &how, sizeof how));
  });
  l.add(
      "a thread", [](const Scene&) { return make_thread(); }, given_threads);
  PLAIN(SYS_unshare, CLONE_FS);
  l.add("unshare with CLONE_NEWUSER", [](const Scene&) { return call(SYS_unshare, CLONE_NEWUSER); });
  PLAIN(SYS_setns, -1, 0);
}

// ---- oneself, and the machine

void add_oneself(List& l) {
  l.group("more rights for oneself");
  l.add("prctl PR_SET_DUMPABLE", [](const Scene&) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); });
  l.add("prctl PR_SET_NAME", [](const Scene&) { return prctl(PR_SET_NAME, "x", 0, 0, 0); });
  l.add("prctl PR_SET_PDEATHSIG", [](const Scene&) { return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0); });
  l.add("prlimit64: set one's own", [](const Scene&) {
    rlimit limit{0, 0};
    return prlimit(0, RLIMIT_CORE, &limit, nullptr);
  });
  l.add("setrlimit", [](const Scene&) {
    rlimit limit{0, 0};
    return call(SYS_setrlimit, RLIMIT_CORE, &limit);
  });
  PLAIN(SYS_setuid, getuid());
  PLAIN(SYS_setgid, getgid());
  PLAIN(SYS_setreuid, -1, -1);
  PLAIN(SYS_setregid, -1, -1);
  PLAIN(SYS_setresuid, -1, -1, -1);
  PLAIN(SYS_setresgid, -1, -1, -1);
  PLAIN(SYS_setfsuid, getuid());
  PLAIN(SYS_setfsgid, getgid());
  PLAIN(SYS_setgroups, 0, nullptr);
  PLAIN(SYS_getgroups, 0, nullptr);
  l.add("capset", [](const Scene&) {
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2] = {};
    return call(SYS_capset, &head, none);
  });
  l.add("capget", [](const Scene&) {
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    return call(SYS_capget, &head, nullptr);
  });
  PLAIN(SYS_personality, 0xffffffff);
  l.add("seccomp", [](const Scene&) {
    std::uint32_t action = 0x7fff0000;
    return call(SYS_seccomp, 2, 0, &action);
  });
  l.add("landlock_create_ruleset",
        [](const Scene&) { return call(SYS_landlock_create_ruleset, nullptr, 0, 1); });
  PLAIN(SYS_landlock_add_rule, -1, 1, nullptr, 0);
  PLAIN(SYS_landlock_restrict_self, -1, 0);
  l.add("lsm_set_self_attr", [](const Scene&) { return call(kLsmSetSelfAttr, 0, nullptr, 0, 0); });
#ifdef SYS_arch_prctl
  PLAIN(SYS_arch_prctl, 0x1003, nullptr);
  l.add("modify_ldt", [](const Scene&) { return call(SYS_modify_ldt, 0, nullptr, 0); });
#endif
  l.add("mmap, executable", [](const Scene&) {
    return mapped(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  });
  l.add("mmap of a file, executable", [](const Scene&) {
    return mapped(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, kBody, 0));
  });
  l.add("mprotect, executable", [](const Scene&) { return make_executable(SYS_mprotect); });
  l.add("pkey_mprotect, executable", [](const Scene&) { return make_executable(SYS_pkey_mprotect); });
  PLAIN(SYS_remap_file_pages, nullptr, 0, 0, 0, 0);
  l.add("map_shadow_stack", [](const Scene&) { return call(kMapShadowStack, 0, 4096, 0); });
  l.add("memfd_create", [](const Scene&) { return call(SYS_memfd_create, "x", 0); });
  l.add("memfd_secret", [](const Scene&) { return call(kMemfdSecret, 0); });
  l.add("mseal", [](const Scene&) { return call(kMseal, nullptr, 0, 0); });
  PLAIN(SYS_mlockall, 0);
  PLAIN(SYS_mbind, nullptr, 0, 0, nullptr, 0, 0);
  PLAIN(SYS_set_mempolicy, 0, nullptr, 0);
  l.add("shmget", [](const Scene&) { return shmget(0x504f, 1, 0); });
  l.add("shmat", [](const Scene&) { return call(SYS_shmat, -1, nullptr, SHM_EXEC); });
  l.add("semget", [](const Scene&) { return call(SYS_semget, 0x504f, 1, 0); });
  l.add("msgget", [](const Scene&) { return call(SYS_msgget, 0x504f, 0); });
  l.add("mq_open", [](const Scene&) { return call(SYS_mq_open, "nonexistent", O_RDONLY, 0, nullptr); });
  PLAIN(SYS_mq_unlink, "nonexistent");
  l.add("timer_create", [](const Scene&) {
    int timer = 0;
    return call(SYS_timer_create, CLOCK_MONOTONIC, nullptr, &timer);
  });
  PLAIN(SYS_setitimer, ITIMER_VIRTUAL, nullptr, nullptr);
  PLAIN(SYS_signalfd4, -1, nullptr, 8, 0);
  l.add("x32 entry", [](const Scene&) { return call(0x40000000 | 39); });
  l.add("i386 entry", [](const Scene&) { return enter_i386(); });
  l.add(
      "mmap",
      [](const Scene&) {
        return mapped(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
      },
      given_all);
  l.add(
      "prlimit64: see one's own",
      [](const Scene&) {
        rlimit limit{};
        return prlimit(0, RLIMIT_NOFILE, nullptr, &limit);
      },
      given_all);

  l.group("the kernel");
  l.add("io_uring_setup", [](const Scene&) {
    unsigned char parameters[120] = {};
    return call(SYS_io_uring_setup, 1, parameters);
  });
  PLAIN(SYS_io_uring_enter, -1, 0, 0, 0, nullptr, 0);
  PLAIN(SYS_io_uring_register, -1, 0, nullptr, 0);
  l.add("io_setup", [](const Scene&) {
    unsigned long context = 0;
    return call(SYS_io_setup, 1, &context);
  });
  PLAIN(SYS_bpf, 5, nullptr, 0);
  l.add("perf_event_open", [](const Scene&) { return call(SYS_perf_event_open, nullptr, 0, -1, -1, 0); });
  PLAIN(SYS_userfaultfd, 0);
  l.add("keyctl", [](const Scene&) { return call(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 0); });
  l.add("add_key", [](const Scene&) { return call(SYS_add_key, "user", "x", "y", 1, -2); });
  l.add("request_key",
        [](const Scene&) { return call(SYS_request_key, "user", "nonexistent", nullptr, -2); });
  PLAIN(SYS_mount, "none", "/nonexistent", "tmpfs", 0, nullptr);
  PLAIN(SYS_umount2, "/nonexistent", 0);
  PLAIN(SYS_pivot_root, "/nonexistent", "/nonexistent");
  ON_FILE(SYS_chroot, "run");
  PLAIN(SYS_fsopen, "tmpfs", 0);
  PLAIN(SYS_fsconfig, -1, 0, nullptr, nullptr, 0);
  PLAIN(SYS_fsmount, -1, 0, 0);
  PLAIN(SYS_fspick, AT_FDCWD, "/nonexistent", 0);
  PLAIN(SYS_open_tree, AT_FDCWD, "/", 0);
  PLAIN(SYS_move_mount, -1, "", -1, "", 0);
  l.add("open_tree_attr", [](const Scene&) { return call(kOpenTreeAttr, AT_FDCWD, "/", 0, nullptr, 0); });
  l.add("mount_setattr", [](const Scene&) { return call(kMountSetattr, -1, "", 0, nullptr, 0); });
  l.add("statmount", [](const Scene&) { return call(kStatmount, nullptr, nullptr, 0, 0); });
  l.add("listmount", [](const Scene&) { return call(kListmount, nullptr, nullptr, 0, 0); });
  PLAIN(SYS_quotactl, 0, nullptr, 0, nullptr);
  l.add("quotactl_fd", [](const Scene&) { return call(kQuotactlFd, -1, 0, 0, nullptr); });
  PLAIN(SYS_acct, "/nonexistent");
  PLAIN(SYS_swapon, "/nonexistent", 0);
  PLAIN(SYS_swapoff, "/nonexistent");
  PLAIN(SYS_reboot, 0, 0, 0, nullptr);
  PLAIN(SYS_sethostname, nullptr, -1);
  PLAIN(SYS_setdomainname, nullptr, -1);
  l.add("settimeofday", [](const Scene&) {
    timeval never{0, 2'000'000};
    return call(SYS_settimeofday, &never, nullptr);
  });
  l.add("clock_settime", [](const Scene&) {
    timespec never{0, 2'000'000'000};
    return call(SYS_clock_settime, CLOCK_REALTIME, &never);
  });
  l.add("adjtimex", [](const Scene&) {
    timex nothing{};
    return call(SYS_adjtimex, &nothing);
  });
  l.add("clock_adjtime", [](const Scene&) {
    timex nothing{};
    return call(SYS_clock_adjtime, CLOCK_REALTIME, &nothing);
  });
  PLAIN(SYS_syslog, 10, nullptr, 0);
  PLAIN(SYS_vhangup);
  PLAIN(SYS_kexec_load, 0, -1, nullptr, 0xffff);
  l.add("init_module", [](const Scene&) { return call(SYS_init_module, nullptr, 0, ""); });
  PLAIN(SYS_finit_module, -1, "", 0);
  PLAIN(SYS_delete_module, "nonexistent_module", O_NONBLOCK);
#ifdef SYS_iopl
  PLAIN(SYS_iopl, 3);
  PLAIN(SYS_ioperm, 0x80, 1, 1);
#endif
#ifdef SYS_lookup_dcookie
  PLAIN(SYS_lookup_dcookie, 0, nullptr, 0);
#endif
  l.add("futex_wake", [](const Scene&) { return call(kFutexWake, nullptr, 0, 0, 0); });
}

}  // namespace

const std::vector<Call>& calls() {
  static const std::vector<Call> kCalls = [] {
    List l;
    add_opens(l);
    add_changes(l);
    add_sockets(l);
    add_processes(l);
    add_oneself(l);
    return l.take();
  }();
  return kCalls;
}

}  // namespace walls
