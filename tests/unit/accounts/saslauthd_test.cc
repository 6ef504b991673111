#include "accounts/saslauthd.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <thread>

namespace saslauthd = accounts::saslauthd;

TEST_CASE("the question: counted strings, and none that saslauthd would read otherwise") {
  auto good = saslauthd::question("jane", "se cret");
  REQUIRE(good);
  CHECK(*good == std::string("\0\4jane\0\7se cret\0\13post.office\0\0", 30));
  struct Row {
    std::string user, password;
  };
  const Row bad[] = {{"", "secret"},
                     {"jane", ""},
                     {"jane", std::string("secret\0x", 8)},
                     {std::string("jane\0", 5), "secret"},
                     {"jane", std::string(1025, 'x')},
                     {std::string(1025, 'x'), "secret"}};
  for (const Row& row : bad) CHECK_FALSE(saslauthd::question(row.user, row.password));
  CHECK(saslauthd::question("jane", std::string(1024, 'x')));
}

TEST_CASE("the answer") {
  using saslauthd::Answer;
  struct Row {
    std::string text;
    Answer answer;
  };
  const Row rows[] = {{"OK", Answer::kYes},
                      {"OK Success.", Answer::kYes},
                      {std::string("OK\0", 3), Answer::kYes},
                      {"NO", Answer::kNo},
                      {"NO authentication failed", Answer::kNo},
                      {"OKAY", Answer::kGarbage},
                      {"ok", Answer::kGarbage},
                      {" OK", Answer::kGarbage},
                      {"", Answer::kGarbage}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(saslauthd::parse_answer(row.text) == row.answer);
  }
}

TEST_CASE("asked over a socket: an answer in pieces, none, a cut one, a long one") {
  struct Row {
    std::string answer;
    bool stay_open;
    std::optional<bool> right;
  };
  const Row rows[] = {{std::string("\0\2OK", 4), true, true},
                      {std::string("\0\3NO ", 5), false, false},
                      {"", true, std::nullopt},
                      {"", false, std::nullopt},
                      {std::string("\0\5OK", 4), false, std::nullopt},
                      {std::string("\0\0", 2), false, std::nullopt},
                      {"\xff\xff" + std::string(100, 'x'), false, std::nullopt}};
  for (const Row& row : rows) {
    CAPTURE(row.answer);
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    po::Fd ours(ends[0]), theirs(ends[1]);
    std::thread daemon([&] {
      for (char c : row.answer) {
        (void)!::write(theirs.get(), &c, 1);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      if (!row.stay_open) theirs.reset();
    });
    auto right =
        saslauthd::ask(ours, saslauthd::question("jane", "secret").value(), std::chrono::milliseconds(300));
    daemon.join();
    REQUIRE(right.has_value() == row.right.has_value());
    if (right) CHECK(*right == *row.right);
    if (!right) CHECK(right.error().kind == po::Kind::kTemporary);
  }
}
