// Plays the scripts under tests/dialogs/smtp against the session. Each line is one of
//   # ...          a remark
//   = WORD VALUE   a fact of the world, or an event; the table is in event() below
//   C: ...         the client sends this line with CRLF
//   R: ...         the client sends exactly this: \r \n \0 \t \\ are octets, \xNN too
//   S: ...         the server's next line; * stands for anything
//   M: ...         the next line of the last message taken
//   M.             the message has no more lines
// At every C:, R: and at the end all that the server said must have been read.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/unit/smtpd/player.h"

using po::messages::Protocol;
using smtpd::test::Player;

namespace {

bool matches(std::string_view text, std::string_view pattern) {
  std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return text == pattern;
  if (text.substr(0, star) != pattern.substr(0, star)) return false;
  std::string_view rest = pattern.substr(star + 1);
  for (std::size_t at = star; at <= text.size(); ++at) {
    if (matches(text.substr(at), rest)) return true;
  }
  return false;
}

std::string unescape(std::string_view in) {
  std::string out;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] != '\\' || i + 1 == in.size()) {
      out += in[i];
      continue;
    }
    switch (in[++i]) {
      case 'r':
        out += '\r';
        break;
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case '0':
        out += '\0';
        break;
      case 'x':
        out += static_cast<char>(std::stoi(std::string(in.substr(i + 1, 2)), nullptr, 16));
        i += 2;
        break;
      default:
        out += in[i];
    }
  }
  return out;
}

class Dialog {
 public:
  void line(std::string_view text) {
    if (text.empty() || text[0] == '#') return;
    if (text.substr(0, 2) == "M.") return no_more_message();
    std::string_view rest = text.size() > 3 ? text.substr(3) : std::string_view{};
    switch (text[0]) {
      case '=':
        return event(text.substr(2));
      case 'C':
        return send(std::string(rest) + "\r\n");
      case 'R':
        return send(unescape(rest));
      case 'S':
        return expect(rest);
      case 'M':
        return expect_message(rest);
      default:
        FAIL("a line of no kind: " << text);
    }
  }
  void end() {
    begin();
    CHECK(player_->output == "");
    if (player_->closed) return;
    CHECK_FALSE(player_->session->waiting());
  }

 private:
  void begin() {
    if (begun_) return;
    begun_ = true;
    player_->connect();
  }
  void send(std::string_view octets) {
    begin();
    CHECK(player_->output == "");
    player_->feed(octets);
    message_at_ = 0;
  }
  void expect(std::string_view pattern) {
    begin();
    std::size_t end = player_->output.find("\r\n");
    std::string got = player_->output.substr(0, end);
    INFO("expected " << pattern << "\n     got " << got);
    REQUIRE(end != std::string::npos);
    CHECK(got.size() <= 510);
    CHECK(matches(got, pattern));
    player_->output.erase(0, end + 2);
  }
  void expect_message(std::string_view pattern) {
    REQUIRE_FALSE(player_->taken.empty());
    const std::string& body = player_->taken.back().body;
    std::size_t end = body.find("\r\n", message_at_);
    REQUIRE(end != std::string::npos);
    std::string got = body.substr(message_at_, end - message_at_);
    INFO("expected " << pattern << "\n     got " << got);
    CHECK(matches(got, pattern));
    message_at_ = end + 2;
  }
  void no_more_message() {
    REQUIRE_FALSE(player_->taken.empty());
    CHECK(player_->taken.back().body.substr(message_at_) == "");
  }

  void event(std::string_view what) {
    std::size_t blank = what.find(' ');
    std::string word(what.substr(0, blank));
    std::string value(blank == std::string_view::npos ? "" : what.substr(blank + 1));
    Player& p = *player_;
    directory::Settings& s = p.world.settings_value;
    auto number = [&] { return static_cast<std::uint32_t>(std::stoul(value)); };
    if (word == "port") {
      if (value == "587") player_.emplace(Protocol::kSubmission);
      if (value == "465") player_.emplace(Protocol::kSubmission, true);
      if (value == "local") player_.emplace(Protocol::kLocalSubmission);
    } else if (word == "handshake") {
      REQUIRE(p.tls_started == ++handshakes_);
      p.handshake();
    } else if (word == "sender") {
      REQUIRE_FALSE(p.taken.empty());
      CHECK(p.taken.back().sender == value);
    } else if (word == "messages") {
      CHECK(p.taken.size() == number());
    } else if (word == "closed") {
      CHECK(p.closed);
    } else if (word == "open") {
      CHECK_FALSE(p.closed);
    } else if (word == "no-tls") {
      p.world.tls = false;
    } else if (word == "no-queue") {
      p.world.queue = false;
    } else if (word == "no-directory") {
      p.world.broken = true;
    } else if (word == "queue") {
      p.submit_kind = value == "permanent" ? po::Kind::kPermanent
                      : value == "done"    ? po::Kind::kDone
                                           : po::Kind::kTemporary;
      p.no_space = value == "no-space";
      p.too_many = value == "too-many";
    } else if (word == "file") {
      p.file_kind = value == "done" ? po::Kind::kDone : po::Kind::kTemporary;
      p.no_space = value == "no-space";
    } else if (word == "name") {
      p.name = value;
    } else if (word == "relay") {
      p.world.networks = smtpd::RelayNetworks({value});
    } else if (word == "may-start") {
      p.world.permissions = smtpd::QueueStartPermissions({value});
    } else if (word == "started") {
      CHECK(std::exchange(p.started, {}) == value);
    } else if (word == "waiting") {
      p.waiting_messages = number();
    } else if (word == "start-unknown") {
      p.start_known = false;
    } else if (word == "uid") {
      p.client.uid = number();
    } else if (word == "user") {
      p.client.user = value;
    } else if (word == "trusted") {
      s.trusted_users = {value};
    } else if (word == "message-id") {
      REQUIRE_FALSE(p.reports.empty());
      CHECK(matches(p.reports.back().message_id, value));
    } else if (word == "used") {
      p.used = number();
    } else if (word == "usage-unknown") {
      p.usage_known = false;
    } else if (word == "quota-permanent") {
      s.over_quota_permanent = true;
    } else if (word == "verdict") {
      using po::messages::Answer;
      static const std::map<std::string, Answer> kAnswers = {{"locked", Answer::kLocked},
                                                             {"not-from", Answer::kNotFrom},
                                                             {"too-many", Answer::kTooMany},
                                                             {"need-name", Answer::kNeedName},
                                                             {"unavailable", Answer::kUnavailable}};
      p.verdict = kAnswers.at(value);
    } else if (word == "max-size") {
      s.max_message_size = number();
    } else if (word == "max-recipients") {
      s.max_recipients = number();
    } else if (word == "max-messages") {
      s.max_messages = number();
    } else if (word == "error-limit") {
      s.smtp_error_limit = number();
    } else if (word == "unknown-limit") {
      s.smtp_unknown_limit = number();
    } else if (word == "idle-limit") {
      s.smtp_idle_commands = number();
    } else {
      FAIL("an event of no kind: " << what);
    }
  }

  std::optional<Player> player_{std::in_place};
  bool begun_ = false;
  int handshakes_ = 0;
  std::size_t message_at_ = 0;
};

std::filesystem::path scripts() {
  for (const char* root : {".", "..", "../.."}) {
    auto path = std::filesystem::path(root) / "tests/dialogs/smtp";
    if (std::filesystem::is_directory(path)) return path;
  }
  auto here = std::filesystem::path(__FILE__).parent_path();
  return here / "../../dialogs/smtp";
}

}  // namespace

TEST_CASE("dialogues") {
  int played = 0;
  for (const auto& file : std::filesystem::directory_iterator(scripts())) {
    if (file.path().extension() != ".txt") continue;
    ++played;
    DYNAMIC_SECTION(file.path().filename().string()) {
      std::ifstream in(file.path());
      Dialog dialog;
      std::string line;
      for (int n = 1; std::getline(in, line); ++n) {
        INFO(file.path().filename().string() << ":" << n << ": " << line);
        dialog.line(line);
      }
      dialog.end();
    }
  }
  CHECK(played > 5);
}
