// Small codings and checks of text that several protocols share. Pure, for hostile input, ASCII only where
// letters are compared: no locale takes part.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace po {

[[nodiscard]] std::string base64_encode(std::string_view octets);
/// RFC 4648 section 4, strict: padding there, no white space, unused bits 0. Nothing if it is not that.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

[[nodiscard]] constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
[[nodiscard]] std::string ascii_lower(std::string_view text);
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);

[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
[[nodiscard]] constexpr bool is_alnum(char c) {
  return is_digit(c) || is_alpha(c);
}
/// Of a hexadecimal digit in either case, -1 of anything else.
[[nodiscard]] constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  char l = ascii_lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/// Whether all octets are below 128.
[[nodiscard]] bool is_ascii(std::string_view text);
/// Well-formed UTF-8: no overlong form, no surrogate, nothing over U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text);
/// Whether there is a control character: U+0000 to U+001F, U+007F, and, in well-formed UTF-8, U+0080 to
/// U+009F.
[[nodiscard]] bool has_control(std::string_view text);
/// Normalisation form C of well-formed UTF-8 (RFC 6531 and 6532 want it); nothing if it is not well-formed.
[[nodiscard]] std::optional<std::string> to_nfc(std::string_view utf8);

/// xtext of RFC 3461 section 4: printable ASCII without '+' and '=', other octets as +XX.
[[nodiscard]] std::string xtext_encode(std::string_view octets);
/// Nothing if it is not xtext. What comes out may hold any octet: check it before use.
[[nodiscard]] std::optional<std::string> xtext_decode(std::string_view text);

/// Foreign text for a reply line or a terminal: printable ASCII stays, every other octet becomes '?', and
/// what is longer than `max` ends in "...".
[[nodiscard]] std::string for_display(std::string_view text, std::size_t max = 80);

/// Foreign text for a terminal: well-formed UTF-8 without control characters stays as it is, all else goes by
/// for_display(); cut after `max` octets.
[[nodiscard]] std::string for_terminal(std::string_view text, std::size_t max = 512);

/// Whether `text` is what `pattern` says, ASCII letter case aside: `*` stands for any octets, `?` for one.
/// Takes at most the product of both lengths.
[[nodiscard]] bool matches_wildcards(std::string_view pattern, std::string_view text);

/// As a string of JSON (RFC 8259), with its quotation marks; octets that are no UTF-8 become U+FFFD, so that
/// what comes out is always legal.
[[nodiscard]] std::string json_string(std::string_view text);

/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

/// Whether a user of this host may have the name (useradd(8)), and a mail drop that is called so: at most 32
/// letters, digits, '_', '-' and '.', neither of the latter two first, and not ending in ".lock", as the lock
/// of another's is called. maildrop-setuid/maildrop.cc asks the same.
[[nodiscard]] bool is_unix_login(std::string_view login);

}  // namespace po
