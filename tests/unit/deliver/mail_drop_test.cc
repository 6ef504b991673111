// Real files, as root: a mail drop is another user's, in a directory of root's.
#include "deliver/unix/mail_drop.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace unix_deliver;
using End = Attempt::End;
namespace fs = std::filesystem;

namespace {

constexpr uid_t kUser = 12345;
const std::string kFirst = "From jane@podunk.edu  Fri Nov  6 07:05:09 2026\n";

struct Directory {
  fs::path path;
  Directory() {
    char name[] = "/tmp/mail-drops-XXXXXX";
    path = mkdtemp(name);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path); }

  void write(const std::string& name, const std::string& text, uid_t owner = kUser,
             mode_t mode = 0660) const {
    std::ofstream(path / name) << text;
    CHECK(chmod((path / name).c_str(), mode) == 0);
    CHECK(chown((path / name).c_str(), owner, 8) == 0);
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(path / name).rdbuf();
    return out.str();
  }
};

MailDrops::Source pieces(std::vector<std::string> all) {
  return [all = std::move(all), at = std::size_t{0}]() mutable -> po::Result<std::string_view> {
    return at == all.size() ? std::string_view() : std::string_view(all[at++]);
  };
}

std::string boot() {
  std::string out;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> out;
  return out;
}

bool is_root() {
  if (geteuid() == 0) return true;
  std::puts("skipped: mail drops, without root");
  return false;
}

}  // namespace

TEST_CASE("mail drop: a message is appended behind a blank line, and the locks are gone") {
  if (!is_root()) return;
  Directory d;
  MailDrops drops(d.path);
  for (const char* before : {"", "x\n\n", "x\n", "x", "\n"}) {
    d.write("jane", before);
    auto a = drops.append("jane", {kFirst, pieces({"Subject: 1\n", "\nbody\n\n"})});
    CHECK(a.end == End::kWritten);
    std::string wanted = before;
    while (!wanted.empty() && wanted != "\n" && !wanted.ends_with("\n\n")) wanted += "\n";
    if (wanted == "\n") wanted = "\n";
    CHECK(d.read("jane") == wanted + kFirst + "Subject: 1\n\nbody\n\n");
    CHECK_FALSE(fs::exists(d.path / "jane.lock"));
  }
}

TEST_CASE("mail drop: what is not as it must be is left alone") {
  if (!is_root()) return;
  Directory d;
  MailDrops drops(d.path);
  auto append = [&](const char* login) { return drops.append(login, {kFirst, pieces({"x\n\n"})}); };
  CHECK(append("nobody").end == End::kAbsent);
  d.write("victim", "secret");
  fs::create_symlink(d.path / "victim", d.path / "link");
  fs::create_hard_link(d.path / "victim", d.path / "second");
  d.write("roots", "", 0);
  d.write("alone", "", kUser, 0600);
  fs::create_directory(d.path / "directory");
  CHECK(mkfifo((d.path / "pipe").c_str(), 0660) == 0);
  CHECK(chown((d.path / "pipe").c_str(), kUser, 8) == 0);
  for (const char* name : {"link", "second", "victim", "roots", "alone", "directory", "pipe"}) {
    CAPTURE(name);
    auto a = append(name);
    CHECK(a.end == End::kFailed);
    CHECK(a.error.kind == po::Kind::kTemporary);
    CHECK(a.status == "4.3.5");
    CHECK_FALSE(a.error.text.empty());
    CHECK_FALSE(fs::exists(d.path / (std::string(name) + ".lock")));
  }
  CHECK(d.read("victim") == "secret");
}

TEST_CASE("mail drop: a directory that is not as it must be gets nothing") {
  if (!is_root()) return;
  Directory d;
  d.write("jane", "");
  CHECK(chmod(d.path.c_str(), 0777) == 0);
  auto a = MailDrops(d.path).append("jane", {kFirst, pieces({"x\n\n"})});
  CHECK(a.end == End::kFailed);
  CHECK(a.error.text.find("written by everybody") != std::string::npos);
  CHECK(MailDrops("/nowhere/at/all").append("jane", {kFirst, pieces({"x\n\n"})}).end == End::kFailed);
  CHECK(d.read("jane").empty());
}

TEST_CASE("mail drop: others' locks are respected, forgotten ones are not") {
  if (!is_root()) return;
  Directory d;
  MailDrops drops(d.path);
  d.write("jane", "");
  auto append = [&] { return drops.append("jane", {kFirst, pieces({"x\n\n"})}); };
  d.write("jane.lock", "1\n", kUser);
  CHECK(append().end == End::kLocked);
  CHECK(fs::exists(d.path / "jane.lock"));
  timespec old[2] = {{time(nullptr) - 400, 0}, {time(nullptr) - 400, 0}};
  CHECK(utimensat(AT_FDCWD, (d.path / "jane.lock").c_str(), old, 0) == 0);
  auto a = append();
  CHECK(a.end == End::kLocked);
  CHECK(a.note == "jane.lock was forgotten and has been taken away");
  CHECK(append().end == End::kWritten);
  // The fcntl lock of another process.
  int ready[2];
  CHECK(pipe(ready) == 0);
  pid_t holder = fork();
  if (holder == 0) {
    int fd = open((d.path / "jane").c_str(), O_RDWR);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    bool locked = fcntl(fd, F_SETLK, &whole) == 0;
    [[maybe_unused]] ssize_t n = write(ready[1], locked ? "y" : "n", 1);
    pause();
  }
  char held = 0;
  CHECK(read(ready[0], &held, 1) == 1);
  CHECK(held == 'y');
  CHECK(append().end == End::kLocked);
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  CHECK(append().end == End::kWritten);
  close(ready[0]);
  close(ready[1]);
}

TEST_CASE("mail drop: what cannot be written to its end is taken back") {
  if (!is_root()) return;
  Directory d;
  MailDrops drops(d.path);
  d.write("jane", "From x\n\nold\n\n");
  SECTION("the message cannot be read") {
    int calls = 0;
    MailDrops::Message message{kFirst, [&]() -> po::Result<std::string_view> {
                                 if (++calls == 1) return std::string_view("some of it\n");
                                 return po::temporary("the message cannot be read");
                               }};
    auto a = drops.append("jane", message);
    CHECK(a.end == End::kFailed);
    CHECK(a.error.text == "the message cannot be read");
  }
  SECTION("the file may not grow so far") {
    rlimit before{}, small{100, 100};
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small.rlim_max = before.rlim_max;
    auto handler = std::signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    auto a = drops.append("jane", {kFirst, pieces({std::string(1000, 'x') + "\n\n"})});
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, handler);
    CHECK(a.end == End::kFailed);
    CHECK(a.status == "4.3.1");
  }
  CHECK(d.read("jane") == "From x\n\nold\n\n");
  CHECK_FALSE(fs::exists(d.path / "jane.lock"));
}

TEST_CASE("mail drop: what a crash left unfinished is taken back, once and only if it is ours") {
  if (!is_root()) return;
  Directory d;
  MailDrops drops(d.path);
  const std::string old = "From x\n\nold\n\n";
  const std::string lock = "77\n" + boot() + "\n" + std::to_string(old.size()) + "\n" + kFirst;
  auto append = [&] { return drops.append("jane", {kFirst, pieces({"new\n\n"})}); };
  auto crashed = [&](const std::string& tail, const std::string& lock_text, uid_t owner) {
    d.write("jane", old + tail);
    d.write("jane.lock", lock_text, owner, 0400);
    while (append().end == End::kLocked) {
    }
    return d.read("jane");
  };
  const std::string wanted = old + kFirst + "new\n\n";
  SECTION("cut at every octet") {
    const std::string message = kFirst + "Return-Path: <>\n\nhalf of a\n";
    for (std::size_t n = 1; n <= message.size(); ++n) {
      CAPTURE(n);
      CHECK(crashed(message.substr(0, n), lock, 0) == wanted);
    }
  }
  SECTION("with the line that was wanting before it") {
    CHECK(crashed("\n" + kFirst + "half", lock, 0) == wanted);
  }
  SECTION("long ones") {
    CHECK(crashed(kFirst + std::string(300'000, 'y'), lock, 0) == wanted);
    std::string mine = kFirst + std::string(300'000, 'y') + "\n\n", others = "From other@x.org\n\nhers\n\n";
    CHECK(crashed(mine + others, lock, 0) == old + mine + others + kFirst + "new\n\n");
  }
  SECTION("nothing was written yet") {
    CHECK(crashed("", lock, 0) == wanted);
  }
  SECTION("another message stands there, or behind it") {
    std::string other = "From other@x.org\n\nhers\n\n";
    CHECK(crashed(other, lock, 0) == old + other + kFirst + "new\n\n");
    CHECK(crashed(kFirst + "half\n\n" + other, lock, 0) ==
          old + kFirst + "half\n\n" + other + kFirst + "new\n\n");
  }
  SECTION("locks that say something else") {
    const std::string ours = "77\n" + boot() + "\n";
    for (const std::string& text : {std::string(), std::string("77"), std::string("77\n"), ours,
                                    ours + "xyz\nFrom x", ours + "-5\nFrom ", ours + "99999\nFrom x\n",
                                    ours + "0\nnot from\n", ours + std::to_string(old.size()) + "\n"}) {
      CAPTURE(text);
      CHECK(crashed("kept\n\n", text, 0) == old + "kept\n\n" + kFirst + "new\n\n");
    }
  }
  SECTION("another boot of the host, or another's lock that was forgotten") {
    std::string before = "77\nanother\n" + std::to_string(old.size()) + "\n" + kFirst;
    CHECK(crashed(kFirst + "whole\n\n", before, 0) == old + kFirst + "whole\n\n" + kFirst + "new\n\n");
    d.write("jane", old + kFirst + "whole\n\n");
    d.write("jane.lock", lock, kUser, 0400);
    timespec long_ago[2] = {{time(nullptr) - 400, 0}, {time(nullptr) - 400, 0}};
    CHECK(utimensat(AT_FDCWD, (d.path / "jane.lock").c_str(), long_ago, 0) == 0);
    CHECK(append().end == End::kLocked);
    CHECK(append().end == End::kWritten);
    CHECK(d.read("jane") == old + kFirst + "whole\n\n" + kFirst + "new\n\n");
  }
}

TEST_CASE("mail drop: what may be there already is looked for") {
  if (!is_root()) return;
  Directory d;
  MailDrops drops(d.path);
  std::string begins = kFirst + "Return-Path: <>\nReceived: id 77\n";
  auto append = [&](bool again) { return drops.append("jane", {begins, pieces({"x\n\n"}), again}); };
  d.write("jane", std::string(200'000, 'y') + "\n\n");
  CHECK(append(true).end == End::kWritten);
  auto size = d.read("jane").size();
  auto a = append(true);
  CHECK(a.end == End::kWritten);
  CHECK(a.note == "it was there already");
  CHECK(d.read("jane").size() == size);
  CHECK(append(false).end == End::kWritten);
  CHECK(d.read("jane").size() == size + begins.size() + 3);
}
