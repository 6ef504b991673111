#include "pop3d/command.h"

#include <algorithm>
#include <charconv>

#include "lib/text.h"

namespace pop3d {

namespace {

enum class Shape : std::uint8_t { kNothing, kText, kNumber, kMaybeNumber, kNumberAndLines };

struct Row {
  std::string_view name;
  Verb verb;
  Shape shape;
};

// clang-format off
constexpr Row kCommands[] = {
    {"RETR", Verb::kRetr, Shape::kNumber},
    {"DELE", Verb::kDele, Shape::kNumber},
    {"TOP",  Verb::kTop,  Shape::kNumberAndLines},
    {"UIDL", Verb::kUidl, Shape::kMaybeNumber},
    {"LIST", Verb::kList, Shape::kMaybeNumber},
    {"STAT", Verb::kStat, Shape::kNothing},
    {"NOOP", Verb::kNoop, Shape::kNothing},
    {"RSET", Verb::kRset, Shape::kNothing},
    {"QUIT", Verb::kQuit, Shape::kNothing},
    {"CAPA", Verb::kCapa, Shape::kNothing},
    {"USER", Verb::kUser, Shape::kText},
    {"PASS", Verb::kPass, Shape::kText},
    {"AUTH", Verb::kAuth, Shape::kText},
    {"STLS", Verb::kStls, Shape::kNothing},
    {"UTF8", Verb::kUtf8, Shape::kNothing},
};
// clang-format on

// A page in a browser can be made to send a request with lines of its choice to any port. It begins with one
// of these.
constexpr std::string_view kHttp[] = {"GET",   "POST",    "PUT",     "HEAD",   "PATCH",
                                      "TRACE", "OPTIONS", "CONNECT", "DELETE", "PRI"};

std::string_view without_trailing_blanks(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

void read_number(Command& command, std::string_view text) {
  command.number = parse_number(text);
  if (!command.number) command.problem = "not a message number";
}

void read_number_and_lines(Command& command, std::string_view text) {
  std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) {
    command.problem = "a message number and a number of lines are needed";
    return;
  }
  auto lines = parse_number(text.substr(blank + 1));
  read_number(command, text.substr(0, blank));
  if (!lines) command.problem = "not a number of lines";
  command.lines = lines.value_or(0);
}

void read_arguments(Command& command, Shape shape, std::string_view text) {
  if (shape == Shape::kText) {
    command.text = text;
    if (text.empty()) command.problem = "an argument is missing";
    return;
  }
  text = without_trailing_blanks(text);
  if (text.empty() && (shape == Shape::kNumber || shape == Shape::kNumberAndLines)) {
    command.problem = "an argument is missing";
  } else if (!text.empty() && shape == Shape::kNothing) {
    command.problem = "this command has no arguments";
  } else if (shape == Shape::kNumberAndLines) {
    read_number_and_lines(command, text);
  } else if (!text.empty()) {
    read_number(command, text);
  }
}

}  // namespace

Command parse_command(std::string_view line) {
  Command command;
  std::size_t blank = std::min(line.find(' '), line.size());
  std::string_view word = line.substr(0, blank);
  for (const Row& row : kCommands) {
    if (!po::equal_ignoring_case(row.name, word)) continue;
    command.verb = row.verb;
    if (po::has_control(line)) {
      command.problem = "control characters are not allowed";
    } else {
      read_arguments(command, row.shape, line.substr(std::min(blank + 1, line.size())));
    }
    return command;
  }
  for (std::string_view method : kHttp) {
    if (po::equal_ignoring_case(method, word)) command.verb = Verb::kOtherProtocol;
  }
  return command;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  if (text.empty() || text.front() == '-') return {};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace pop3d
