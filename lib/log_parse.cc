#include "lib/log_parse.h"

namespace po {

std::string_view LogRecord::get(std::string_view key) const {
  for (const LogField& f : fields_)
    if (f.key == key) return f.value;
  return {};
}

bool LogRecord::has(std::string_view key) const {
  for (const LogField& f : fields_)
    if (f.key == key) return true;
  return false;
}

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class Reader {
 public:
  explicit Reader(std::string_view line) : rest_(line) {}
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool key(std::string& out) {
    std::size_t n = 0;
    while (n < rest_.size() && is_key_char(rest_[n])) ++n;
    out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return n > 0 && skip('=');
  }

  bool value(std::string& out) { return skip('"') ? quoted(out) : bare(out); }

 private:
  bool bare(std::string& out) {
    std::size_t n = 0;
    for (; n < rest_.size() && rest_[n] != ' '; ++n) {
      unsigned char c = static_cast<unsigned char>(rest_[n]);
      if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\') return false;
    }
    out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return n > 0;
  }

  bool quoted(std::string& out) {
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c == '\\' ? !escape(out) : !printable(c, out)) return false;
    }
    return false;
  }

  static bool printable(char c, std::string& out) {
    if (c < ' ' || c > '~') return false;
    out += c;
    return true;
  }

  bool escape(std::string& out) {
    if (rest_.empty()) return false;
    char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '"' || c == '\\') {
      out += c;
      return true;
    }
    if (c != 'x' || rest_.size() < 2) return false;
    int high = hex_digit(rest_[0]), low = hex_digit(rest_[1]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high << 4 | low);
    rest_.remove_prefix(2);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

std::optional<LogRecord> parse_log_line(std::string_view line) {
  if (line.size() > kMostLogLine || !line.starts_with("time=")) return {};
  Reader reader(line);
  std::vector<LogField> fields;
  do {
    if (fields.size() >= kMostLogFields) return {};
    LogField field;
    if (!reader.key(field.key) || !reader.value(field.value)) return {};
    fields.push_back(std::move(field));
  } while (reader.skip(' '));
  if (!reader.at_end()) return {};
  return LogRecord(std::move(fields));
}

}  // namespace po
