#include "lib/text.h"

#include <uninorm.h>

#include <cstdint>
#include <cstdlib>

namespace po {

namespace {

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (is_digit(c)) return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

unsigned octet(char c) {
  return static_cast<unsigned char>(c);
}

/// Length of the well-formed UTF-8 sequence at the front of `s` (not empty), 0 if there is none.
std::size_t utf8_sequence(std::string_view s) {
  unsigned first = octet(s[0]);
  if (first < 0x80) return 1;
  std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || s.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(s[i]) & 0xc0) != 0x80) return 0;
  }
  unsigned second = octet(s[1]);
  bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  bool surrogate = first == 0xed && second >= 0xa0;
  bool too_high = first == 0xf4 && second >= 0x90;
  return overlong || surrogate || too_high ? 0 : length;
}

}  // namespace

std::string base64_encode(std::string_view octets) {
  std::string out;
  out.reserve((octets.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < octets.size(); i += 3) {
    std::size_t n = std::min<std::size_t>(3, octets.size() - i);
    unsigned v = octet(octets[i]) << 16;
    if (n > 1) v |= octet(octets[i + 1]) << 8;
    if (n > 2) v |= octet(octets[i + 2]);
    out += kBase64[v >> 18];
    out += kBase64[v >> 12 & 63];
    out += n > 1 ? kBase64[v >> 6 & 63] : '=';
    out += n > 2 ? kBase64[v & 63] : '=';
  }
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  unsigned bits = 0, held = 0;
  for (char c : text) {
    int v = base64_value(c);
    if (v < 0) return std::nullopt;
    held = held << 6 | static_cast<unsigned>(v);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(held >> bits & 0xff);
    held &= (1U << bits) - 1;
  }
  // Unused bits that are not 0 would make several texts mean one credential.
  if (held != 0) return std::nullopt;
  return out;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && starts_with_ignoring_case(a, b);
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (ascii_lower(text[i]) != ascii_lower(prefix[i])) return false;
  }
  return true;
}

bool is_ascii(std::string_view text) {
  for (char c : text) {
    if (octet(c) >= 0x80) return false;
  }
  return true;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t n = utf8_sequence(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned c = octet(text[i]);
    if (c < 0x20 || c == 0x7f) return true;
    // U+0080 to U+009F are C2 80 to C2 9F.
    if (c == 0xc2 && i + 1 < text.size() && octet(text[i + 1]) >= 0x80 && octet(text[i + 1]) < 0xa0)
      return true;
  }
  return false;
}

std::optional<std::string> to_nfc(std::string_view utf8) {
  if (!is_utf8(utf8)) return std::nullopt;
  if (is_ascii(utf8)) return std::string(utf8);
  std::size_t size = 0;
  std::uint8_t* made = u8_normalize(UNINORM_NFC, reinterpret_cast<const std::uint8_t*>(utf8.data()),
                                    utf8.size(), nullptr, &size);
  if (made == nullptr) return std::nullopt;
  std::string out(reinterpret_cast<const char*>(made), size);
  std::free(made);
  return out;
}

std::string xtext_encode(std::string_view octets) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : octets) {
    if (c > ' ' && c <= '~' && c != '+' && c != '=') {
      out += c;
      continue;
    }
    out += '+';
    out += kHex[octet(c) >> 4];
    out += kHex[octet(c) & 15];
  }
  return out;
}

std::optional<std::string> xtext_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c <= ' ' || c > '~' || c == '=') return std::nullopt;
    if (c != '+') {
      out += c;
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    // RFC 3461 writes them in upper case; lower case is common enough to be read.
    int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return out;
}

std::string for_display(std::string_view text, std::size_t max) {
  bool cut = text.size() > max;
  if (cut) text = text.substr(0, max > 3 ? max - 3 : 0);
  std::string out(text);
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return cut ? out + "..." : out;
}

/// Octets of the UTF-8 character at `at`; 0 if there is none.
static std::size_t utf8_length(std::string_view text, std::size_t at) {
  for (std::size_t n = 1; n <= 4 && at + n <= text.size(); ++n)
    if (is_utf8(text.substr(at, n))) return n;
  return 0;
}

std::string json_string(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    std::size_t n = utf8_length(text, i);
    char c = text[i];
    if (n == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (octet(c) < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += kHex[octet(c) >> 4];
      out += kHex[octet(c) & 15];
    } else {
      out += text.substr(i, n);
    }
    i += n == 0 ? 1 : n;
  }
  return out + '"';
}

std::string for_terminal(std::string_view text, std::size_t max) {
  if (text.size() > max || !is_utf8(text) || has_control(text)) return for_display(text, max);
  return std::string(text);
}

bool matches_wildcards(std::string_view pattern, std::string_view text) {
  // One star is gone back to at a time: that gives the bound of the time.
  std::size_t i = 0, j = 0, star = std::string_view::npos, mark = 0;
  while (j < text.size()) {
    if (i < pattern.size() && pattern[i] == '*') {
      star = i++;
      mark = j;
    } else if (i < pattern.size() && (pattern[i] == '?' || ascii_lower(pattern[i]) == ascii_lower(text[j]))) {
      ++i;
      ++j;
    } else if (star != std::string_view::npos) {
      i = star + 1;
      j = ++mark;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', i) == std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool is_unix_login(std::string_view login) {
  constexpr std::size_t kLongestLogin = 32;
  auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (login.empty() || login.size() > kLongestLogin || login[0] == '-' || login[0] == '.') return false;
  if (login.ends_with(".lock")) return false;
  for (char c : login)
    if (!is_good(c)) return false;
  return true;
}

}  // namespace po
