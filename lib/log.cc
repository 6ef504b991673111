#include "lib/log.h"

#include <time.h>
#include <unistd.h>

namespace po {

static bool plain(std::string_view value) {
  if (value.empty()) return false;
  for (unsigned char c : value) {
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\') return false;
  }
  return true;
}

void append_log_value(std::string& out, std::string_view value) {
  static constexpr char kHex[] = "0123456789abcdef";
  if (plain(value)) {
    out += value;
    return;
  }
  out += '"';
  for (unsigned char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c < ' ' || c >= 0x7f) {
      out += "\\x";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += static_cast<char>(c);
    }
  }
  out += '"';
}

static void append_time(std::string& out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  char text[40];
  std::size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &utc);
  out.append(text, n);
  auto ms = static_cast<unsigned>(now.tv_nsec / 1'000'000);
  out += static_cast<char>('0' + ms / 100);
  out += static_cast<char>('0' + ms / 10 % 10);
  out += static_cast<char>('0' + ms % 10);
  out += 'Z';
}

LogLine::LogLine(Log* log, std::string_view event) : log_(log) {
  if (!log_->fd_ && !log_->ear_) {
    log_ = nullptr;
    return;
  }
  line_.reserve(256);
  line_ += "time=";
  append_time(line_);
  kv("proc", log_->proc_);
  kv("event", event);
}

LogLine::LogLine(LogLine&& other) noexcept : log_(other.log_), line_(std::move(other.line_)) {
  other.log_ = nullptr;
}

LogLine::~LogLine() {
  if (log_ != nullptr) log_->write(line_);
}

LogLine& LogLine::kv(std::string_view key, std::string_view value) {
  if (log_ == nullptr) return *this;
  if (!line_.empty()) line_ += ' ';
  line_ += key;
  line_ += '=';
  append_log_value(line_, value);
  return *this;
}

// A log that cannot be written must not stop the mail: the line is lost, the disk's owner has other signs.
void Log::write(std::string& line) noexcept {
  if (ear_) ear_(line);
  if (!fd_) return;
  line += '\n';
  [[maybe_unused]] ssize_t n = ::write(fd_.get(), line.data(), line.size());
}

}  // namespace po
