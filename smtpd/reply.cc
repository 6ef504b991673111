#include "smtpd/reply.h"

#include <algorithm>
#include <array>

namespace smtpd {

static constexpr std::size_t kMaxLine = 510;  // without CRLF

/// Text that a foreigner may have had a hand in: what is not printable ASCII becomes '?'.
static void append_safe(std::string& out, std::string_view text) {
  for (char c : text) out += c >= ' ' && c <= '~' ? c : '?';
}

static void append_code(std::string& out, int code) {
  out += static_cast<char>('0' + code / 100);
  out += static_cast<char>('0' + code / 10 % 10);
  out += static_cast<char>('0' + code % 10);
}

static void end_line(std::string& out, std::size_t start) {
  if (out.size() - start > kMaxLine) out.resize(start + kMaxLine);
  out += "\r\n";
}

void append_reply(std::string& out, int code, std::string_view enhanced, std::string_view text,
                  std::string_view about) {
  std::size_t start = out.size();
  append_code(out, code);
  out += ' ';
  if (!enhanced.empty()) {
    out += enhanced;
    out += ' ';
  }
  if (!about.empty()) {
    out += '<';
    append_safe(out, about);
    out += ">: ";
  }
  append_safe(out, text);
  end_line(out, start);
}

void append_reply(std::string& out, const Reply& r, std::string_view about) {
  append_reply(out, r.code, r.enhanced, r.text, about);
}

void append_reply(std::string& out, const Refusal& r, std::string_view about) {
  append_reply(out, r.code, r.enhanced, r.text, about);
}

void append_lines(std::string& out, int code, std::span<const std::string> lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::size_t start = out.size();
    append_code(out, code);
    out += i + 1 == lines.size() ? ' ' : '-';
    append_safe(out, lines[i]);
    end_line(out, start);
  }
}

}  // namespace smtpd
