#include "lib/text.h"

#include <catch2/catch.hpp>

TEST_CASE("text: base64") {
  struct Row {
    const char *octets, *text;
  };
  for (const Row& row : {Row{"", ""},
                         {"f", "Zg=="},
                         {"fo", "Zm8="},
                         {"foo", "Zm9v"},
                         {"foob", "Zm9vYg=="},
                         {"fooba", "Zm9vYmE="},
                         {"foobar", "Zm9vYmFy"},
                         {"\xff\xfe\xfd", "//79"}}) {
    CHECK(po::base64_encode(row.octets) == row.text);
    CHECK(po::base64_decode(row.text) == std::string(row.octets));
  }
  for (const char* bad : {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\r\n", " Zm9v",
                          "Zm9v====", "Z=g=", "====", "=", "Zm-v", "Zm9\xff"}) {
    INFO(bad);
    CHECK(!po::base64_decode(bad).has_value());
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(po::base64_decode(po::base64_encode(all)) == all);
}

TEST_CASE("text: UTF-8") {
  for (const char* good : {"", "abc", "ü", "€", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"})
    CHECK(po::is_utf8(good));
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xe2\x82", "\xe2\x82x"}) {
    CHECK(!po::is_utf8(bad));
  }
  CHECK(po::to_nfc("u\xcc\x88") == std::string("ü"));
  CHECK(!po::to_nfc("\xff").has_value());
}

TEST_CASE("text: control characters") {
  for (const std::string& bad : {std::string("\0", 1), std::string("a\tb"), std::string("\x7f"),
                                 std::string("\xc2\x80"), std::string("\xc2\x9f")}) {
    CHECK(po::has_control(bad));
  }
  for (const char* good : {"", "a b", "\xc2\xa0", "ü"}) CHECK(!po::has_control(good));
}

TEST_CASE("text: hexadecimal digits") {
  std::string digits = "0123456789abcdef", upper = "0123456789ABCDEF";
  for (int octet = 0; octet < 256; ++octet) {
    char c = static_cast<char>(octet);
    auto lower_at = digits.find(c), upper_at = upper.find(c);
    int wanted = lower_at != digits.npos  ? static_cast<int>(lower_at)
                 : upper_at != upper.npos ? static_cast<int>(upper_at)
                                          : -1;
    CHECK(po::hex_value(c) == wanted);
  }
}

TEST_CASE("text: xtext") {
  CHECK(po::xtext_encode("a+b=c d\xff") == "a+2Bb+3Dc+20d+FF");
  CHECK(po::xtext_decode("a+2Bb+3Dc+20d+ff") == std::string("a+b=c d\xff"));
  CHECK(po::xtext_decode("") == std::string());
  for (const char* bad : {"a=b", "a b", "+", "+2", "+2g", "a\x7f", "a\n", "\xff"})
    CHECK(!po::xtext_decode(bad).has_value());
}

TEST_CASE("text: a string of JSON") {
  CHECK(po::json_string("a\"b\\c\n\x7f\xc3\xa4\xff") == "\"a\\\"b\\\\c\\u000a\\u007f\xc3\xa4\\ufffd\"");
  CHECK(po::json_string("") == "\"\"");
}

TEST_CASE("text: letters and display") {
  CHECK(po::ascii_lower("AbC-\xc3\x9c") == "abc-\xc3\x9c");
  CHECK(po::equal_ignoring_case("MAIL", "mail"));
  CHECK(!po::equal_ignoring_case("MAIL", "mails"));
  CHECK(po::starts_with_ignoring_case("MAIL FROM:", "mail from"));
  CHECK(!po::starts_with_ignoring_case("MAI", "mail"));
  CHECK(po::for_display("a\r\nb\xff") == "a??b?");
  CHECK(po::for_display("abcdefghij", 8) == "abcde...");
  CHECK(po::for_display("abcdefgh", 8) == "abcdefgh");
  CHECK(po::trim(" \ta b\t ") == "a b");
  CHECK(po::trim(" \t ") == "");
}
