#include "wwwd/response.h"

#include <catch2/catch.hpp>
#include <string>

using namespace wwwd;

namespace {
bool has_line(const std::string& head, const std::string& line) {
  return head.find("\r\n" + line + "\r\n") != std::string::npos;
}
Delivery whole(std::uint64_t length) {
  return {Framing::kLength, length, true, false, "Sun, 06 Nov 1994 08:49:37 GMT"};
}
}  // namespace

TEST_CASE("every answer has the fields that protect who reads it") {
  Response redirect;
  redirect.status = 303;
  redirect.location = "/accounts";
  for (const Response& response : {Response{}, redirect, short_page(404, "Not here", "No such page.")}) {
    std::string head = render_head(response, whole(response.body.size()));
    CHECK(has_line(head,
                   "Content-Security-Policy: default-src 'none'; style-src 'self'; img-src 'self'; "
                   "script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"));
    CHECK(has_line(head, "X-Content-Type-Options: nosniff"));
    CHECK(has_line(head, "X-Frame-Options: DENY"));
    CHECK(has_line(head, "Referrer-Policy: same-origin"));
    CHECK(has_line(head, "Cross-Origin-Opener-Policy: same-origin"));
    CHECK(has_line(head, "Cross-Origin-Resource-Policy: same-origin"));
    CHECK(has_line(head, "Cache-Control: no-store"));
    CHECK(has_line(head, "Date: Sun, 06 Nov 1994 08:49:37 GMT"));
    CHECK(head.find("Server:") == std::string::npos);
    CHECK(head.find("Strict-Transport-Security") == std::string::npos);
    CHECK(head.ends_with("\r\n\r\n"));
    CHECK(head.find("\r\n\r\n") == head.size() - 4);
  }
}

TEST_CASE("an answer to its letters") {
  Response response;
  response.type = "text/css";
  response.body = "body{}";
  response.cache = Cache::kVersioned;
  response.cookies.push_back({"token", "abc"});
  response.fields.emplace_back("Content-Disposition", "attachment");
  std::string head = render_head(response, whole(6));
  CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(has_line(head, "Content-Type: text/css"));
  CHECK(has_line(head, "Content-Length: 6"));
  CHECK(has_line(head, "Set-Cookie: token=abc; Path=/; HttpOnly; SameSite=Strict; Secure"));
  CHECK(has_line(head, "Content-Disposition: attachment"));
  CHECK(has_line(head, "Cache-Control: public, max-age=31536000, immutable"));
  CHECK(head.find("Connection:") == std::string::npos);
}

TEST_CASE("framing") {
  Response response;
  Delivery delivery = whole(0);
  CHECK(has_line(render_head(response, delivery), "Content-Length: 0"));
  CHECK(render_head(response, delivery).find("\r\nContent-Type:") == std::string::npos);
  delivery.keep_alive = false;
  delivery.https = true;
  CHECK(has_line(render_head(response, delivery), "Connection: close"));
  CHECK(has_line(render_head(response, delivery), "Strict-Transport-Security: max-age=31536000"));
  delivery.framing = Framing::kChunked;
  CHECK(has_line(render_head(response, delivery), "Transfer-Encoding: chunked"));
  CHECK(render_head(response, delivery).find("Content-Length") == std::string::npos);
  delivery.framing = Framing::kClose;
  CHECK(render_head(response, delivery).find("Transfer-Encoding") == std::string::npos);
  CHECK(render_head(response, delivery).find("Content-Length") == std::string::npos);
}

TEST_CASE("no value ends its line") {
  Response response;
  response.status = 303;
  response.location = "/a\r\nSet-Cookie: evil=1";
  response.fields.emplace_back("X-Name", std::string("a\nb\0c", 5));
  std::string head = render_head(response, whole(0));
  CHECK(has_line(head, "Location: /a  Set-Cookie: evil=1"));
  CHECK(has_line(head, "X-Name: a b c"));
}

TEST_CASE("short pages escape what they say") {
  Response page = short_page(403, "<b>", "\"'&", "https://a/?b&c");
  CHECK(page.status == 403);
  CHECK(page.body.find("<title>&lt;b&gt;</title>") != std::string::npos);
  CHECK(page.body.find("<p>&quot;&#39;&amp;</p>") != std::string::npos);
  CHECK(page.body.find("<a href=\"https://a/?b&amp;c\">") != std::string::npos);
}

TEST_CASE("dates and statuses") {
  CHECK(http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(status_text(431) == "431 Request Header Fields Too Large");
  CHECK(status_text(299) == "299 Answer");
}
