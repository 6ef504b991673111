// Cookies: what a browser sends (RFC 6265 5.4) and what it is told to keep (4.1). The text of a Cookie field
// is hostile, and other services of the same host put theirs beside ours: what is malformed is passed over.
// Pure. Callers: Request, the pages.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace wwwd {

/// The value of cookie `name` in a Cookie field. Empty if it is not there, not made of cookie-octets, or
/// there twice with different values: then somebody who may set cookies for a neighbouring host or path has
/// added his own, and which one is ours cannot be told.
[[nodiscard]] std::string_view cookie_value(std::string_view field, std::string_view name);

/// What Set-Cookie says. `name`: a token; `value`: cookie-octets (base64url is). Without `max_age` it lasts
/// as long as the browser; with 0 it is removed.
struct Cookie {
  std::string name;
  std::string value;
  std::string path = "/";
  bool secure = true;
  bool strict = true;  ///< SameSite=Strict; else Lax
  std::optional<std::chrono::seconds> max_age = {};
};
/// The value of a Set-Cookie field; always HttpOnly.
[[nodiscard]] std::string set_cookie_text(const Cookie& cookie);

}  // namespace wwwd
