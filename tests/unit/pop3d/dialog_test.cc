// Plays the scripts of tests/dialogs/pop3 against a Session. A line is
//   C: what the client sends          S: what the server says next, exactly
//   #  a comment                      !  something that happens (see happen() below)
// All that the server says must be expected; `! closed WHY` must be the last word of a session that ends.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/pop3d/player.h"

namespace {

using pop3d::test::Player;

const char* const kNothing = "(nothing)";

struct Script {
  pop3d::Conditions conditions = pop3d::test::at_home();
  std::optional<Player> player;
  std::string unread;

  Player& play() {
    if (!player) player.emplace(conditions);
    return *player;
  }
  std::string next_line() {
    unread += play().take_output();
    auto end = unread.find("\r\n");
    if (end == std::string::npos) return kNothing;
    std::string line = unread.substr(0, end);
    unread.erase(0, end + 2);
    return line;
  }
  void happen(const std::string& what) {
    std::istringstream words(what);
    std::string verb;
    unsigned number = 0;
    words >> verb >> number;
    auto on = [this](auto&& f) { play().event(f); };
    if (verb == "remote") return void(conditions.loopback = false);
    if (verb == "implicit-tls") return void(conditions.implicit_tls = true);
    if (verb == "no-certificate") return void(conditions.tls_available = false);
    if (verb == "clear-always") return void(conditions.clear_text = directory::ClearText::kAlways);
    if (verb == "clear-never") return void(conditions.clear_text = directory::ClearText::kNever);
    if (verb == "error-limit") return void(conditions.error_limit = number);
    if (verb == "other-session-deletes") return play().remove(number);
    if (verb == "disk-broken") return play().break_disk();
    if (verb == "expunge-fails") return play().fail_expunge();
    if (verb == "hold") return play().hold_all(true);
    if (verb == "queue-gone") return on([](auto& s, auto& a) { s.on_mailbox_lost(a); });
    if (verb == "no-answer") return on([](auto& s, auto& a) { s.on_no_answer(a); });
    if (verb == "timeout") return on([](auto& s, auto& a) { s.on_timeout(a); });
    if (verb == "stop") return on([](auto& s, auto& a) { s.on_stop(a); });
    if (verb == "left") {
      CHECK(play().mailbox().size() == number);
    } else if (verb == "open") {
      CHECK_FALSE(play().closed());
    } else if (verb == "closed") {
      CHECK(play().closed());
      CHECK(play().why() == what.substr(7));
    } else {
      FAIL("unknown event: " << what);
    }
  }
  void line(const std::string& text) {
    if (text.empty() || text[0] == '#') return;
    std::string rest = text.size() > 3 ? text.substr(3) : "";
    if (text[0] == '!') return happen(text.substr(2));
    if (text.starts_with("C:")) {
      CHECK(next_line() == kNothing);
      return play().input(rest + "\r\n");
    }
    REQUIRE(text.starts_with("S:"));
    CHECK(next_line() == rest);
  }
};

}  // namespace

TEST_CASE("dialogs") {
  std::size_t played = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/dialogs/pop3")) {
    if (entry.path().extension() != ".txt") continue;
    ++played;
    std::ifstream file(entry.path());
    Script script;
    int number = 0;
    for (std::string text; std::getline(file, text);) {
      INFO(entry.path().string() << ":" << ++number << ": " << text);
      script.line(text);
    }
    INFO(entry.path().string() << ": unexpected at the end");
    CHECK(script.next_line() == kNothing);
  }
  CHECK(played >= 10);
}
