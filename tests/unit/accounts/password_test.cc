#include "accounts/password.h"

#include <catch2/catch.hpp>

namespace password = accounts::password;

namespace {

std::string hex(std::string_view octets) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (char c : octets) {
    auto u = static_cast<unsigned char>(c);
    out += {kDigits[u >> 4], kDigits[u & 15]};
  }
  return out;
}

}  // namespace

TEST_CASE("scrypt gives the vectors of RFC 7914 section 12") {
  CHECK(hex(password::scrypt("", "", {4, 1, 1}, 64)) ==
        "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
        "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
  CHECK(hex(password::scrypt("password", "NaCl", {10, 8, 16}, 64)) ==
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
  CHECK(hex(password::scrypt("pleaseletmein", "SodiumChloride", {14, 8, 1}, 64)) ==
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887");
  CHECK(password::scrypt("x", "y", {20, 8, 1}, 64).empty());
}

TEST_CASE("a hash knows its password and no other") {
  std::string hash = password::make_hash("Sur+Fer!");
  CHECK_THAT(hash, Catch::StartsWith("$scrypt$ln=15,r=8,p=1$"));
  CHECK(password::make_hash("Sur+Fer!") != hash);
  CHECK(password::is_current(hash));
  CHECK(password::check(hash, "Sur+Fer!").right);
  CHECK(password::check(hash, "Sur+Fer!").replacement.empty());
  for (std::string_view wrong : {"sur+fer!", "Sur+Fer", "", "Sur+Fer!!"})
    CHECK_FALSE(password::check(hash, wrong).right);
  CHECK_FALSE(password::check("", "").right);
  CHECK_FALSE(password::check("", "x").right);
}

TEST_CASE("hashes of crypt(3) and of another cost are right once and then replaced") {
  const std::string sha512 =
      "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
  // The SHA-crypt specification's own example.
  CHECK(password::check(sha512, "Hello world!").right);
  auto checked = password::check(sha512, "Hello world!");
  CHECK(password::is_current(checked.replacement));
  CHECK(password::check(checked.replacement, "Hello world!").right);
  CHECK_FALSE(password::check(sha512, "hello world!").right);
  CHECK_FALSE(password::check(sha512, std::string_view("Hello world!\0x", 14)).right);
  CHECK(password::check(sha512, "hello world!").replacement.empty());
  // scrypt of RFC 7914's third vector, its first 32 octets.
  std::string weak = "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI";
  auto old = password::check(weak, "pleaseletmein");
  CHECK(old.right);
  CHECK(password::is_current(old.replacement));
}

TEST_CASE("what counts as a ready hash") {
  struct Row {
    std::string value;
    char outcome;  // 'h' ready hash, 'p' plain text, 'e' refused
  };
  const Row rows[] = {
      {"secret", 'p'},
      {"$cash$", 'p'},
      {"$6$my password", 'p'},
      {"$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", 'h'},
      {"{crypt}$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", 'h'},
      {"{CRYPT}abJnggxhB/yWI", 'h'},
      {"abJnggxhB/yWI", 'p'},
      {"{crypt}!", 'e'},
      {"{crypt}$9$nothing$known", 'e'},
      {"$6$rounds=999999999$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO", 'e'},
      {"$2b$20$abcdefghijklmnopqrstuuZAzrNQaEZEWnLpDsVgkOHE7ZKzTKGGe", 'e'},
      {"$2b$10$abcdefghijklmnopqrstuuZAzrNQaEZEWnLpDsVgkOHE7ZKzTKGGe", 'h'},
      {"$y$jzT$abcdefghijklmnop$abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq", 'e'},
      {"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", 'h'},
      {"$scrypt$ln=15,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI", 'h'},
      {"$scrypt$ln=19,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI", 'e'},
      {"$scrypt$nonsense", 'e'},
  };
  for (const Row& row : rows) {
    CAPTURE(row.value);
    auto ready = password::ready_hash(row.value);
    char outcome = !ready ? 'e' : ready->empty() ? 'p' : 'h';
    CHECK(outcome == row.outcome);
  }
}
