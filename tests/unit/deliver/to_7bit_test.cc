#include "deliver/to_7bit.h"

#include <catch2/catch.hpp>
#include <string>

#include "lib/text.h"

namespace {

using deliver::EightBitParts;
using deliver::EightBitScan;
using deliver::To7Bit;

EightBitParts scan(std::string_view content, std::size_t step) {
  EightBitScan s;
  for (; !content.empty(); content.remove_prefix(std::min(step, content.size())))
    s.add(content.substr(0, step));
  return s.finish();
}

std::string convert(std::string_view content, std::size_t step = 100'000) {
  To7Bit to(scan(content, step));
  std::string out;
  for (; !content.empty(); content.remove_prefix(std::min(step, content.size())))
    to.add(content.substr(0, step), out);
  to.finish(out);
  return out;
}

std::string noted(std::string_view content) {
  std::string out;
  for (bool b : scan(content, 3)) out += b ? '8' : '7';
  return out;
}

}  // namespace

TEST_CASE("to_7bit: what becomes of a message, whole and in pieces") {
  const std::string kType = "Content-Type: multipart/mixed; boundary=\"b 1\"\r\n";
  struct Row {
    const char* what;
    std::string parts, in, out;
  };
  const Row rows[] = {
      {"nothing to do", "7", "Subject: x\r\n\r\nhi = you \r\n", "Subject: x\r\n\r\nhi = you \r\n"},
      {"no MIME at all", "8", "Subject: x\r\n\r\ngr\xfc\xdf\r\n",
       "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
       "Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=FC=DF\r\n"},
      {"text", "8",
       "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
       "8bit\r\nX: y\r\n"
       "\r\n\xc3\xbc = 1 \r\n\tx\t\r\n.\r\n",
       "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nX: y\r\n"
       "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC =3D 1=20\r\n\tx=09\r\n.\r\n"},
      {"called 7bit, and is not", "8",
       "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\xfc\r\n",
       "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: "
       "quoted-printable\r\n\r\n=FC\r\n"},
      {"coded already: not touched, whatever it holds", "7",
       "MIME-Version: 1.0\r\nContent-Transfer-Encoding: (c) Base64\r\n\r\n\xfc\r\n",
       "MIME-Version: 1.0\r\nContent-Transfer-Encoding: (c) Base64\r\n\r\n\xfc\r\n"},
      {"other than text", "8",
       "MIME-Version: 1.0\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: "
       "binary\r\n\r\n\xff\xfe\r\nab\r\n",
       "MIME-Version: 1.0\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: "
       "base64\r\n\r\n//4NCmFiDQo=\r\n"},
      {"the parts that need it", "787",
       "MIME-Version: 1.0\r\n" + kType +
           "Content-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n--b 1\r\n\r\nplain =\r\n--b 1\r\n"
           "Content-Type: image/png\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xff\xfe\r\n--b 1 \r\n"
           "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b 1--\r\nepilogue \xfc\r\n",
       "MIME-Version: 1.0\r\n" + kType +
           "Content-Transfer-Encoding: 7bit\r\n\r\npreamble\r\n--b 1\r\n\r\nplain =\r\n--b 1\r\n"
           "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n//4=\r\n--b 1 \r\n"
           "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b 1--\r\nepilogue ?\r\n"},
      {"a part without a header", "8", kType + "\r\n--b 1\r\n\r\n\xfc\r\n--b 1--\r\n",
       kType + "\r\n--b 1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n--b 1--\r\n"},
      {"multipart in multipart, the inner one not closed", "88",
       "Content-Type: multipart/a; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/b; "
       "boundary=i\r\n\r\n--i\r\n\r\n\xfc\r\n"
       "--o\r\n\r\n\xfd\r\n--o--\r\n",
       "Content-Type: multipart/a; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/b; "
       "boundary=i\r\n\r\n--i\r\n"
       "Content-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n--o\r\n"
       "Content-Transfer-Encoding: quoted-printable\r\n\r\n=FD\r\n--o--\r\n"},
      {"a message in a message", "8",
       "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: in\r\nContent-Type: "
       "text/html\r\n\r\n"
       "\xfc\r\n",
       "Content-Type: message/rfc822\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: "
       "in\r\n"
       "Content-Type: text/html\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: "
       "quoted-printable\r\n\r\n=FC\r\n"},
      {"a digest holds messages", "8",
       "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: in\r\n\r\n\xfc\r\n--d--\r\n",
       "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: in\r\nMIME-Version: 1.0\r\n"
       "Content-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: "
       "quoted-printable\r\n\r\n=FC\r\n--d--\r\n"},
      {"what looks like a boundary and is none", "8",
       kType + "\r\n--b 1\r\n\r\n--b 10\r\n--b\r\n-- b 1\r\n\xfc\r\n--b 1--\r\n",
       kType + "\r\n--b 1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n--b 10\r\n--b\r\n-- b "
               "1\r\n=FC\r\n--b 1--\r\n"},
      {"the end comes in a part", "8", kType + "\r\n--b 1\r\n\r\n\xfc",
       kType + "\r\n--b 1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC"},
      {"the end comes in a header", "7", "Subject: x", "Subject: x"},
      {"nothing", "7", "", ""},
      {"a folded field", "8",
       "Content-Transfer-Encoding:\r\n 8bit\r\nContent-Type: text/plain;\r\n\tcharset=x\r\nMime-Version: "
       "1.0\r\n\r\n\xfc\r\n",
       "Content-Type: text/plain;\r\n\tcharset=x\r\nMime-Version: 1.0\r\nContent-Transfer-Encoding: "
       "quoted-printable\r\n\r\n"
       "=FC\r\n"},
      {"a bare CR and LF", "8", "X: y\r\nMIME-Version: 1.0\r\nContent-Type: text/x\r\n\r\n\xfc\rb\nc\r\n",
       "X: y\r\nMIME-Version: 1.0\r\nContent-Type: text/x\r\nContent-Transfer-Encoding: "
       "quoted-printable\r\n\r\n"
       "=FC=0Db=0Ac\r\n"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK(noted(row.in) == row.parts);
    for (std::size_t step : {std::size_t{100'000}, std::size_t{1}, std::size_t{2}, std::size_t{7}})
      CHECK(convert(row.in, step) == row.out);
  }
}

TEST_CASE("to_7bit: lines come out short, long ones go in") {
  std::string text = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" + std::string(20'000, '\xfc') +
                     "\r\n" + std::string(20'000, 'x') + "\r\n";
  std::string out = convert(text);
  CHECK(convert(text, 4095) == out);
  CHECK(po::is_ascii(out));
  for (std::size_t at = 0, end; at < out.size(); at = end + 2) {
    end = out.find("\r\n", at);
    REQUIRE(end - at <= 76);
  }
  std::string binary =
      "MIME-Version: 1.0\r\nContent-Type: a/b\r\n\r\n" + std::string(10'000, '\xfc') + "\r\n";
  out = convert(binary);
  CHECK(convert(binary, 4097) == out);
  std::string coded = out.substr(out.find("\r\n\r\n") + 4), joined;
  for (char c : coded) {
    if (c != '\r' && c != '\n') joined += c;
  }
  CHECK(po::base64_decode(joined) == binary.substr(binary.find("\r\n\r\n") + 4));
}

TEST_CASE("to_7bit: depth and number are bounded") {
  std::string deep;
  for (int i = 0; i < 200; ++i)
    deep += "Content-Type: multipart/x; boundary=b" + std::to_string(i) + "x\r\n\r\n--b" + std::to_string(i) +
            "x\r\n";
  deep += "\r\n\xfc\r\n";
  CHECK(convert(deep) == convert(deep, 5));
  CHECK(po::is_ascii(convert(deep)));
  std::string messages;
  for (int i = 0; i < 200; ++i) messages += "Content-Type: message/rfc822\r\n\r\n";
  messages += "\r\n\xfc\r\n";
  CHECK(po::is_ascii(convert(messages)));
  std::string many = "Content-Type: multipart/x; boundary=b\r\n\r\n";
  for (int i = 0; i < 20'000; ++i) many += "--b\r\n\r\n\xfc\r\n";
  CHECK(scan(many, 100'000).size() == 10'000);
  CHECK(po::is_ascii(convert(many)));
  // A header without end is not understood, and goes as it is.
  std::string endless = std::string(300 * 1024, 'x') + "\r\n\r\n\xfc\r\n";
  CHECK(convert(endless) == endless);
}
