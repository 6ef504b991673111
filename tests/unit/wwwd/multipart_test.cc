#include "wwwd/multipart.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using wwwd::multipart_boundary;
using wwwd::MultipartReader;

namespace {

struct Read {
  bool good = true, finished = false;
  std::string text;  ///< "name=data;" with a + before the name of a file
};

Read read(std::string_view body, std::size_t piece) {
  Read out;
  MultipartReader reader("XX", {[&](std::string_view name, bool file) {
                                  out.text += (out.text.empty() ? "" : ";") + std::string(file ? "+" : "") +
                                              std::string(name) + "=";
                                },
                                [&](std::string_view data) { out.text += data; }});
  for (std::size_t at = 0; at < body.size() && out.good; at += piece)
    out.good = reader.feed(body.substr(at, piece));
  out.finished = out.good && reader.finished();
  return out;
}

std::string part(std::string_view header, std::string_view data) {
  return "--XX\r\n" + std::string(header) + "\r\n\r\n" + std::string(data) + "\r\n";
}

const std::string kSeal = part("Content-Disposition: form-data; name=\"seal\"", "s");

}  // namespace

TEST_CASE("multipart: the boundary") {
  struct Case {
    std::string_view type, boundary;
  };
  const Case cases[] = {
      {"multipart/form-data; boundary=----WebKitFormBoundaryAbC", "----WebKitFormBoundaryAbC"},
      {"Multipart/Form-Data;boundary=\"a'b\"", "a'b"},
      {"multipart/form-data", ""},
      {"multipart/form-data; boundary=", ""},
      {"multipart/form-data; boundary=a b", ""},
      {"multipart/form-data; boundary=a; boundary=b", ""},
      {"multipart/form-data; charset=utf-8; boundary=a", ""},
      {"multipart/mixed; boundary=a", ""},
      {"text/plain; boundary=a", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.type);
    CHECK(multipart_boundary(c.type).value_or("") == c.boundary);
  }
  CHECK(multipart_boundary("multipart/form-data; boundary=" + std::string(70, 'a')));
  CHECK_FALSE(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'a')));
}

TEST_CASE("multipart: bodies, cut in any way") {
  struct Case {
    std::string body;
    std::string text;  // empty: refused
  };
  const std::string file =
      "Content-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".txt\"\r\n"
      "Content-Type: text/plain";
  const Case cases[] = {
      {kSeal + "--XX--\r\n", "seal=s"},
      {kSeal + "--XX--", "seal=s"},
      {kSeal + part(file, "a\r\n--X\r\n--\r\nb") + "--XX--\r\n", "seal=s;+file=a\r\n--X\r\n--\r\nb"},
      {part("content-disposition:form-data;name=\"a\"", "") + "--XX--\r\n", "a="},
      {part("Content-Disposition: form-data; name=\"f\"; filename=\"\"", "") + "--XX--\r\n", "+f="},
      {"text" + kSeal + "--XX--\r\n", ""},
      {"\r\n" + kSeal + "--XX--\r\n", ""},
      {kSeal + "--XX--\r\nx", ""},
      {kSeal + "--XX --\r\n", ""},
      {"--XX--\r\n", ""},
      {part("Content-Type: text/plain", "a") + "--XX--\r\n", ""},
      {part("Content-Disposition: form-data", "a") + "--XX--\r\n", ""},
      {part("Content-Disposition: form-data; name=\"\"", "a") + "--XX--\r\n", ""},
      {part("Content-Disposition: form-data; name=\"a b\"", "a") + "--XX--\r\n", ""},
      {part("Content-Disposition: form-data; name=a", "a") + "--XX--\r\n", ""},
      {part("Content-Disposition: form-data; name=\"a", "a") + "--XX--\r\n", ""},
      {part("Content-Disposition: form-data; name=\"a\\\"", "a") + "--XX--\r\n", ""},
      {part("Content-Disposition: form-data; name=\"a\"; name=\"b\"", "a") + "--XX--\r\n", ""},
      {part("Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"", "a") +
           "--XX--\r\n",
       ""},
      {part("Content-Disposition: attachment; name=\"a\"", "a") + "--XX--\r\n", ""},
      {part("Content-Disposition: form-data;\r\n name=\"a\"", "a") + "--XX--\r\n", ""},
  };
  for (const Case& c : cases) {
    for (std::size_t piece :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, c.body.size()}) {
      CAPTURE(c.body, piece);
      Read got = read(c.body, piece);
      CHECK(got.finished == !c.text.empty());
      if (!c.text.empty()) CHECK(got.text == c.text);
    }
  }
}

TEST_CASE("multipart: what is cut off, and bounds") {
  std::string body = kSeal + "--XX--";
  for (std::size_t length = 0; length < body.size(); ++length) {
    CAPTURE(length);
    Read got = read(body.substr(0, length), body.size());
    CHECK(got.good);
    CHECK_FALSE(got.finished);
  }
  std::string many;
  for (std::size_t i = 0; i < MultipartReader::kMostParts; ++i) many += kSeal;
  CHECK(read(many + "--XX--", 1000).finished);
  CHECK_FALSE(read(many + kSeal + "--XX--", 1000).good);
  std::string field = "X: " + std::string(MultipartReader::kMostHeader, 'a');
  CHECK_FALSE(read(part("Content-Disposition: form-data; name=\"a\"\r\n" + field, "a"), 100).good);
  CHECK_FALSE(read(part("Content-Disposition: form-data; name=\"" +
                            std::string(MultipartReader::kMostName + 1, 'a') + "\"",
                        "a"),
                   100)
                  .good);
}
