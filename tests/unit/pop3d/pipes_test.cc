#include "pop3d/pipes.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <vector>

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

po::Fd pipe_to(pop3d::Pipes& pipes, po::messages::Role role) {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  pipes.connect(role, po::Fd(fds[0]));
  return po::Fd(fds[1]);
}

void turn(po::Loop& loop) {
  po::Event end;
  end.after(loop, 20ms, [&] { loop.stop(); });
  loop.run();
}

}  // namespace

TEST_CASE("a pipe that broke and is not replaced is given up after all restarts would have been over") {
  po::Loop loop;
  po::Log log;
  pop3d::Pipes pipes(loop, log);
  CHECK_FALSE(pipes.hopeless(Clock::now() + 1h));  // not connected yet is not lost
  std::vector<po::Fd> open;
  for (auto role : {po::messages::Role::kQueue, po::messages::Role::kAccounts}) {
    po::Fd far = pipe_to(pipes, role);
    far.reset();
    turn(loop);
    CHECK_FALSE(pipes.hopeless(Clock::now() + 30s));
    CHECK(pipes.hopeless(Clock::now() + 41s));
    open.push_back(pipe_to(pipes, role));
    CHECK_FALSE(pipes.hopeless(Clock::now() + 1h));
    turn(loop);
  }
}
