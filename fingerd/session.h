// What one client of finger does, without a socket: it sends a line, which may be too long or never end; it
// may have no right to ask; then its query is answered. Each event leads to one action at most, and
// FindAnswer and Refuse are the last. How the line is cut into pieces changes nothing; what comes behind it
// is not looked at. RFC 1288. Caller: Connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fingerd/query.h"
#include "lib/access.h"

namespace fingerd {

/// Who may ask.
struct Access {
  bool everybody = true;
  std::vector<po::AccessRule> rules = {};
};
/// From Finger-Access. A line that is no rule (the form takes none) matches nobody.
[[nodiscard]] Access read_access(const std::vector<std::string>& lines);

struct Nothing {};
/// The client's confirmed name is wanted: on_name() or on_no_name() follows.
struct LookUpName {};
/// query() is to be answered, and the connection closed.
struct FindAnswer {};
/// This sentence is to be sent as a line, if it is not empty, and the connection closed.
struct Refuse {
  std::string_view sentence;  ///< lives for ever
  const char* outcome;        ///< one word for the log
};
using Action = std::variant<Nothing, LookUpName, FindAnswer, Refuse>;

class Session {
 public:
  Session(po::messages::NetAddress client, std::shared_ptr<const Access> access)
      : client_(client), access_(std::move(access)) {}

  [[nodiscard]] Action on_input(std::string_view octets);
  [[nodiscard]] Action on_end_of_input();
  /// The line has not come in time, or the name has not.
  [[nodiscard]] Action on_timeout();
  /// `name`: confirmed; empty if the client has none.
  [[nodiscard]] Action on_name(std::string_view name);
  /// The name cannot be had at the moment.
  [[nodiscard]] Action on_no_name();
  [[nodiscard]] Action on_stop();

  /// As it was received, without its end: what there is of it.
  [[nodiscard]] std::string_view line() const { return line_; }
  /// After FindAnswer. Points into line().
  [[nodiscard]] const Query& query() const { return query_; }
  [[nodiscard]] bool over() const { return state_ == State::kOver; }

 private:
  enum class State : std::uint8_t { kReading, kNaming, kOver };
  Action on_line();
  Action let_in();
  Action refuse(std::string_view sentence, const char* outcome);
  [[nodiscard]] bool too_long() const;

  po::messages::NetAddress client_;
  std::shared_ptr<const Access> access_;
  State state_ = State::kReading;
  std::string line_;
  Query query_;
};

}  // namespace fingerd
