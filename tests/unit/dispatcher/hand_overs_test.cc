#include "dispatcher/hand_overs.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

using namespace dispatcher;
using namespace std::chrono_literals;
using po::Fd;
using po::messages::HandedClient;
using po::messages::HandOver;
using po::messages::HandOverAnswer;

namespace {

struct Given {
  std::string program;
  std::uint32_t serial;
  std::string service;
  std::uint32_t process;
  bool sends_at_once;
};

bool sends_at_once(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0 && value != 0;
}

/// run/inetd with programs that come to it, and processes of which `ready` is the one that serves, 0 for
/// none.
struct Post {
  std::string path;
  po::Loop loop;
  po::Log log;
  po::config::Config config =
      po::config::parse("service smtp smtp inetd smtpd\nservice other smtp 127.0.0.1:1 smtpd\n", "f").config;
  std::uint32_t ready = 1;
  std::vector<Given> given;
  HandOvers hand_overs;

  explicit Post(uid_t own = geteuid(), HandOvers::Limits limits = {})
      : hand_overs(
            loop, config, own, log,
            [this](const std::string& program, std::uint32_t serial, const HandedClient& handed, Fd client) {
              REQUIRE(client);
              if (ready != 0)
                given.push_back({program, serial, handed.listen.service, ready, sends_at_once(client.get())});
              return ready;
            },
            limits) {
    char name[] = "/tmp/hand_overs_test.XXXXXX";
    path = mkdtemp(name);
    Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&address()), sizeof(sockaddr_un)) == 0);
    REQUIRE(listen(listener.get(), 100) == 0);
    hand_overs.open(std::move(listener));
  }
  ~Post() {
    unlink((path + "/s").c_str());
    rmdir(path.c_str());
  }
  sockaddr_un& address() {
    un_.sun_family = AF_UNIX;
    std::strcpy(un_.sun_path, (path + "/s").c_str());
    return un_;
  }
  Fd connect() {
    Fd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address()), sizeof(sockaddr_un)) == 0);
    return fd;
  }
  po::BlockingChannel bring(const std::string& service) {
    po::BlockingChannel program(connect());
    Fd client(socket(AF_INET, SOCK_STREAM, 0));
    REQUIRE(program.send_with(client.get(), 7, HandOver{service}).has_value());
    turn();
    return program;
  }
  /// Lets the loop do what there is to do.
  void turn(std::chrono::milliseconds time = 20ms) {
    po::Event end;
    end.after(loop, time, [this] { loop.stop(); });
    loop.run();
  }

 private:
  sockaddr_un un_{};
};

std::string answer_of(po::BlockingChannel& program) {
  auto frame = program.receive(2);
  if (!frame) return "closed";
  HandOverAnswer answer;
  if (!frame->decode(answer) || frame->serial != 7) return "garbage";
  return answer.kind == po::Kind::kDone ? "done" : answer.text;
}

}  // namespace

TEST_CASE("a client is given to a process, and the program hears when that has taken it") {
  Post post;
  auto program = post.bring("smtp");
  REQUIRE(post.given.size() == 1);
  CHECK(post.given[0].program == "smtpd");
  CHECK(post.given[0].service == "smtp");
  CHECK(post.given[0].sends_at_once);
  std::uint32_t serial = post.given[0].serial;
  CHECK_FALSE(post.hand_overs.took(1, serial + 1));  // never given
  CHECK_FALSE(post.hand_overs.took(2, serial));      // to another
  CHECK(post.hand_overs.took(1, serial));
  CHECK_FALSE(post.hand_overs.took(1, serial));  // once
  post.turn();
  CHECK(answer_of(program) == "done");
  (void)program.release();
  post.turn();
  CHECK(post.hand_overs.guests() == 0);
}

TEST_CASE("a client outlives the process that was to take it, and waits for the next") {
  Post post;
  auto program = post.bring("smtp");
  post.ready = 2;
  post.hand_overs.gone(1);
  REQUIRE(post.given.size() == 2);
  CHECK(post.given[1].process == 2);
  CHECK(post.given[1].serial == post.given[0].serial);
  post.ready = 0;
  post.hand_overs.gone(2);
  CHECK(post.given.size() == 2);
  post.hand_overs.gone(2);  // nobody's any more
  post.ready = 3;
  post.hand_overs.ready();
  REQUIRE(post.given.size() == 3);
  CHECK_FALSE(post.hand_overs.took(1, post.given[0].serial));
  CHECK(post.hand_overs.took(3, post.given[2].serial));
  post.turn();
  CHECK(answer_of(program) == "done");
}

TEST_CASE("a program that gave up has told its client so: nobody gets it") {
  Post post;
  post.ready = 0;
  (void)post.bring("smtp").release();
  post.turn();
  CHECK(post.hand_overs.guests() == 0);
  post.ready = 1;
  (void)post.bring("smtp").release();
  post.turn();
  CHECK(post.hand_overs.guests() == 1);  // that process may have it already
  post.hand_overs.gone(1);
  CHECK(post.given.size() == 1);
  CHECK(post.hand_overs.guests() == 0);
  (void)post.bring("smtp").release();
  post.turn();
  CHECK(post.hand_overs.took(1, post.given.at(1).serial));
  CHECK(post.hand_overs.guests() == 0);
}

TEST_CASE("nobody ready, no such service, nothing said: an end with a reason") {
  Post post(geteuid(), {256, 50ms});
  post.ready = 0;
  auto program = post.bring("smtp");
  Fd silent = post.connect();
  post.turn(200ms);
  CHECK(answer_of(program) == "no smtpd is ready");
  CHECK(post.hand_overs.guests() == 0);
  for (const char* service : {"other", "pop3", ""}) {
    auto wrong = post.bring(service);
    CHECK(answer_of(wrong).find("f has no service ") == 0);
  }
  CHECK(post.given.empty());
}

TEST_CASE("garbage, strangers and too many are dropped") {
  Post post(geteuid(), {2, 10s});
  for (int variant = 0; variant < 3; ++variant) {
    po::BlockingChannel program(post.connect());
    Fd local(socket(AF_UNIX, SOCK_STREAM, 0));
    auto sent = variant == 0   ? program.send(7, HandOver{"smtp"})
                : variant == 1 ? program.send_with(local.get(), 7, HandOver{"smtp"})
                               : program.send(7, po::messages::Ready{});
    REQUIRE(sent.has_value());
    post.turn();
    CHECK(answer_of(program) == "closed");
    CHECK(post.hand_overs.guests() == 0);
  }
  auto twice = post.bring("smtp");
  Fd client(socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(twice.send_with(client.get(), 7, HandOver{"smtp"}).has_value());
  post.turn();
  CHECK(answer_of(twice) == "closed");

  Fd one = post.connect();
  post.turn();
  CHECK(post.hand_overs.guests() == 2);
  po::BlockingChannel third(post.connect());
  post.turn();
  CHECK(answer_of(third) == "closed");

  Post others(geteuid() + 1);
  po::BlockingChannel stranger(others.connect());
  others.turn();
  CHECK(answer_of(stranger) == "closed");
  CHECK(others.hand_overs.guests() == 0);
}
