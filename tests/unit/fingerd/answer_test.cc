#include "fingerd/answer.h"

#include <catch2/catch.hpp>
#include <string>

using fingerd::printable;

namespace {

directory::Account jane() {
  directory::Account a;
  a.id = 7;
  a.name = "Jane Lee";
  a.addresses = {"Jane.Lee@podunk.edu", "secret.name@podunk.edu"};
  a.pop_login = "jlee";
  a.forwarding = {"jane@elsewhere.example"};
  a.finger = {"Room 7", "", "  indented"};
  return a;
}

}  // namespace

TEST_CASE("text from elsewhere is made harmless") {
  struct Case {
    std::string text, shown;
  };
  const Case cases[] = {
      {"plain", "plain"},
      {"", ""},
      {"J\xc3\xbcrgen \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80",
       "J\xc3\xbcrgen \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80"},
      {"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},  // Hebrew by itself
      {"a\x1b[2Jb", "a?[2Jb"},
      {"a\r\nb", "a??b"},
      {std::string("a\0b", 3), "a?b"},
      {"a\tb\x7f", "a?b?"},
      {"\xc2\x9b[2J", "?[2J"},   // CSI, C1
      {"\xc2\xa0", "\xc2\xa0"},  // the first behind C1
      {"a\xe2\x80\xae"
       "b\xe2\x81\xa6"
       "c\xe2\x80\xa8"
       "d",
       "a?b?c?d"},  // U+202E, U+2066, U+2028
      {"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
       "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"},  // beside
      {"\xff\xc3", "??"},
      {"\xc0\xaf", "??"},       // overlong
      {"\xed\xa0\x80", "???"},  // a surrogate
  };
  for (const Case& c : cases) {
    INFO(c.text);
    CHECK(printable(c.text, 100) == c.shown);
  }
  CHECK(printable("abcdef", 6) == "abcdef");
  CHECK(printable("abcdefg", 6) == "abcdef...");
  CHECK(printable("abcde\xc3\xbc", 6) == "abcde...");  // not half a character
}

TEST_CASE("an account") {
  CHECK(fingerd::account_text(jane()) ==
        "Account Name: Jane Lee\r\nEmail address: Jane.Lee@podunk.edu\r\n------\r\nRoom 7\r\n\r\n  "
        "indented\r\n");
}

TEST_CASE("without finger information there is no rule") {
  directory::Account a = jane();
  a.finger.clear();
  CHECK(fingerd::account_text(a) == "Account Name: Jane Lee\r\nEmail address: Jane.Lee@podunk.edu\r\n");
}

TEST_CASE("fields of an account cannot forge lines") {
  directory::Account a = jane();
  a.name = "Jane\r\nEmail address: root@podunk.edu";
  a.finger = {"x\r\n[other.host]\x1b]0;title\x07"};
  CHECK(fingerd::account_text(a) ==
        "Account Name: Jane??Email address: root@podunk.edu\r\nEmail address: Jane.Lee@podunk.edu\r\n"
        "------\r\nx??[other.host]?]0;title?\r\n");
}

TEST_CASE("a list") {
  directory::Account b = jane();
  b.name = "Bob\x1b";
  b.addresses = {"bob@podunk.edu"};
  CHECK(fingerd::list_text({jane(), b}, false) ==
        "Jane Lee <Jane.Lee@podunk.edu>\r\nBob? <bob@podunk.edu>\r\n");
  CHECK(fingerd::list_text({b}, true) ==
        "Bob? <bob@podunk.edu>\r\n"
        "There are more accounts than these; ask for one by its name or address.\r\n");
  CHECK(fingerd::list_text({}, false) == "No account here is open to finger.\r\n");
}

TEST_CASE("what is said instead is one line each") {
  CHECK(fingerd::host_line("mx.podunk.edu") == "[mx.podunk.edu]\r\n");
  CHECK(fingerd::no_account_text("jane", "") == "There is no account jane here.\r\n");
  CHECK(fingerd::no_account_text("jane", "podunk.edu") == "There is no account jane@podunk.edu here.\r\n");
  CHECK(fingerd::no_account_text("ja\xe2\x80\xaene", "") == "There is no account ja?ne here.\r\n");
  CHECK(fingerd::no_account_text(std::string(500, 'x'), "") ==
        "There is no account " + std::string(80, 'x') + "... here.\r\n");
  CHECK(fingerd::no_forwarding_text("cs.podunk.edu") ==
        "Queries are not forwarded from here; ask cs.podunk.edu itself.\r\n");
  CHECK(fingerd::no_list_text("mx.podunk.edu") ==
        "Accounts are not listed here; ask for one, as in finger postmaster@mx.podunk.edu.\r\n");
}
