#include "wwwd/cookie.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/text.h"

namespace wwwd {

/// RFC 6265 4.1.1 cookie-octet: visible ASCII without the quotation mark, comma, semicolon and backslash.
static bool is_cookie_octet(char c) {
  return c > ' ' && c < '\x7f' && c != '"' && c != ',' && c != ';' && c != '\\';
}

std::string_view cookie_value(std::string_view field, std::string_view name) {
  std::string_view found;
  bool any = false;
  while (!field.empty()) {
    std::size_t end = std::min(field.find(';'), field.size());
    std::string_view pair = po::trim(field.substr(0, end));
    field.remove_prefix(std::min(end + 1, field.size()));
    std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    std::string_view value = pair.substr(equals + 1);
    if (!std::all_of(value.begin(), value.end(), is_cookie_octet)) return {};
    if (any && value != found) return {};
    found = value;
    any = true;
  }
  return found;
}

std::string set_cookie_text(const Cookie& cookie) {
  std::string out = fmt::format("{}={}; Path={}; HttpOnly; SameSite={}", cookie.name, cookie.value,
                                cookie.path, cookie.strict ? "Strict" : "Lax");
  if (cookie.secure) out += "; Secure";
  if (cookie.max_age) out += fmt::format("; Max-Age={}", cookie.max_age->count());
  return out;
}

}  // namespace wwwd
