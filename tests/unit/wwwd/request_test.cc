#include "wwwd/request.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace wwwd;
using Event = RequestReader::Event;

namespace {

/// What a client's octets come to: "GET /a;POST /b[body];!400". `step`: octets given at once; 0: all.
std::string played(std::string_view input, std::size_t step = 0) {
  RequestReader reader;
  std::string out;
  if (step == 0) step = input.size() + 1;
  for (std::size_t used = 0, there = 0; there < input.size() || there == 0;) {
    there = std::min(there + step, input.size());
    for (;;) {
      auto s = reader.next(input.substr(used, there - used));
      used += s.consumed;
      if (s.event == Event::kNeedMore) break;
      if (s.event == Event::kRefused) return out + "!" + std::to_string(reader.refusal().status);
      if (s.event == Event::kHead) {
        out += std::string(method_name(reader.head().method)) + " " + reader.head().path;
        if (reader.head().length > 0) out += "[";
      }
      if (s.event == Event::kBody) out += s.body;
      if (s.event == Event::kEnd) out += reader.head().length > 0 ? "];" : ";";
    }
    if (input.empty()) break;
  }
  return out;
}

std::string get(std::string_view target, std::string_view more = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}
std::string post(std::string_view more) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}

struct Case {
  std::string input, want;
};

const Case kCases[] = {
    {get("/"), "GET /;"},
    {get("/") + get("/b"), "GET /;GET /b;"},
    {"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /a;"},
    {post("Content-Length: 3\r\n") + "abc", "POST /[abc];"},
    {post("Content-Length: 0\r\n"), "POST /;"},
    {post("Content-Length: 003\r\n") + "abc" + get("/x"), "POST /[abc];GET /x;"},
    {post("content-LENGTH:3 \t\r\n") + "abc", "POST /[abc];"},
    {post("Content-Length: 5\r\n") + "abc", "POST /[abc"},
    {get("/", "Content-Length: 0\r\n"), "GET /;"},
    {get("/", "X-Utf8: \xc3\xa9\r\nX-Tab: a\tb\r\nX-Empty:\r\n"), "GET /;"},
    {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET /;"},
    {"GET / HTTP/1.7\r\nHost: a\r\n\r\n", "GET /;"},

    // the request line
    {"GET / HTTP/1.1\r\nHost: a\r\n", ""},
    {"GET /\r\n\r\n", "!400"},
    {"GET\r\n\r\n", "!400"},
    {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
    {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
    {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
    {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "!400"},
    {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
    {"GET / x HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
    {"GET / http/1.1\r\nHost: a\r\n\r\n", "!400"},
    {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", "!400"},
    {"GET / HTTP/1,1\r\nHost: a\r\n\r\n", "!400"},
    {"GET / HTTP/11\r\nHost: a\r\n\r\n", "!400"},
    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "!505"},
    {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", "!505"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!505"},
    {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
    {"\x16\x03\x01\x02", "!400"},
    {"SSH-2.0-x\r\n\r\n", "!400"},

    // methods
    {"PUT / HTTP/1.1\r\nHost: a\r\n\r\n", "!405"},
    {"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", "!405"},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "!405"},
    {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "!405"},
    {"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "!405"},
    {"PATCH / HTTP/1.1\r\nHost: a\r\n\r\n", "!405"},
    {"get / HTTP/1.1\r\nHost: a\r\n\r\n", "!501"},
    {"PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", "!501"},
    {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},

    // targets
    {get("*"), "!400"},
    {get("http://a/"), "!400"},
    {get("a:80"), "!400"},
    {get("//a/b"), "!400"},
    {get("/../x"), "!400"},
    {get("/%2e%2e/x"), "!400"},
    {get("/x%00"), "!400"},
    {get("/x#y"), "!400"},
    {get("/\xc3\xa9"), "!400"},
    {get("/?a=b"), "GET /;"},
    {get("/?"), "GET /;"},
    {get("/?a=b?c/d|e"), "GET /;"},
    {get("/?a=b#c"), "!400"},
    {get("/?a=\xc3\xa9"), "!400"},
    {get("/?a=%zz"), "!400"},
    {get("/?a=%00"), "!400"},

    // lines
    {"GET / HTTP/1.1\nHost: a\n\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a\r\n\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "!400"},
    {get("/", "X: a\x01\r\n"), "!400"},
    {get("/", std::string("X: a\0b\r\n", 8)), "!400"},
    {get("/", "X: a\x7f\r\n"), "!400"},
    {get("/", "X: a\r\n b\r\n"), "!400"},
    {get("/", "X: a\r\n\tb\r\n"), "!400"},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "!400"},
    {get("/", "X : a\r\n"), "!400"},
    {get("/", "X\t: a\r\n"), "!400"},
    {get("/", "X Y: a\r\n"), "!400"},
    {get("/", "X\r\n"), "!400"},
    {get("/", ": a\r\n"), "!400"},
    {get("/", "X(: a\r\n"), "!400"},
    {get("/", "X\xc3\xa9: a\r\n"), "!400"},

    // Host
    {"GET / HTTP/1.1\r\n\r\n", "!400"},
    {"GET / HTTP/1.0\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: [127.0.0.1]\r\n\r\n", "!400"},
    {"GET / HTTP/1.1\r\nHost: [::1]:81\r\n\r\n", "GET /;"},
    {"GET / HTTP/1.1\r\nHost: mail.podunk.edu:81\r\n\r\n", "GET /;"},

    // where the body ends
    {post(""), "!411"},
    {post("Content-Length: 3\r\nContent-Length: 3\r\n") + "abc", "!400"},
    {post("Content-Length: 3\r\nContent-Length: 4\r\n") + "abc", "!400"},
    {post("Content-Length : 3\r\n") + "abc", "!400"},
    {post("Content-Length: +3\r\n") + "abc", "!400"},
    {post("Content-Length: -3\r\n") + "abc", "!400"},
    {post("Content-Length: 0x3\r\n") + "abc", "!400"},
    {post("Content-Length: 3, 3\r\n") + "abc", "!400"},
    {post("Content-Length: 3 3\r\n") + "abc", "!400"},
    {post("Content-Length: 3.0\r\n") + "abc", "!400"},
    {post("Content-Length:\r\n"), "!400"},
    {post("Content-Length: 268435457\r\n"), "!413"},
    {post("Content-Length: 18446744073709551619\r\n"), "!413"},
    {post("Content-Length: 99999999999999999999999999\r\n"), "!413"},
    {post("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n", "!501"},
    {post("Transfer-Encoding: identity\r\nContent-Length: 3\r\n") + "abc", "!501"},
    {post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + "abc", "!501"},
    {post("Content-Length: 3\r\nTransfer-Encoding:\r\n") + "abc", "!501"},
    {post("Content-Length: 3\r\nTransfer-Encoding : chunked\r\n") + "abc", "!400"},
    {post("Content-Length: 3\r\nTransfer-Encoding\r\n") + "abc", "!400"},
    {post("Content-Length: 3\r\nContent-Encoding: gzip\r\n") + "abc", "!415"},
    {get("/", "Content-Length: 3\r\n") + "abc", "!400"},
    {get("/", "Transfer-Encoding: chunked\r\n"), "!501"},
    {"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "!400"},

    // nothing is read behind a refusal
    {get("/", "Content-Length: 3, 3\r\n") + get("/b"), "!400"},
    {get("/") + "X\r\n\r\n" + get("/b"), "GET /;!400"},

    // what may stand once
    {get("/", "Cookie: a=b\r\nCookie: c=d\r\n"), "!400"},
    {get("/", "Origin: a\r\nOrigin: a\r\n"), "!400"},
    {get("/", "Accept: a\r\nAccept: b\r\n"), "GET /;"},
    {post("Content-Length: 0\r\nExpect: 100-continue\r\n"), "POST /;"},
    {post("Content-Length: 0\r\nExpect: 200-ok\r\n"), "!417"},
    {post("Content-Length: 0\r\nExpect:\r\n"), "!417"},
    {post("Content-Length: 0\r\nExpect: 100-continue, x\r\n"), "!417"},
};

}  // namespace

TEST_CASE("requests, and what is none, however they are cut") {
  for (const Case& c : kCases) {
    INFO(c.input);
    CHECK(played(c.input) == c.want);
    for (std::size_t step : {1, 2, 3, 7, 16}) CHECK(played(c.input, step) == c.want);
  }
}

TEST_CASE("the limits of a header") {
  auto target = [](std::size_t size) { return "/" + std::string(size - 1, 'a'); };
  CHECK(played(get(target(kMaxTarget))) == "GET " + target(kMaxTarget) + ";");
  CHECK(played(get(target(kMaxTarget + 1))) == "!414");
  CHECK(played("GET " + target(kMaxTarget + 100)) == "!414");  // before the line ends
  CHECK(played(std::string(9000, 'G')) == "!414");

  std::size_t rest = kMaxHead - get("/", "X: \r\n").size();
  CHECK(played(get("/", "X: " + std::string(rest, 'x') + "\r\n")) == "GET /;");
  CHECK(played(get("/", "X: " + std::string(rest + 1, 'x') + "\r\n")) == "!431");
  CHECK(played("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(kMaxHead, 'x')) == "!431");

  std::string fields;
  for (std::size_t i = 1; i < kMaxFields; ++i) fields += "X: y\r\n";
  CHECK(played(get("/", fields)) == "GET /;");
  CHECK(played(get("/", fields + "X: y\r\n")) == "!431");
}

TEST_CASE("what a head says") {
  auto head = parse_head(
      "POST /a%20b?c=d&c=e+f HTTP/1.1\r\nHost: MAIL.Podunk.EDU:81\r\nContent-Length: 7\r\n"
      "Content-Type: Text/Plain; charset=utf-8\r\nExpect: 100-Continue\r\nX-Thing:  one two \r\n");
  REQUIRE(head);
  CHECK(head->method == Method::kPost);
  CHECK(head->path == "/a b");
  CHECK(head->query.all("c") == std::vector<std::string_view>{"d", "e f"});
  CHECK(head->host == "mail.podunk.edu:81");
  CHECK(head->length == 7);
  CHECK(head->media_type == "text/plain");
  CHECK(head->keep_alive);
  CHECK(head->expects_continue);
  CHECK(head->field("x-thing") == "one two");
  CHECK(head->field("X-Thing").empty());
  CHECK(head->has("x-thing"));
}

TEST_CASE("whether the connection is kept") {
  auto kept = [](std::string_view version, std::string_view fields) {
    auto head = parse_head("GET / " + std::string(version) + "\r\nHost: a\r\n" + std::string(fields));
    REQUIRE(head);
    return head->keep_alive;
  };
  CHECK(kept("HTTP/1.1", ""));
  CHECK(kept("HTTP/1.1", "Connection: keep-alive\r\n"));
  CHECK_FALSE(kept("HTTP/1.1", "Connection: close\r\n"));
  CHECK_FALSE(kept("HTTP/1.1", "Connection: TE , Close\r\n"));
  CHECK_FALSE(kept("HTTP/1.1", "Connection: x\r\nConnection: close\r\n"));
  CHECK(kept("HTTP/1.1", "Connection: closed\r\n"));
  CHECK_FALSE(kept("HTTP/1.0", "Connection: keep-alive\r\n"));
}

TEST_CASE("a refused HEAD gets no body, and a 1.0 client no 100") {
  auto refused = parse_head("HEAD / HTTP/1.1\r\n");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().without_body);
  refused = parse_head("GET / HTTP/1.1\r\n");
  REQUIRE_FALSE(refused);
  CHECK_FALSE(refused.error().without_body);
  auto head = parse_head("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 7\r\nExpect: 100-continue\r\n");
  REQUIRE(head);
  CHECK_FALSE(head->expects_continue);
}

TEST_CASE("a header is under way") {
  RequestReader reader;
  CHECK_FALSE(reader.in_head());
  CHECK(reader.next("GE").event == Event::kNeedMore);
  CHECK(reader.in_head());
  std::string whole = get("/");
  CHECK(reader.next(whole).event == Event::kHead);
  CHECK_FALSE(reader.in_head());
}
