// One event, one line of key=value. The descriptor is append-only and inherited; a line is one write(2), so
// lines of several processes do not mix. Values with a space, quote, control or non-ASCII octet are quoted
// and escaped (\" \\ \xNN), so hostile bytes cannot forge a line. Begins with time=, proc= and event=.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib/fd.h"

namespace po {

class Log;

/// One line under construction; written when it goes out of scope.
class LogLine {
 public:
  LogLine(Log* log, std::string_view event);
  LogLine(LogLine&& other) noexcept;
  LogLine& operator=(LogLine&&) = delete;
  LogLine(const LogLine&) = delete;
  LogLine& operator=(const LogLine&) = delete;
  ~LogLine();

  LogLine& kv(std::string_view key, std::string_view value);
  LogLine& kv(std::string_view key, const char* value) { return kv(key, std::string_view(value)); }
  template <std::integral T>
  LogLine& kv(std::string_view key, T value) {
    return kv(key, std::string_view(std::to_string(value)));
  }

 private:
  Log* log_;
  std::string line_;
};

class Log {
 public:
  /// Owns `fd`. `proc` is the process name in each line, "smtpd.1".
  Log(Fd fd, std::string proc) : fd_(std::move(fd)), proc_(std::move(proc)) {}
  Log() = default;  ///< writes nowhere (tests)

  /// log.event("accepted").kv("id", id.text()).kv("size", n);
  LogLine event(std::string_view name) { return {this, name}; }
  void replace(Fd fd) { fd_ = std::move(fd); }
  /// Also hears each line, without its end. Must not log.
  void listen(std::function<void(std::string_view line)> ear) { ear_ = std::move(ear); }
  void set_proc(std::string proc) { proc_ = std::move(proc); }

 private:
  friend class LogLine;
  void write(std::string& line) noexcept;
  Fd fd_;
  std::string proc_;
  std::function<void(std::string_view)> ear_;
};

/// Appends `value` as it stands in a log line: bare or quoted and escaped.
void append_log_value(std::string& out, std::string_view value);

}  // namespace po
