#include "wwwd/response.h"

#include <fmt/format.h>

#include <algorithm>

namespace wwwd {

namespace {

struct Phrase {
  int status;
  std::string_view text;
};
constexpr Phrase kPhrases[] = {
    {200, "OK"},
    {303, "See Other"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

// The same for every answer, also for refusals before a page is asked. No script, style or image but our own
// files, no frame around us, no form to elsewhere, no address of ours told to others.
constexpr std::string_view kSecurityFields =
    "Content-Security-Policy: default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";
constexpr std::string_view kStrictTransport = "Strict-Transport-Security: max-age=31536000\r\n";

void add_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  for (char c : value) out.push_back(static_cast<unsigned char>(c) < 0x20 || c == '\x7f' ? ' ' : c);
  out.append("\r\n");
}

void add_framing(std::string& out, const Response& response, const Delivery& delivery) {
  bool has_body = delivery.framing != Framing::kLength || delivery.length != 0;
  if (has_body && !response.type.empty()) add_field(out, "Content-Type", response.type);
  if (delivery.framing == Framing::kChunked) out += "Transfer-Encoding: chunked\r\n";
  if (delivery.framing == Framing::kLength) out += fmt::format("Content-Length: {}\r\n", delivery.length);
  if (!delivery.keep_alive) out += "Connection: close\r\n";
}

}  // namespace

std::string status_text(int status) {
  auto found = std::find_if(std::begin(kPhrases), std::end(kPhrases),
                            [&](const Phrase& p) { return p.status == status; });
  return fmt::format("{} {}", status, found == std::end(kPhrases) ? "Answer" : found->text);
}

Response short_page(int status, std::string_view title, std::string_view text, std::string_view link) {
  Response response;
  response.status = status;
  std::string head = html_escape(title);
  response.body = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{0}</title>\n</head>\n"
      "<body>\n<main>\n<h1>{0}</h1>\n<p>{1}</p>\n",
      head, html_escape(text));
  if (!link.empty()) response.body += fmt::format("<p><a href=\"{0}\">{0}</a></p>\n", html_escape(link));
  response.body += "</main>\n</body>\n</html>\n";
  return response;
}

std::string render_head(const Response& response, const Delivery& delivery) {
  std::string out;
  out.reserve(1024);
  out.append("HTTP/1.1 ").append(status_text(response.status)).append("\r\n");
  add_field(out, "Date", delivery.date);
  add_framing(out, response, delivery);
  if (!response.location.empty()) add_field(out, "Location", response.location);
  for (const Cookie& cookie : response.cookies) add_field(out, "Set-Cookie", set_cookie_text(cookie));
  for (const auto& [name, value] : response.fields) add_field(out, name, value);
  add_field(out, "Cache-Control",
            response.cache == Cache::kNever ? "no-store" : "public, max-age=31536000, immutable");
  out += kSecurityFields;
  if (delivery.https) out += kStrictTransport;
  out += "\r\n";
  return out;
}

std::string http_date(std::time_t when) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm t{};
  ::gmtime_r(&when, &t);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[t.tm_wday], t.tm_mday, kMonths[t.tm_mon],
                     t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace wwwd
