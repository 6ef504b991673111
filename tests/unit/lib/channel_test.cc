#include "lib/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <catch2/catch.hpp>

using namespace po;
using namespace std::chrono_literals;

namespace {

struct Pair {
  Fd a, b;
  Pair() {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    a = Fd(fds[0]);
    b = Fd(fds[1]);
  }
};

/// Runs the loop until `done` or for two seconds.
template <class Done>
void run_until(Loop& loop, Done done) {
  Event poll, limit;
  poll.every(loop, 1ms, [&] {
    if (done()) loop.stop();
  });
  limit.after(loop, 2000ms, [&] { loop.stop(); });
  loop.run();
}

}  // namespace

TEST_CASE("channel: frames arrive whole, in order, with their descriptors") {
  Loop loop;
  Pair pair;
  std::vector<std::string> got;
  int descriptors = 0;
  Channel sender(
      loop, std::move(pair.a), [](Frame&) { return true; }, [](std::string_view) {});
  Channel receiver(
      loop, std::move(pair.b),
      [&](Frame& f) {
        messages::Submit submit;
        messages::BodyFile file;
        if (f.decode(submit))
          got.push_back(std::to_string(f.serial) + ":" + std::to_string(submit.body.size()));
        if (f.decode(file)) {
          got.push_back("file");
          descriptors += f.fd && ::fcntl(f.fd.get(), F_GETFD) >= 0 ? 1 : 0;
        }
        return true;
      },
      [](std::string_view) {});
  messages::Submit submit;
  for (std::uint32_t i = 0; i < 50; ++i) {
    submit.body.assign(i * 3000, 'x');
    sender.send(i, submit);
    if (i % 10 == 0) sender.send(i, messages::BodyFile{}, Fd(::open("/dev/null", O_RDONLY)));
  }
  run_until(loop, [&] { return got.size() == 55; });
  REQUIRE(got.size() == 55);
  CHECK(got[0] == "0:0");
  CHECK(got[1] == "file");
  CHECK(got[54] == "49:147000");
  CHECK(descriptors == 5);
}

TEST_CASE("channel: garbage closes it once and says why") {
  for (std::string garbage : {std::string(12, '\xff'), std::string("\0\0\0\0\x1e\0\1\0\0\0\0\0", 12),
                              std::string("\1\0\0\0\x1e\0\0\0\0\0\0\0x", 13)}) {
    Loop loop;
    Pair pair;
    std::vector<std::string> closed;
    Channel receiver(
        loop, std::move(pair.b),
        [&](Frame& f) {
          messages::Submit submit;
          return f.decode(submit);
        },
        [&](std::string_view why) { closed.emplace_back(why); });
    REQUIRE(::send(pair.a.get(), garbage.data(), garbage.size(), 0) == static_cast<ssize_t>(garbage.size()));
    run_until(loop, [&] { return !closed.empty(); });
    REQUIRE(closed.size() == 1);
    CHECK(closed[0].find("garbage") == 0);
  }
}

TEST_CASE("channel: what is over its kind's bound is not sent, and the sender is told why") {
  Loop loop;
  Pair pair;
  int frames = 0;
  std::vector<std::string> closed;
  Channel sender(
      loop, std::move(pair.a), [](Frame&) { return true; },
      [&](std::string_view why) { closed.push_back("sender: " + std::string(why)); });
  Channel receiver(
      loop, std::move(pair.b),
      [&](Frame& f) {
        messages::HandOver m;
        ++frames;
        return f.decode(m);
      },
      [&](std::string_view why) { closed.push_back("receiver: " + std::string(why)); });
  messages::HandOver most{std::string(messages::HandOver::kMax - 4, 'x')};
  CHECK(fits(most));
  sender.send(1, most);
  run_until(loop, [&] { return frames == 1; });
  CHECK(closed.empty());
  messages::HandOver more{most.service + "x"};
  CHECK_FALSE(fits(more));
  sender.send(2, more);
  CHECK(closed.empty());  // from the loop
  run_until(loop, [&] { return closed.size() == 2; });
  CHECK(frames == 1);
  CHECK(closed == std::vector<std::string>{"sender: a frame of type 60 that was to be sent is over its bound",
                                           "receiver: end of file"});
}

TEST_CASE("channel: end of file after the last frame") {
  Loop loop;
  Pair pair;
  int frames = 0;
  std::string closed;
  auto receiver = std::make_unique<Channel>(
      loop, std::move(pair.b), [&](Frame&) { return ++frames, true; },
      [&](std::string_view why) { closed = why; });
  {
    BlockingChannel sender(std::move(pair.a));
    REQUIRE(sender.send(1, messages::Ready{}));
  }
  run_until(loop, [&] { return !closed.empty(); });
  CHECK(frames == 1);
  CHECK(closed == "end of file");
}

TEST_CASE("channel: paused reading holds frames back") {
  Loop loop;
  Pair pair;
  int frames = 0;
  Channel* self = nullptr;
  Channel receiver(
      loop, std::move(pair.b),
      [&](Frame&) {
        ++frames;
        self->pause_reading();
        return true;
      },
      [](std::string_view) {});
  self = &receiver;
  BlockingChannel sender(std::move(pair.a));
  for (std::uint32_t i = 0; i < 3; ++i) REQUIRE(sender.send(i, messages::Ready{}));
  Event resume;
  run_until(loop, [&] { return frames == 1; });
  CHECK(frames == 1);
  resume.every(loop, 5ms, [&] { receiver.resume_reading(); });
  run_until(loop, [&] { return frames == 3; });
  CHECK(frames == 3);
}
