// What the table says and how confine() comes by it. That each row's walls hold: tests/unit/walls.
#include "lib/sandbox.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

const std::vector<Role> kRows = {Role::kAccounts,    Role::kQueue,      Role::kSmtpd,   Role::kPop3d,
                                 Role::kSmtpDeliver, Role::kWwwd,       Role::kFingerd, Role::kStory,
                                 Role::kUnixDeliver, Role::kLmtpDeliver};

#ifndef POST_OFFICE_SANITIZED  // that build leaves openings for the sanitizers' reports

struct TemporaryDirectory {
  std::string path;
  TemporaryDirectory() {
    char name[] = "/tmp/sandbox_test.XXXXXX";
    path = mkdtemp(name);
    for (const char* folder : {"/store", "/store/bodies", "/logs", "/maildrops"})
      mkdir((path + folder).c_str(), 0700);
  }
  ~TemporaryDirectory() {
    for (const char* folder : {"/store/bodies", "/store", "/logs", "/maildrops", ""})
      rmdir((path + folder).c_str());
  }
};

sandbox::Paths paths_below(const std::string& dir, bool resolver = false) {
  sandbox::Paths p{dir + "/directory", dir + "/secrets",   dir + "/store",
                   dir + "/logs",      dir + "/maildrops", {}};
  if (resolver) p.resolver_ports = {53};
  return p;
}

/// Runs `body` in a confined child; what it returns as text (empty: nothing wrong).
std::string in_child(Role role, const sandbox::Paths& paths, int landlock,
                     const std::function<std::string(const sandbox::Confined&)>& body) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    signal(SIGABRT, SIG_DFL);  // not the test runner's
    auto done = sandbox::confine(role, paths, landlock);
    std::string said = done ? body(*done) : "confine: " + done.error().text;
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

#endif

}  // namespace

#ifndef POST_OFFICE_SANITIZED

TEST_CASE("sockets and threads only where the row says so") {
  TemporaryDirectory dir;
  auto open_socket = [](const sandbox::Confined&) {
    return std::string(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0 ? "socket" : "");
  };
  auto make_thread = [](const sandbox::Confined&) {
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
    CHECK(in_child(role, paths_below(dir.path, true), sandbox::kNewestLandlock, open_socket) ==
          ((row.calls & sandbox::kResolver) != 0 ? "socket" : ""));
    CHECK(in_child(role, paths_below(dir.path, false), sandbox::kNewestLandlock, open_socket) ==
          ((row.calls & sandbox::kConnect) != 0 ? "socket" : ""));
    CHECK(in_child(role, paths_below(dir.path), sandbox::kNewestLandlock, make_thread) ==
          ((row.calls & sandbox::kThreads) != 0 ? "thread" : ""));
  }
}

TEST_CASE("what rests on Landlock alone is off without it") {
  TemporaryDirectory dir;
  std::vector<std::string> off;
  for (int version : {0, 3, 4}) {
    for (Role role : kRows) {
      std::string said = in_child(role, paths_below(dir.path, true), version, [](const sandbox::Confined& c) {
        return c.off.empty() ? std::string() : c.off + " at " + std::to_string(c.landlock);
      });
      if (!said.empty()) off.push_back(std::string(po::messages::role_name(role)) + ": " + said);
    }
  }
  // Where the running kernel has less than 3 or 4, more is off, by the same rule.
  std::vector<std::string> expected = {"queue: bodies over 64 KiB at 0", "smtpd: DNS over TCP at 0",
                                       "pop3d: DNS over TCP at 0",       "wwwd: DNS over TCP at 0",
                                       "fingerd: DNS over TCP at 0",     "story: stories of messages at 0",
                                       "unix-deliver: mail drops at 0"};
  REQUIRE(off.size() >= expected.size());
  CHECK(std::vector<std::string>(off.begin(), off.begin() + static_cast<std::ptrdiff_t>(expected.size())) ==
        expected);
  for (const std::string& one : off) CHECK_FALSE(one.ends_with(" at 4"));
}

TEST_CASE("abort still aborts, and leaves no core") {
  TemporaryDirectory dir;
  for (Role role : kRows) {
    std::string said = in_child(role, paths_below(dir.path), sandbox::kNewestLandlock,
                                [](const sandbox::Confined&) -> std::string { abort(); });
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
    for (std::string cell : {std::string(row.executable), std::string(row.descriptors),
                             std::string(row.peers), std::string(row.files), std::string(row.sockets),
                             std::string(row.limits), sandbox::calls_text(row.calls)}) {
      CAPTURE(cell);
      CHECK(text.find(cell) != std::string::npos);
    }
  }
}
