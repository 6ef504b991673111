#include "fingerd/session.h"

#include <algorithm>

namespace fingerd {
namespace {

constexpr std::string_view kNoLineEnd = "A query ends with CRLF; yours did not.";
constexpr std::string_view kTooSlow = "No query came within 10 seconds.";
constexpr std::string_view kNotForYou = "Finger is not open to your address.";
constexpr std::string_view kNoName =
    "Finger is not open to your address, as long as the name of your host cannot be looked up.";
constexpr std::string_view kStopping = "The mail system stops at the moment; try again later.";

}  // namespace

Access read_access(const std::vector<std::string>& lines) {
  return {.everybody = lines.empty(), .rules = po::parse_access_rules(lines)};
}

Action Session::refuse(std::string_view sentence, const char* outcome) {
  state_ = State::kOver;
  return Refuse{sentence, outcome};
}

// A line may end with LF alone: finger servers have always taken it, and people ask with telnet and nc. There
// is one query in a connection, so nothing can be smuggled behind it.
Action Session::on_input(std::string_view octets) {
  if (state_ != State::kReading) return Nothing{};
  constexpr std::size_t kMostKept = kMaxQuery + 2;
  std::size_t end = octets.find('\n');
  line_.append(octets.substr(0, std::min(end, kMostKept - line_.size())));
  if (too_long()) {
    line_.resize(kMaxQuery);
    return refuse(kTooLong, "too-long");
  }
  return end == std::string_view::npos ? Action(Nothing{}) : on_line();
}

/// A CR behind the limit may belong to the line end.
bool Session::too_long() const {
  return line_.size() > kMaxQuery + (line_.ends_with('\r') ? 1 : 0);
}

Action Session::on_line() {
  if (line_.ends_with('\r')) line_.pop_back();
  if (access_->everybody || po::any_match(access_->rules, client_, "")) return let_in();
  if (!po::needs_name(access_->rules, client_)) return refuse(kNotForYou, "no-access");
  state_ = State::kNaming;
  return LookUpName{};
}

Action Session::let_in() {
  query_ = parse_query(line_);
  if (query_.ask == Ask::kBad) return refuse(query_.problem, "bad-query");
  state_ = State::kOver;
  return FindAnswer{};
}

Action Session::on_name(std::string_view name) {
  if (state_ != State::kNaming) return Nothing{};
  if (!po::any_match(access_->rules, client_, name)) return refuse(kNotForYou, "no-access");
  return let_in();
}

Action Session::on_no_name() {
  if (state_ != State::kNaming) return Nothing{};
  return refuse(kNoName, "no-name");
}

// Who sent nothing at all wanted nothing.
Action Session::on_end_of_input() {
  if (state_ != State::kReading) return Nothing{};
  return line_.empty() ? refuse({}, "no-query") : refuse(kNoLineEnd, "no-line-end");
}

Action Session::on_timeout() {
  if (state_ == State::kNaming) return on_no_name();
  if (state_ == State::kOver) return Nothing{};
  return refuse(kTooSlow, "too-slow");
}

Action Session::on_stop() {
  if (state_ == State::kOver) return Nothing{};
  return refuse(kStopping, "stopping");
}

}  // namespace fingerd
