// What goes back: status, fields, octets. One place renders every answer of this process, so that none is
// without the fields that keep a browser from running, framing, guessing or leaking what it was given. Pure;
// the date is passed in. Callers: the pages (fill a Response), Connection (renders it).
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wwwd/cookie.h"

namespace wwwd {

enum class Cache : std::uint8_t {
  kNever,      ///< no-store: whatever depends on who asks
  kVersioned,  ///< a year: the path changes when the content does
};

struct Response {
  int status = 200;
  std::string type = "text/html; charset=utf-8";  ///< media type; not sent with an empty body
  std::string body = {};
  std::string location = {};  ///< with 201 and 3xx; a path of our own
  Cache cache = Cache::kNever;
  std::vector<Cookie> cookies = {};
  /// Others (Content-Disposition, Retry-After). Not those that Connection writes: the length, Connection,
  /// Date.
  std::vector<std::pair<std::string, std::string>> fields = {};
};

/// "303 See Other". Statuses that this process does not use have "Answer" as their phrase.
[[nodiscard]] std::string status_text(int status);

/// A short page that says one thing, for refusals and errors of the protocol. `title` and `text` are escaped.
/// `link`: an address to go to instead, escaped; empty: none.
[[nodiscard]] Response short_page(int status, std::string_view title, std::string_view text,
                                  std::string_view link = {});

/// How the recipient finds the end of the body.
enum class Framing : std::uint8_t { kLength, kChunked, kClose };

struct Delivery {
  Framing framing = Framing::kLength;
  std::uint64_t length = 0;  ///< with kLength
  bool keep_alive = true;
  bool https = false;
  std::string_view date;  ///< by http_date()
};

/// Status line and fields, with the empty line behind them. A control character in a value becomes a space,
/// so that no value ends its line.
[[nodiscard]] std::string render_head(const Response& response, const Delivery& delivery);

/// RFC 9110 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT".
[[nodiscard]] std::string http_date(std::time_t when);

/// For text between tags and inside quoted attributes of HTML: & < > " ' are escaped.
[[nodiscard]] std::string html_escape(std::string_view text);

}  // namespace wwwd
