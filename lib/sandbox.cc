#include "lib/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <initializer_list>

#include "lib/fd.h"

namespace po::sandbox {
namespace {

using messages::Role;

constexpr const char* kDescriptors = "0 1 /dev/null, 2 4 log, 3 control socket, 5 notices";
constexpr const char* kAlone = "descriptors by sessions, core files 0, processes 0";
constexpr const char* kWithThreads = "descriptors by sessions, core files 0";
constexpr const char* kServerFiles = "opens none; before: directory/, /etc/hosts, read only";

// ---- THE TABLE
constexpr Row kTable[] = {
    {Role::kAccounts, "accounts", kDescriptors, "smtpd pop3d smtp-deliver wwwd command",
     "opens none; before: directory/ secrets/ read and write", "accepts on run/command", kWithThreads,
     kBase | kThreads | kDatabase},
    {Role::kQueue, "queue", kDescriptors, "smtpd pop3d smtp-deliver wwwd unix-deliver lmtp-deliver",
     "store/bodies/ by name; before: store/ read and write, directory/ read only", "none", kWithThreads,
     kBase | kThreads | kDatabase | kBodies},
    {Role::kSmtpd, "smtpd", kDescriptors, "accounts queue", kServerFiles,
     "accepts SMTP; UDP anywhere, TCP to ports of resolvers", kAlone, kBase | kResolver},
    {Role::kPop3d, "pop3d", kDescriptors, "accounts queue", kServerFiles,
     "accepts POP3; UDP anywhere, TCP to ports of resolvers", kAlone, kBase | kResolver},
    {Role::kSmtpDeliver, "smtp-deliver", kDescriptors, "accounts queue",
     "opens none; before: the list of certificate authorities, /etc/hosts, read only", "TCP and UDP anywhere",
     kAlone, kBase | kResolver | kConnect},
    {Role::kWwwd, "wwwd", kDescriptors, "accounts queue story", kServerFiles,
     "accepts HTTP; UDP anywhere, TCP to ports of resolvers", kAlone, kBase | kResolver},
    {Role::kFingerd, "fingerd", kDescriptors, "none", kServerFiles,
     "accepts finger; UDP anywhere, TCP to ports of resolvers", kAlone, kBase | kResolver},
    {Role::kStory, "story", kDescriptors, "wwwd", "the log directory by name, read only", "none", kAlone,
     kBase | kLogs},
    {Role::kUnixDeliver, "unix-deliver", kDescriptors, "queue", "/var/mail/ by name", "none", kAlone,
     kBase | kMaildrops},
    {Role::kLmtpDeliver, "lmtp-deliver", kDescriptors, "queue", "opens none",
     "makes none; is given connections to the mail store", kAlone, kBase},
};

// ---- the sets
//
// What a process needs after it is confined, and what its libraries may need at a rare moment. In no set, on
// purpose: whatever acts on another process, makes one, or takes a path, save four in kBodies.
// tests/unit/walls tries each call there is.
constexpr int kBaseCalls[] = {
    // data on descriptors that the process has
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(lseek),
    SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(accept4),
    SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(sendfile),
    // event loop
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    // memory (mmap and mprotect: by rule, never executable)
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
    // time, random, oneself
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(gettimeofday),
    SCMP_SYS(time), SCMP_SYS(nanosleep), SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid),
    SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(sysinfo), SCMP_SYS(futex), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group)};

constexpr int kThreadsCalls[] = {SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(set_tid_address),
                                 SCMP_SYS(eventfd2)};

constexpr int kDatabaseCalls[] = {SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
                                  SCMP_SYS(fstatfs)};

#ifdef POST_OFFICE_SANITIZED
// What the sanitizers' run time needs to print a report; this build is for tests only.
// clang-format off
constexpr int kSanitizerCalls[] = {
    SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(newfstatat), SCMP_SYS(prctl), SCMP_SYS(personality),
    SCMP_SYS(ioctl), SCMP_SYS(access), SCMP_SYS(prlimit64), SCMP_SYS(open), SCMP_SYS(stat), SCMP_SYS(dup),
    SCMP_SYS(fcntl), SCMP_SYS(getdents64), SCMP_SYS(sigaltstack), SCMP_SYS(pipe), SCMP_SYS(pipe2),
    SCMP_SYS(getrusage), SCMP_SYS(uname), SCMP_SYS(getppid)};
// clang-format on
#endif

// ---- seccomp

constexpr std::uint32_t kRefuse = SCMP_ACT_ERRNO(ENOSYS);

/// Collects the rules; the first that fails is remembered and the whole filter refused.
class Filter {
 public:
  explicit Filter(std::uint32_t otherwise) : context_(seccomp_init(otherwise)) {}
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  ~Filter() {
    if (context_ != nullptr) seccomp_release(context_);
  }

  void allow(std::span<const int> calls) {
    for (int call : calls) allow_if(call, {});
  }
  /// Allowed if all comparisons hold. Several calls for one system call are alternatives.
  void allow_if(int call, std::initializer_list<scmp_arg_cmp> when) { add(SCMP_ACT_ALLOW, call, when); }
  void refuse_if(int call, std::initializer_list<scmp_arg_cmp> when) { add(kRefuse, call, when); }
  /// 0 or an errno. Other architectures' calls (x32, i386) are not in the filter: libseccomp kills for those.
  int load() {
    if (context_ == nullptr) return ENOMEM;
    if (error_ == 0) error_ = -seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (error_ == 0) error_ = -seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (error_ == 0) error_ = -seccomp_load(context_);
    return error_;
  }

 private:
  void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> when) {
    if (context_ == nullptr || error_ != 0) return;
    if (call < 0) return;  // this architecture does not have it
    int r = seccomp_rule_add_array(context_, action, call, static_cast<unsigned>(when.size()),
                                   when.size() == 0 ? nullptr : when.begin());
    if (r < 0 && r != -EEXIST) error_ = -r;
  }

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

void allow_fcntl(Filter& f, std::initializer_list<int> commands) {
  for (int command : commands) f.allow_if(SCMP_SYS(fcntl), {equal32(1, static_cast<std::uint32_t>(command))});
}

void allow_base(Filter& f) {
  f.allow(kBaseCalls);
  f.allow_if(SCMP_SYS(mmap), {masked(2, PROT_EXEC, 0)});
  f.allow_if(SCMP_SYS(mprotect), {masked(2, PROT_EXEC, 0)});
  // abort() sends itself SIGABRT; nobody else gets a signal.
  f.allow_if(SCMP_SYS(tgkill), {equal32(0, static_cast<std::uint32_t>(getpid()))});
  // Reading one's own limits; never setting any, never another's.
  f.allow_if(SCMP_SYS(prlimit64), {equal32(0, 0), equal(2, 0)});
  // Not F_SETOWN, F_SETSIG or FIOASYNC: those make the kernel send signals to a process of one's choice. Not
  // F_SETFL: it takes O_APPEND off the log, which all processes share. FIONBIO sets O_NONBLOCK and no more.
  allow_fcntl(f, {F_DUPFD_CLOEXEC});
  f.allow_if(SCMP_SYS(ioctl), {equal32(1, FIONBIO)});
  // MSG_FASTOPEN would be a connect, and the address of sendmsg lies in memory, where no filter can look.
  constexpr std::uint64_t kOtherFlags =
      0xffffffffULL & ~static_cast<std::uint64_t>(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
  f.allow_if(SCMP_SYS(sendto), {equal(4, 0), masked(3, kOtherFlags, 0)});
  f.allow_if(SCMP_SYS(sendmsg), {masked(2, kOtherFlags, 0)});
  // Shutting the reading side of a listening socket would end it for all processes that have it.
  f.allow_if(SCMP_SYS(shutdown), {equal32(1, SHUT_WR)});
  for (std::uint32_t option : {SO_PEERCRED, SO_PEERGROUPS})
    f.allow_if(SCMP_SYS(getsockopt), {equal32(1, SOL_SOCKET), equal32(2, option)});
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

void allow_database(Filter& f) {
  f.allow(kDatabaseCalls);
  allow_fcntl(f, {F_GETLK, F_SETLK});
}

// New files and files for reading; never one that is there for writing. Where they lie only Landlock can say:
// a name that begins with a slash takes no notice of the directory's descriptor. What newfstatat tells (size,
// owner, times) no version of Landlock withholds.
void allow_bodies(Filter& f, bool file_rules) {
  f.allow_if(SCMP_SYS(newfstatat), {});
  f.allow_if(SCMP_SYS(ftruncate), {});
  if (!file_rules) return;
  f.allow_if(SCMP_SYS(openat), {equal32(2, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW)});
  f.allow_if(SCMP_SYS(openat), {equal32(2, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)});
  f.allow_if(SCMP_SYS(renameat), {});
  f.allow_if(SCMP_SYS(unlinkat), {equal32(2, 0)});
}

// Files for reading and the list of them. Where they lie only Landlock can say.
void allow_logs(Filter& f) {
  f.allow_if(SCMP_SYS(openat), {equal32(2, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)});
  f.allow_if(SCMP_SYS(openat), {equal32(2, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_DIRECTORY)});
  f.allow_if(SCMP_SYS(newfstatat), {});
  f.allow_if(SCMP_SYS(getdents64), {});
}

// Mail drops that are there, for reading and writing; locks, made, read and unlinked. Where they lie only
// Landlock can say.
void allow_maildrops(Filter& f, bool file_rules) {
  if (!file_rules) return;
  f.allow_if(SCMP_SYS(openat), {equal32(2, O_RDWR | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)});
  f.allow_if(SCMP_SYS(openat), {equal32(2, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)});
  f.allow_if(SCMP_SYS(openat), {equal32(2, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)});
  f.allow_if(SCMP_SYS(unlinkat), {equal32(2, 0)});
  f.allow_if(SCMP_SYS(newfstatat), {});
  f.allow_if(SCMP_SYS(ftruncate), {});
  f.allow_if(SCMP_SYS(fsync), {});
  allow_fcntl(f, {F_SETLK});
}

// With connect, an accepted connection could be disconnected and connected to another place: it is given only
// where Landlock says to which ports. Elsewhere the resolver is asked by UDP alone, with sendto.
void allow_resolver(Filter& f, bool tcp_rules) {
  constexpr std::uint64_t kType = 0xffffffffULL & ~static_cast<std::uint64_t>(SOCK_NONBLOCK | SOCK_CLOEXEC);
  for (std::uint32_t family : {AF_INET, AF_INET6}) {
    f.allow_if(SCMP_SYS(socket), {equal32(0, family), masked(1, kType, SOCK_DGRAM)});
    if (tcp_rules) f.allow_if(SCMP_SYS(socket), {equal32(0, family), masked(1, kType, SOCK_STREAM)});
  }
  if (tcp_rules) {
    f.allow_if(SCMP_SYS(connect), {});
  } else {
    f.allow_if(SCMP_SYS(sendto), {equal32(3, MSG_NOSIGNAL)});
  }
}

// What resolvers are asked by is in it too: a process that may connect anywhere gains nothing by a datagram.
// No listen is in any set, so an address that is bound serves to connect from.
void allow_connect(Filter& f) {
  constexpr std::uint64_t kType = 0xffffffffULL & ~static_cast<std::uint64_t>(SOCK_NONBLOCK | SOCK_CLOEXEC);
  for (std::uint32_t family : {AF_INET, AF_INET6}) {
    for (std::uint32_t type : {SOCK_STREAM, SOCK_DGRAM})
      f.allow_if(SCMP_SYS(socket), {equal32(0, family), masked(1, kType, type)});
  }
  f.allow_if(SCMP_SYS(connect), {});
  f.allow_if(SCMP_SYS(bind), {});
  f.allow_if(SCMP_SYS(getsockopt), {equal32(1, SOL_SOCKET), equal32(2, SO_ERROR)});
  f.allow_if(SCMP_SYS(setsockopt), {equal32(1, IPPROTO_TCP), equal32(2, TCP_NODELAY)});
}

bool has_resolver(const Row& row, const Paths& paths) {
  return (row.calls & kResolver) != 0 && (row.calls & kConnect) == 0 && !paths.resolver_ports.empty();
}

constexpr int kTcpLandlock = 4;

// The socket for notices is connected to the dispatcher; sendmsg can name another address all the same. It
// stays where it is, under its number, and sendmsg is not for that number.
int load_exceptions() {
  Filter f(SCMP_ACT_ALLOW);
  constexpr std::uint32_t kNotices = 5;  // kDescriptors
  f.refuse_if(SCMP_SYS(sendmsg), {equal32(0, kNotices)});
  f.refuse_if(SCMP_SYS(fcntl), {equal32(0, kNotices), equal32(1, F_DUPFD_CLOEXEC)});
  return f.load();
}

int load_filter(const Row& row, const Paths& paths, int landlock) {
  if (int error = load_exceptions(); error != 0) return error;
  Filter f(kRefuse);
  allow_base(f);
  if (row.calls & kThreads) allow_threads(f);
  if (row.calls & kDatabase) allow_database(f);
  if (row.calls & kBodies) allow_bodies(f, landlock > 0);
  if ((row.calls & kLogs) && landlock > 0) allow_logs(f);
  if (row.calls & kMaildrops) allow_maildrops(f, landlock > 0);
  if (has_resolver(row, paths)) allow_resolver(f, landlock >= kTcpLandlock);
  if (row.calls & kConnect) allow_connect(f);
#ifdef POST_OFFICE_SANITIZED
  f.allow(kSanitizerCalls);
#endif
  return f.load();
}

std::string what_is_off(const Row& row, const Paths& paths, int landlock) {
  if ((row.calls & kBodies) && landlock == 0) return "bodies over 64 KiB";
  if ((row.calls & kLogs) && landlock == 0) return "stories of messages";
  if ((row.calls & kMaildrops) && landlock == 0) return "mail drops";
  if (has_resolver(row, paths) && landlock < kTcpLandlock) return "DNS over TCP";
  return {};
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

/// Everything that this ABI can forbid; what no rule gives back stays forbidden. Rules name ports one by one,
/// so for a row that connects anywhere connecting is not forbidden at all; binding is, but to port 0.
RulesetAttr everything(int abi, const Row& row) {
  RulesetAttr attr;
  attr.handled_access_fs = (1ULL << 13) - 1;
  if (abi >= 2) attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) attr.handled_access_fs |= kFsTruncate;
  if (abi >= 5) attr.handled_access_fs |= kFsIoctlDev;
  if (abi >= 4) attr.handled_access_net = kNetBindTcp | ((row.calls & kConnect) ? 0 : kNetConnectTcp);
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
  if (row.calls & kBodies) {
    std::uint64_t access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                           LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;
    if (!add_path(ruleset, paths.store + "/bodies", access & all.handled_access_fs)) return false;
  }
  if (row.calls & kLogs) {
    std::uint64_t access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    if (!add_path(ruleset, paths.logs, access & all.handled_access_fs)) return false;
  }
  if (row.calls & kMaildrops) {
    std::uint64_t access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                           LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | kFsTruncate;
    // A host without the directory has no mail drops, and its unix-deliver says so.
    if (!add_path(ruleset, paths.maildrops, access & all.handled_access_fs) && errno != ENOENT) return false;
  }
  if ((row.calls & kConnect) && all.handled_access_net != 0) {
    NetPortAttr attr{kNetBindTcp, 0};
    return syscall(SYS_landlock_add_rule, ruleset, kRuleNetPort, &attr, 0) == 0;
  }
  if (!(row.calls & kResolver) || all.handled_access_net == 0) return true;
  for (std::uint16_t port : paths.resolver_ports) {
    NetPortAttr attr{kNetConnectTcp, port};
    if (syscall(SYS_landlock_add_rule, ruleset, kRuleNetPort, &attr, 0) != 0) return false;
  }
  return true;
}

/// 0: the kernel has none; -1 with errno: it has, and refused.
int restrict_by_landlock(const Row& row, const Paths& paths, int newest) {
  int abi = std::min(landlock_version(), newest);
  if (abi == 0) return 0;
  RulesetAttr all = everything(abi, row);
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

bool limit_resources(const Row& row) {
  rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return false;
  return (row.calls & kThreads) != 0 || setrlimit(RLIMIT_NPROC, &none) == 0;
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
  constexpr std::pair<Calls, const char*> kNames[] = {
      {kBase, "base"},         {kThreads, "threads"}, {kDatabase, "database"}, {kBodies, "bodies"},
      {kResolver, "resolver"}, {kConnect, "connect"}, {kLogs, "logs"},         {kMaildrops, "maildrops"}};
  std::string out;
  for (auto [bit, name] : kNames) {
    if ((calls & bit) == 0) continue;
    if (!out.empty()) out += ' ';
    out += name;
  }
  return out;
}

int landlock_version() {
  long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Result<Confined> confine(messages::Role role, const Paths& paths, int newest) {
  const Row* mine = row(role);
  if (mine == nullptr)
    return permanent(std::string("no privileges are listed for ") + messages::role_name(role));
  if (!single_threaded()) return permanent("confinement came after the first thread");
  before_confine_load_lazy_files();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return permanent("cannot set no-new-privs", errno);
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return permanent("cannot become undumpable", errno);
  if (!limit_resources(*mine)) return permanent("cannot limit resources", errno);
  int landlock = restrict_by_landlock(*mine, paths, newest);
  if (landlock < 0) return permanent("Landlock refused the rules", errno);
  if (int error = load_filter(*mine, paths, landlock); error != 0)
    return permanent("seccomp refused the filter", error);
  return Confined{landlock, what_is_off(*mine, paths, landlock)};
}

}  // namespace po::sandbox
