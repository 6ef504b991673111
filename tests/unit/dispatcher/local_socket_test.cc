#include "dispatcher/local_socket.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

namespace {

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/local-socket-test-XXXXXX";
    path = ::mkdtemp(name);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
};

po::Fd listen_at(const std::string& path, int backlog) {
  po::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), backlog) == 0);
  return fd;
}

po::Result<po::Fd> connect(const std::string& path) {
  return dispatcher::connect_to_local(path, "saslauthd", "saslauthd");
}

std::optional<gid_t> group(const std::string& path) {
  return dispatcher::group_to_enter(path, "sasl");
}

}  // namespace

TEST_CASE("connected to another program, or told why not, without waiting") {
  Folder folder;
  std::string path = folder.path + "/mux";
  CHECK_FALSE(connect(""));
  CHECK_FALSE(connect(path));
  CHECK_FALSE(connect("/" + std::string(200, 'x')));
  po::Fd listener = listen_at(path, 0);
  CHECK(connect(path));
  // Nobody accepts: at some time it is full, and that is said at once.
  std::vector<po::Fd> kept;
  po::Result<po::Fd> last = po::Fd();
  for (int i = 0; i < 1000 && last; ++i) {
    last = connect(path);
    if (last) kept.push_back(std::move(*last));
  }
  REQUIRE_FALSE(last);
  CHECK(last.error().text.find("too much to do") != std::string::npos);
  CHECK(last.error().kind == po::Kind::kTemporary);
}

TEST_CASE("the group that is kept for the directory of a socket") {
  Folder folder;
  CHECK_FALSE(group(""));
  ::chmod(folder.path.c_str(), 0755);
  CHECK_FALSE(group(folder.path + "/mux"));
  ::chmod(folder.path.c_str(), 0700);
  CHECK_FALSE(group(folder.path + "/mux"));
  ::chmod(folder.path.c_str(), 0710);
  struct stat st {};
  REQUIRE(::stat(folder.path.c_str(), &st) == 0);
  auto kept = group(folder.path + "/mux");
  CHECK(kept.has_value() == (st.st_gid != 0));  // never root's
  if (::geteuid() != 0) return;
  REQUIRE(::chown(folder.path.c_str(), 0, 54321) == 0);
  CHECK(group(folder.path + "/mux") == gid_t{54321});
}

TEST_CASE("what is closed on the way to a socket") {
  Folder folder;
  std::string path = folder.path + "/mux";
  po::Fd listener = listen_at(path, 1);
  CHECK(dispatcher::closed_part(path).empty());
  CHECK(dispatcher::closed_part(folder.path + "/none/mux") == folder.path + "/none");
  CHECK(dispatcher::closed_part(folder.path + "/none") == folder.path + "/none");
  if (::geteuid() == 0) return;  // nothing is closed to root
  ::chmod(path.c_str(), 0400);
  CHECK(dispatcher::closed_part(path) == path);
  ::chmod(folder.path.c_str(), 0600);
  CHECK(dispatcher::closed_part(path) == folder.path);
  ::chmod(folder.path.c_str(), 0700);
}
