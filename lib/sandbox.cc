#include "lib/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <openssl/crypto.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <initializer_list>

#include "lib/fd.h"

namespace po::sandbox {
namespace {

using messages::Role;

constexpr const char* kDescriptors = "0 1 /dev/null, 2 4 log, 3 control socket, 5 notices";

// ---- THE TABLE
constexpr Row kTable[] = {
    {Role::kAccounts, "accounts", kDescriptors, "smtpd pop3d command",
     "opens none; before: directory/ secrets/ read and write", "accepts on run/command",
     kBase | kThreads | kDatabase, false},
    {Role::kQueue, "queue", kDescriptors, "smtpd pop3d",
     "store/ read and write; before: directory/ read only", "none", kBase | kThreads | kDatabase | kBodies,
     true},
    {Role::kSmtpd, "smtpd", kDescriptors, "accounts queue", "opens none; before: directory/ read only",
     "accepts SMTP; UDP and TCP to resolvers", kBase | kResolver, false},
    {Role::kPop3d, "pop3d", kDescriptors, "accounts queue", "opens none; before: directory/ read only",
     "accepts POP3; UDP and TCP to resolvers", kBase | kResolver, false},
};

// ---- the sets
//
// In no set, on purpose: ptrace, process_vm_*, pidfd_*, kill, prlimit of others, truncate by path, chmod,
// chown, xattr, execve, fork, prctl (dumpable cannot be set again), setuid and its like, io_uring, bpf,
// mount, keyctl.
constexpr int kBaseCalls[] = {
    // data on descriptors that the process has
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(preadv),
    SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(fstat),
    SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvmmsg), SCMP_SYS(shutdown),
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt), SCMP_SYS(sendfile),
    // event loop; what these make belongs to this process alone
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(eventfd2), SCMP_SYS(pipe2),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
    // memory (mmap and mprotect: by rule, never executable)
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(membarrier),
    // time, random, oneself
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(gettimeofday),
    SCMP_SYS(time), SCMP_SYS(nanosleep), SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid),
    SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(getrusage), SCMP_SYS(getrlimit), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(times),
    SCMP_SYS(getcpu), SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigpending),
    SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group)};

constexpr int kThreadsCalls[] = {SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(rseq),
                                 SCMP_SYS(set_tid_address)};

constexpr int kDatabaseCalls[] = {SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
                                  SCMP_SYS(fstatfs)};

// By directory descriptor only.
constexpr int kBodiesCalls[] = {SCMP_SYS(openat), SCMP_SYS(renameat), SCMP_SYS(unlinkat),
                                SCMP_SYS(newfstatat), SCMP_SYS(getdents64)};

constexpr int kResolverCalls[] = {SCMP_SYS(sendto), SCMP_SYS(connect), SCMP_SYS(sendmmsg)};

#ifdef POST_OFFICE_SANITIZED
// What the sanitizers' run time needs to print a report; this build is for tests only.
constexpr int kSanitizerCalls[] = {SCMP_SYS(openat), SCMP_SYS(readlink),    SCMP_SYS(newfstatat),
                                   SCMP_SYS(prctl),  SCMP_SYS(personality), SCMP_SYS(ioctl),
                                   SCMP_SYS(access), SCMP_SYS(prlimit64),   SCMP_SYS(open),
                                   SCMP_SYS(stat),   SCMP_SYS(getdents64)};
#endif

// ---- seccomp

/// Collects the rules; the first that fails is remembered and the whole filter refused.
class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(ENOSYS))) {}
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  ~Filter() {
    if (context_ != nullptr) seccomp_release(context_);
  }

  void allow(std::span<const int> calls) {
    for (int call : calls) allow_if(call, {});
  }
  /// Allowed if all comparisons hold. Several calls for one system call are alternatives.
  void allow_if(int call, std::initializer_list<scmp_arg_cmp> when) {
    if (context_ == nullptr || error_ != 0) return;
    if (call < 0) return;  // this architecture does not have it
    int r = seccomp_rule_add_array(context_, SCMP_ACT_ALLOW, call, static_cast<unsigned>(when.size()),
                                   when.size() == 0 ? nullptr : when.begin());
    if (r < 0 && r != -EEXIST) error_ = -r;
  }
  /// 0 or an errno. Other architectures' calls (x32, i386) are not in the filter: libseccomp kills for those.
  int load() {
    if (context_ == nullptr) return ENOMEM;
    if (error_ == 0) error_ = -seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (error_ == 0) error_ = -seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (error_ == 0) error_ = -seccomp_load(context_);
    return error_;
  }

 private:
  scmp_filter_ctx context_;
  int error_ = 0;
};

scmp_arg_cmp equal(unsigned arg, std::uint64_t value) {
  return {arg, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp masked(unsigned arg, std::uint64_t mask, std::uint64_t value) {
  return {arg, SCMP_CMP_MASKED_EQ, mask, value};
}
/// A 32-bit argument: the kernel ignores the upper half of the register, so the filter must too.
scmp_arg_cmp equal32(unsigned arg, std::uint32_t value) {
  return masked(arg, 0xffffffffULL, value);
}

void allow_base(Filter& f) {
  f.allow(kBaseCalls);
  f.allow_if(SCMP_SYS(mmap), {masked(2, PROT_EXEC, 0)});
  f.allow_if(SCMP_SYS(mprotect), {masked(2, PROT_EXEC, 0)});
  // abort() sends itself SIGABRT; nobody else gets a signal.
  f.allow_if(SCMP_SYS(tgkill), {equal32(0, static_cast<std::uint32_t>(getpid()))});
  // Reading one's own limits; never setting any, never another's.
  f.allow_if(SCMP_SYS(prlimit64), {equal32(0, 0), equal(2, 0)});
  // glibc's fstat() is newfstatat(fd, "", .., AT_EMPTY_PATH).
  f.allow_if(SCMP_SYS(newfstatat), {equal32(3, AT_EMPTY_PATH)});
  // Not F_SETOWN, F_SETSIG or FIOASYNC: those make the kernel send signals to a process of one's choice.
  for (int command :
       {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC, F_GETLK, F_SETLK, F_SETLKW}) {
    f.allow_if(SCMP_SYS(fcntl), {equal32(1, static_cast<std::uint32_t>(command))});
  }
  f.allow_if(SCMP_SYS(ioctl), {equal32(1, FIONREAD)});
  f.allow_if(SCMP_SYS(ioctl), {equal32(1, FIONBIO)});
  // send() on a connected socket; an address of its own choice only in rows with a resolver.
  f.allow_if(SCMP_SYS(sendto), {equal(4, 0)});
  f.allow_if(SCMP_SYS(socketpair), {equal32(0, AF_UNIX)});
}

void allow_threads(Filter& f) {
  f.allow(kThreadsCalls);
  // clone3 hides its flags in memory, where no filter can look: ENOSYS sends glibc back to clone.
  constexpr std::uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
  constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                        CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE |
                                        CLONE_VFORK;
  f.allow_if(SCMP_SYS(clone), {masked(0, kThread | kNamespaces, kThread)});
}

void allow_resolver(Filter& f) {
  f.allow(kResolverCalls);
  constexpr std::uint64_t kType = 0xffffffffULL & ~static_cast<std::uint64_t>(SOCK_NONBLOCK | SOCK_CLOEXEC);
  for (std::uint32_t family : {AF_INET, AF_INET6}) {
    for (std::uint64_t type : {SOCK_DGRAM, SOCK_STREAM}) {
      f.allow_if(SCMP_SYS(socket), {equal32(0, family), masked(1, kType, type)});
    }
  }
}

int load_filter(const Row& row, const Paths& paths) {
  Filter f;
  allow_base(f);
  if (row.calls & kThreads) allow_threads(f);
  if (row.calls & kDatabase) f.allow(kDatabaseCalls);
  if (row.calls & kBodies) f.allow(kBodiesCalls);
  if ((row.calls & kResolver) && !paths.resolver_ports.empty()) allow_resolver(f);
#ifdef POST_OFFICE_SANITIZED
  f.allow(kSanitizerCalls);
#endif
  return f.load();
}

// ---- Landlock
//
// Debian 12's header ends at ABI 2; the kernel's numbers are stable, so the later ones stand here.
constexpr std::uint64_t kFsTruncate = 1ULL << 14;                  // ABI 3
constexpr std::uint64_t kFsIoctlDev = 1ULL << 15;                  // ABI 5
constexpr std::uint64_t kNetBindTcp = 1, kNetConnectTcp = 2;       // ABI 4
constexpr std::uint64_t kScopeAbstractUnix = 1, kScopeSignal = 2;  // ABI 6
constexpr int kRuleNetPort = 2;

struct RulesetAttr {
  std::uint64_t handled_access_fs = 0, handled_access_net = 0, scoped = 0;
};
struct NetPortAttr {
  std::uint64_t allowed_access = 0, port = 0;
};

int landlock_abi() {
  long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

/// Everything that this ABI can forbid; what no rule gives back stays forbidden.
RulesetAttr everything(int abi) {
  RulesetAttr attr;
  attr.handled_access_fs = (1ULL << 13) - 1;
  if (abi >= 2) attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) attr.handled_access_fs |= kFsTruncate;
  if (abi >= 5) attr.handled_access_fs |= kFsIoctlDev;
  if (abi >= 4) attr.handled_access_net = kNetBindTcp | kNetConnectTcp;
  if (abi >= 6) attr.scoped = kScopeAbstractUnix | kScopeSignal;
  return attr;
}

std::size_t attr_size(int abi) {
  if (abi >= 6) return sizeof(RulesetAttr);
  return abi >= 4 ? 16 : 8;  // older kernels refuse fields that they do not know
}

bool add_path(int ruleset, const std::string& path, std::uint64_t access) {
  Fd dir(open(path.c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY));
  if (!dir) return false;
  landlock_path_beneath_attr attr{};
  attr.allowed_access = access;
  attr.parent_fd = dir.get();
  return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) == 0;
}

bool add_rules(int ruleset, const RulesetAttr& all, const Row& row, const Paths& paths) {
  if (row.store) {
    std::uint64_t access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                           LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                           LANDLOCK_ACCESS_FS_REMOVE_FILE | kFsTruncate;
    if (!add_path(ruleset, paths.store, access & all.handled_access_fs)) return false;
  }
  if (!(row.calls & kResolver) || all.handled_access_net == 0) return true;
  for (std::uint16_t port : paths.resolver_ports) {
    NetPortAttr attr{kNetConnectTcp, port};
    if (syscall(SYS_landlock_add_rule, ruleset, kRuleNetPort, &attr, 0) != 0) return false;
  }
  return true;
}

/// 0: the kernel has none; -1 with errno: it has, and refused.
int restrict_by_landlock(const Row& row, const Paths& paths) {
  int abi = landlock_abi();
  if (abi == 0) return 0;
  RulesetAttr all = everything(abi);
#ifdef POST_OFFICE_SANITIZED
  all.handled_access_fs &=
      ~static_cast<std::uint64_t>(LANDLOCK_ACCESS_FS_READ_FILE);  // /proc/self/maps, in reports
#endif
  Fd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &all, attr_size(abi), 0)));
  if (!ruleset || !add_rules(ruleset.get(), all, row, paths)) return -1;
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return -1;
  return abi;
}

// ---- the rest

/// Landlock covers the calling thread and those it makes; a thread that runs already would stay free.
bool single_threaded() {
  DIR* dir = opendir("/proc/self/task");
  if (dir == nullptr)
    return true;  // no /proc: nothing to count by; seccomp's TSYNC is not needed for one thread
  int count = 0;
  while (dirent* entry = readdir(dir)) count += entry->d_name[0] != '.';
  closedir(dir);
  return count == 1;
}

/// What libraries open at first use has to be open now: time zone, openssl.cnf.
void before_confine_load_lazy_files() {
  tzset();
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, nullptr);
}

bool limit_resources() {
  rlimit none{0, 0};
  return setrlimit(RLIMIT_CORE, &none) == 0;
}

}  // namespace

std::span<const Row> table() {
  return kTable;
}

const Row* row(messages::Role role) {
  for (const Row& r : kTable) {
    if (r.role == role) return &r;
  }
  return nullptr;
}

std::string calls_text(unsigned calls) {
  constexpr std::pair<Calls, const char*> kNames[] = {{kBase, "base"},
                                                      {kThreads, "threads"},
                                                      {kDatabase, "database"},
                                                      {kBodies, "bodies"},
                                                      {kResolver, "resolver"}};
  std::string out;
  for (auto [bit, name] : kNames) {
    if ((calls & bit) == 0) continue;
    if (!out.empty()) out += ' ';
    out += name;
  }
  return out;
}

Result<int> confine(messages::Role role, const Paths& paths, Walls walls) {
  const Row* mine = row(role);
  if (mine == nullptr)
    return permanent(std::string("no privileges are listed for ") + messages::role_name(role));
  if (!single_threaded()) return permanent("confinement came after the first thread");
  before_confine_load_lazy_files();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return permanent("cannot set no-new-privs", errno);
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return permanent("cannot become undumpable", errno);
  if (!limit_resources()) return permanent("cannot limit core files", errno);
  int abi = 0;
  if (walls == Walls::kAll) {
    abi = restrict_by_landlock(*mine, paths);
    if (abi < 0) return permanent("Landlock refused the rules", errno);
  }
  if (int error = load_filter(*mine, paths); error != 0)
    return permanent("seccomp refused the filter", error);
  return abi;
}

}  // namespace po::sandbox
