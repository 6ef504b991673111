// A Connection on a real socket, with a real directory behind it, in one loop. The client speaks before the
// loop runs and reads when it has ended.
#include "fingerd/connection.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "lib/directory/writer.h"
#include "lib/net_address.h"

using namespace fingerd;

namespace {

class Scene {
 public:
  explicit Scene(const std::vector<std::string>& access = {}) : access_(read_access(access)) {
    ::signal(SIGPIPE, SIG_IGN);  // as Module does
    char name[] = "/tmp/fingerd-test-XXXXXX";
    path_ = std::string(::mkdtemp(name));
    REQUIRE(directory::Writer::open({.path = path_ + "/directory", .hostname = "mx.podunk.edu"}));
    auto reader = directory::Reader::open(path_ + "/directory", "mx.podunk.edu");
    REQUIRE(reader);
    reader_.emplace(std::move(*reader));
    desk_.emplace(*reader_, "mx.podunk.edu");
    log_.listen([this](std::string_view line) { logged_ += std::string(line) + "\n"; });
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    server_ = po::Fd(fds[0]);
    client_ = po::Fd(fds[1]);
    ::fcntl(server_.get(), F_SETFL, O_NONBLOCK);
  }
  ~Scene() { std::filesystem::remove_all(path_); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  void say(std::string_view octets) {
    REQUIRE(::send(client_.get(), octets.data(), octets.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(octets.size()));
  }
  void close_half() { ::shutdown(client_.get(), SHUT_WR); }
  void hang_up() { client_.reset(); }

  /// Until the connection has gone; what the client reads.
  std::string run(bool stop = false, const char* address = "192.0.2.7") {
    po::ResolverOptions options;
    options.hosts = "192.0.2.7 pc.podunk.edu\n";
    po::Resolver resolver(loop_, options);
    Connection* here = nullptr;
    Connection connection(Surroundings{loop_, log_, *desk_, resolver, totals_},
                          Client{1, "session", *po::parse_address(address)},
                          std::make_shared<const Access>(access_), *reader_->settings(), std::move(server_),
                          [this](std::uint64_t) {
                            gone_ = true;
                            loop_.stop();
                          });
    here = &connection;
    po::Event stopping, too_long;
    if (stop) stopping.after(loop_, std::chrono::milliseconds(10), [here] { here->stop(); });
    too_long.after(loop_, std::chrono::seconds(8), [this] { loop_.stop(); });
    loop_.run();
    CHECK(gone_);
    std::string out;
    char buffer[4096];
    for (ssize_t n; client_ && (n = ::recv(client_.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
      out.append(buffer, static_cast<std::size_t>(n));
    return out;
  }
  /// The end of the one line of the log.
  std::string logged() const { return logged_.substr(std::min(logged_.size(), logged_.find("event="))); }
  const Totals& totals() const { return totals_; }

 private:
  Access access_;
  std::string path_, logged_;
  std::optional<directory::Reader> reader_;
  std::optional<Desk> desk_;
  po::Loop loop_;
  po::Log log_;
  Totals totals_;
  po::Fd server_, client_;
  bool gone_ = false;
};

constexpr std::string_view kPostmaster =
    "[mx.podunk.edu]\r\nAccount Name: Mail Administrator\r\nEmail address: Postmaster@mx.podunk.edu\r\n"
    "------\r\nmail system administrator.\r\n";

}  // namespace

TEST_CASE("a query is answered, counted and logged") {
  Scene scene;
  scene.say("postmaster\r\nmore");
  CHECK(scene.run() == kPostmaster);
  CHECK(scene.logged() ==
        "event=finger session=session client=192.0.2.7 query=postmaster outcome=shown account=1\n");
  CHECK(scene.totals().answered == 1);
  CHECK(scene.totals().failures == 0);
}

TEST_CASE("a client's name is looked up where it decides") {
  for (bool half : {false, true}) {
    Scene scene({"podunk.edu"});
    scene.say("postmaster\r\n");
    if (half) scene.close_half();
    CHECK(scene.run() == kPostmaster);
  }
  Scene stranger({"podunk.edu"});
  stranger.say("postmaster\r\n");
  CHECK(stranger.run(false, "127.0.0.1") == "Finger is not open to your address.\r\n");
  CHECK_THAT(stranger.logged(), Catch::EndsWith("query=postmaster outcome=no-access\n"));
  CHECK(stranger.totals().failures == 1);
}

TEST_CASE("clients that do not finish") {
  Scene half;
  half.say("postm");
  half.close_half();
  CHECK(half.run() == "A query ends with CRLF; yours did not.\r\n");
  Scene silent;
  silent.close_half();
  CHECK(silent.run().empty());
  CHECK_THAT(silent.logged(), Catch::EndsWith("query=\"\" outcome=no-query\n") ||
                                  Catch::EndsWith("query= outcome=no-query\n"));
  Scene gone;
  gone.say("ja");
  gone.hang_up();
  gone.run();
  CHECK_THAT(gone.logged(), Catch::Contains("query=ja outcome="));
}

TEST_CASE("at a stop who has not asked yet is told") {
  Scene scene;
  scene.say("jane");
  CHECK(scene.run(true) == "The mail system stops at the moment; try again later.\r\n");
}
