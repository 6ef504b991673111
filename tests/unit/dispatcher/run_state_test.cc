#include "dispatcher/run_state.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <string>

#include "dispatcher/layout.h"
#include "dispatcher/logs.h"
#include "dispatcher/status.h"

using namespace dispatcher;

namespace {
struct TemporaryDirectory {
  std::string path;
  TemporaryDirectory() {
    char name[] = "/tmp/run_state_test.XXXXXX";
    path = mkdtemp(name);
  }
  ~TemporaryDirectory() { (void)!system(("rm -rf " + path).c_str()); }
};
}  // namespace

TEST_CASE("no incarnation comes twice, however the count ends") {
  TemporaryDirectory dir;
  std::string path = dir.path + "/incarnation";
  std::set<std::uint32_t> seen;
  for (int start = 0; start < 5; ++start) {
    auto counts = Incarnations::open(path);
    REQUIRE(counts.has_value());
    for (int i = 0; i < 300; ++i) {  // more than a block
      auto n = counts->next();
      REQUIRE(n.has_value());
      CHECK(*n != 0);
      CHECK(seen.insert(*n).second);
    }
  }
  std::ofstream(path) << "rubbish";
  CHECK(Incarnations::open(path).has_value());
  std::ofstream(path) << "16777215";
  auto wraps = Incarnations::open(path);
  REQUIRE(wraps.has_value());
  CHECK(*wraps->next() == 16777215);
  CHECK(*wraps->next() == 1);
}

TEST_CASE("one lock, seen by others") {
  TemporaryDirectory dir;
  std::string path = dir.path + "/pid";
  CHECK_FALSE(lock_holder(path).has_value());
  auto file = PidFile::lock(path);
  REQUIRE(file.has_value());
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    bool refused = !PidFile::lock(path).has_value();
    _exit(refused && lock_holder(path) == parent ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
  file->release();
  struct stat st {};
  CHECK((stat(path.c_str(), &st) == 0 && st.st_size == 0));  // start sees by this that the end was clean
  auto again = PidFile::lock(path);
  REQUIRE(again.has_value());
}

TEST_CASE("directories are made with their modes, and only the owner's are taken") {
  TemporaryDirectory dir;
  po::config::Config config;
  config.spool_directory = dir.path + "/a/spool";
  config.mailbox_directory = dir.path + "/mailbox";
  config.log_directory = dir.path + "/log";
  Identity who = own_identity();
  REQUIRE(make_top_directories(config, who).has_value());
  REQUIRE(make_inner_directories(config, who).has_value());
  REQUIRE(make_top_directories(config, who).has_value());
  for (const Directory& d : layout(config)) {
    CAPTURE(d.path);
    CHECK(examine_directory(d, who, true) == "");
  }
  chmod(config.mailbox_directory.c_str(), 0777);
  CHECK(examine_directory(layout(config)[1], who, true).find("chmod 0700") != std::string::npos);
  Identity other = who;
  other.uid += 1;
  CHECK_FALSE(make_inner_directories(config, other).has_value());
  std::string link = dir.path + "/link";
  REQUIRE(symlink(config.spool_directory.c_str(), link.c_str()) == 0);
  config.spool_directory = link;
  CHECK_FALSE(make_top_directories(config, who).has_value());
}

TEST_CASE("a full log is put aside, and old ones go") {
  TemporaryDirectory dir;
  po::config::Config config;
  config.log_directory = dir.path;
  config.log_size = 100;
  config.log_files = 2;
  LogFiles files(config, false);
  REQUIRE(files.open().has_value());
  CHECK_FALSE(files.rotate_if_full());
  po::Fd old = files.duplicate();
  std::string line(200, 'x');
  REQUIRE(write(old.get(), line.data(), line.size()) == 200);
  for (const char* stamp : {"20200101T000000Z", "20200102T000000Z", "20200103T000000Z"}) {
    std::ofstream(dir.path + "/post.office.log." + stamp) << "old";
  }
  std::ofstream(dir.path + "/other") << "not ours";
  CHECK(files.rotate_if_full());
  CHECK_FALSE(files.rotate_if_full());
  CHECK(access((dir.path + "/post.office.log.20200101T000000Z").c_str(), F_OK) != 0);
  CHECK(access((dir.path + "/post.office.log.20200103T000000Z").c_str(), F_OK) == 0);
  CHECK(access((dir.path + "/other").c_str(), F_OK) == 0);
}

TEST_CASE("the tail of a log") {
  TemporaryDirectory dir;
  std::string path = dir.path + "/l";
  CHECK(tail_of(path, 2) == "");
  std::ofstream(path) << "1\n2\n3\n";
  CHECK(tail_of(path, 2) == "2\n3\n");
  CHECK(tail_of(path, 9) == "1\n2\n3\n");
}

TEST_CASE("status for people and for programs") {
  StatusHead head;
  head.hostname = "mail.example.org";
  head.version = "0.1";
  head.config_file = "/etc/post.office.conf";
  head.certificates = {{"/tls/chain.pem", "mail and web", 9, "9 days left"}};
  head.disks = {{"spool", "/var/spool/post.office", 5, 10}};
  head.ports = {{"web", "http", "0.0.0.0:81", "wwwd", true}};
  head.now = 20;
  head.started = 10;
  std::vector<StatusRow> rows(1);
  rows[0].name = "smtpd.1";
  rows[0].module = "SMTP-Accept";
  rows[0].state = "up";
  rows[0].pid = 42;
  rows[0].uptime = 90061;
  rows[0].served = 7;
  rows[0].last_alive = 1;
  std::string text = status_text(head, rows);
  for (const char* part : {"mail.example.org", "smtpd.1", "SMTP-Accept", "1 d 01:01:01", "42"}) {
    CHECK(text.find(part) != std::string::npos);
  }
  CHECK(status_json(head, rows) ==
        "{\"hostname\":\"mail.example.org\",\"version\":\"0.1\",\"config\":\"/etc/"
        "post.office.conf\",\"now\":20,"
        "\"started\":10,"
        "\"certificates\":[{\"file\":\"/tls/chain.pem\",\"used_by\":\"mail and web\",\"days\":9,\"text\":\"9 "
        "days left\"}],"
        "\"disks\":[{\"name\":\"spool\",\"path\":\"/var/spool/post.office\",\"free\":5,\"size\":10}],"
        "\"ports\":[{\"service\":\"web\",\"protocol\":\"http\",\"address\":\"0.0.0.0:81\",\"program\":"
        "\"wwwd\",\"tls\":true}],"
        "\"history\":null,\"processes\":[{\"name\":"
        "\"smtpd.1\",\"module\":\"SMTP-Accept\",\"state\":\"up\",\"pid\":42,\"uptime\":90061,\"restarts\":0,"
        "\"sessions\":0,"
        "\"served\":7,\"refused\":0,\"rate\":0.00,\"last_alive\":1}]}\n");
}
