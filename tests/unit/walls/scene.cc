#include "tests/unit/walls/scene.h"

#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace walls {

using po::Fd;

static constexpr const char* kFolders[] = {"directory", "secrets", "store", "store/bodies",
                                           "run",       "tls",     "logs",  "maildrops"};
static constexpr const char* kFiles[] = {"directory/data.mdb",
                                         "directory/lock.mdb",
                                         "secrets/data.mdb",
                                         "store/data.mdb",
                                         "store/bodies/old",
                                         "run/pid",
                                         "tls/key.pem",
                                         "log",
                                         "logs/post.office.log",
                                         "maildrops/jane",
                                         "outside"};

[[noreturn]] static void die(const char* what) {
  std::perror(what);
  std::abort();
}

static Fd open_socket(int family, int type, const sockaddr* address, socklen_t length) {
  Fd fd(socket(family, type | SOCK_CLOEXEC, 0));
  if (!fd || bind(fd.get(), address, length) != 0) die("bind");
  if ((type & SOCK_STREAM) != 0 && listen(fd.get(), 64) != 0) die("listen");
  return fd;
}

static sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return in;
}

static Fd inet_socket(int type, std::uint16_t& port) {
  sockaddr_in in = loopback(0);
  socklen_t length = sizeof in;
  Fd fd = open_socket(AF_INET, type, reinterpret_cast<sockaddr*>(&in), sizeof in);
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&in), &length);
  port = ntohs(in.sin_port);
  return fd;
}

static Fd connected(int type, std::uint16_t port) {
  sockaddr_in in = loopback(port);
  Fd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) != 0) die("connect");
  return fd;
}

static Fd unix_socket(const std::string& name, int type) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, name.data(), std::min(name.size(), sizeof un.sun_path - 1));
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  return open_socket(AF_UNIX, type, reinterpret_cast<sockaddr*>(&un), length);
}

static void make_pair(Fd& one, Fd& other) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) die("socketpair");
  one = Fd(ends[0]);
  other = Fd(ends[1]);
}

static void become(uid_t uid) {
  if (uid == static_cast<uid_t>(-1)) return;
  if (setgroups(0, nullptr) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
    die("become");
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

Scene::Scene(uid_t uid) : uid_(uid) {
  char name[] = "/tmp/walls.XXXXXX";
  if (mkdtemp(name) == nullptr) die("mkdtemp");
  directory_ = name;
  restore();
  make_sockets();
  if (uid_ != static_cast<uid_t>(-1)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_)) {
      if (lchown(entry.path().c_str(), uid_, uid_) != 0) die("chown");
    }
    if (chown(directory_.c_str(), uid_, uid_) != 0) die("chown");
  }
  start_victim();
}

Scene::~Scene() {
  if (victim_ > 0) {
    kill(victim_, SIGKILL);
    waitpid(victim_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string Scene::proc(const char* name) const {
  return "/proc/" + std::to_string(victim_) + "/" + name;
}

void Scene::make_sockets() {
  std::uint16_t listening = 0, unused = 0;
  make_pair(control_, control_end_);
  make_pair(peer_, peer_end_);
  resolver_ = inet_socket(SOCK_STREAM, resolver_port_);
  other_ = inet_socket(SOCK_STREAM, other_port_);
  listening_ = inet_socket(SOCK_STREAM, listening);
  client_end_ = connected(SOCK_STREAM, listening);
  client_ = Fd(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  Fd hub = inet_socket(SOCK_DGRAM, unused);
  notices_ = connected(SOCK_DGRAM, unused);
  udp_ = inet_socket(SOCK_DGRAM, udp_port_);
  command_ = unix_socket(path("run/command"), SOCK_STREAM);
  log_socket_ = unix_socket(path("run/datagrams"), SOCK_DGRAM);
  abstract_ = unix_socket(std::string(1, '\0') + directory_, SOCK_STREAM);
  for (const char* each : {"run/command", "run/datagrams"}) chmod(path(each).c_str(), 0666);
}

/// Another process of the same user, less guarded than those of the suite: it can be dumped and traced.
void Scene::start_victim() {
  victim_ = fork();
  if (victim_ < 0) die("fork");
  if (victim_ == 0) {
    become(uid_);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) pause();
  }
  pidfd_ = Fd(static_cast<int>(syscall(SYS_pidfd_open, victim_, 0)));
  usleep(50'000);  // for its change of user; a try that came too early would only show less
}

void Scene::restore() const {
  if (access(path("run/command").c_str(), F_OK) != 0)
    (void)rename(path("new").c_str(), path("run/command").c_str());
  for (const char* folder : kFolders) mkdir(path(folder).c_str(), 0700);
  for (const char* file : kFiles) {
    Fd fd(::open(path(file).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    struct stat st {};
    if (!fd || fstat(fd.get(), &st) != 0) continue;
    if (st.st_size == 0 && write(fd.get(), "x", 1) != 1) die("write");
    if (st.st_uid != uid_ && uid_ != static_cast<uid_t>(-1) && fchown(fd.get(), uid_, uid_) != 0)
      die("fchown");
  }
  for (const char* made : {"new", "secrets/new", "store/new", "store/bodies/new", "directory/new", "logs/new",
                           "maildrops/new"}) {
    std::error_code ignored;
    std::filesystem::remove_all(path(made), ignored);
  }
}

void Scene::enter() const {
  setsid();
  int body = ::open(path("store/bodies/old").c_str(), O_RDWR);
  int log = ::open(path("log").c_str(), O_WRONLY | O_APPEND);
  int bodies = ::open(path("store/bodies").c_str(), O_RDONLY | O_DIRECTORY);
  // First out of the way of the numbers that they are to have.
  int sources[] = {control_.get(), log,         notices_.get(), body,        listening_.get(),
                   client_.get(),  peer_.get(), bodies,         pidfd_.get()};
  for (int& fd : sources) fd = fcntl(fd, F_DUPFD, 64);
  int target = kControl;
  for (int fd : sources) {
    if (dup2(fd, target++) < 0) die("dup2");
  }
  for (int fd = target; fd < 256; ++fd) close(fd);
  become(uid_);
}

}  // namespace walls
