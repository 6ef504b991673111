#include "lib/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <idn2.h>

#include <cstdint>
#include <memory>

#include "lib/text.h"

namespace po {

namespace {

constexpr std::size_t kMaxLabel = 63;
/// A name of 255 octets on the wire has 253 characters as text.
constexpr std::size_t kMaxHostName = 253;
constexpr std::string_view kNeedsUtf8 = "the address is not ASCII, which is only allowed with SMTPUTF8";

bool non_ascii(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

/// atext of RFC 5322 3.2.3; with RFC 6531 also every UTF-8 octet.
bool is_atext(char c, bool utf8) {
  constexpr std::string_view kSpecial = "!#$%&'*+-/=?^_`{|}~";
  return is_alnum(c) || kSpecial.find(c) != std::string_view::npos || (utf8 && non_ascii(c));
}

bool is_dot_string(std::string_view local) {
  if (local.empty() || local.front() == '.' || local.back() == '.') return false;
  if (local.find("..") != std::string_view::npos) return false;
  for (char c : local) {
    if (c != '.' && !is_atext(c, true)) return false;
  }
  return true;
}

std::string quoted(std::string_view local) {
  std::string out = "\"";
  for (char c : local) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

tl::unexpected<Error> bad_local_octet(char c, bool utf8) {
  if (!utf8 && non_ascii(c)) return permanent(std::string(kNeedsUtf8));
  return permanent("the local part has a character that must be quoted");
}

// ---- parts, each taken from the front of `text`

/// Quoted-string of RFC 5321 4.1.2: printable ASCII and space, and UTF-8 if allowed.
Result<std::string> take_quoted_local(std::string_view& text) {
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      text.remove_prefix(i + 1);
      return out;
    }
    if (c == '\\' && ++i < text.size()) c = text[i];
    out += c;
  }
  return permanent("the quoted local part has no closing quote");
}

std::string take_dot_string(std::string_view& text, bool utf8) {
  std::size_t n = 0;
  while (n < text.size() && (text[n] == '.' || is_atext(text[n], utf8))) ++n;
  std::string out(text.substr(0, n));
  text.remove_prefix(n);
  return out;
}

Result<std::string> check_local(std::string local, bool was_quoted, bool utf8) {
  if (local.empty()) return permanent("the local part is empty");
  if (!was_quoted && !is_dot_string(local))
    return permanent("a dot in the local part stands at its end or beside another");
  if (has_control(local)) return permanent("the local part has a control character");
  if (!is_ascii(local)) {
    if (!utf8) return permanent(std::string(kNeedsUtf8));
    auto nfc = to_nfc(local);
    if (!nfc) return permanent("the local part is not UTF-8");
    local = std::move(*nfc);
  }
  if (local.size() > kMaxLocalPart)
    return permanent(fmt::format("the local part is longer than {} octets", kMaxLocalPart));
  return local;
}

Result<std::string> take_local(std::string_view& text, bool utf8) {
  if (text.empty() || text.front() == '@') return permanent("the local part is empty");
  bool quote = text.front() == '"';
  if (!quote && text.front() != '.' && !is_atext(text.front(), utf8))
    return bad_local_octet(text.front(), utf8);
  if (!quote) return check_local(take_dot_string(text, utf8), false, utf8);
  auto local = take_quoted_local(text);
  if (!local) return local;
  return check_local(std::move(*local), true, utf8);
}

/// Cuts a domain or literal off: up to what cannot be in one.
std::string_view take_domain_text(std::string_view& text) {
  std::size_t n = 0;
  if (!text.empty() && text.front() == '[') {
    n = text.find(']');
    n = n == std::string_view::npos ? text.size() : n + 1;
  } else {
    constexpr std::string_view kEnd = "<>,:;@()[]\\\"";
    while (n < text.size() && static_cast<unsigned char>(text[n]) > ' ' &&
           kEnd.find(text[n]) == std::string_view::npos)
      ++n;
  }
  std::string_view out = text.substr(0, n);
  text.remove_prefix(n);
  return out;
}

// ---- domains

/// RFC 5321 4.1.3. Only the two kinds that exist are taken.
Result<std::string> parse_literal(std::string_view text) {
  if (text.size() < 2 || text.back() != ']') return permanent("the address literal has no closing bracket");
  std::string inside(text.substr(1, text.size() - 2));
  constexpr std::string_view kTag = "IPv6:";
  unsigned char raw[16];
  char shown[INET6_ADDRSTRLEN];
  bool six = starts_with_ignoring_case(inside, kTag);
  if (six) inside.erase(0, kTag.size());
  int family = six ? AF_INET6 : AF_INET;
  if (inside.find('\0') != std::string::npos || inet_pton(family, inside.c_str(), raw) != 1) {
    return permanent(six ? "the literal after IPv6: is not an IPv6 number"
                         : "the address literal is neither an IPv4 number nor IPv6: and an IPv6 number");
  }
  inet_ntop(family, raw, shown, sizeof shown);
  return six ? fmt::format("[IPv6:{}]", shown) : fmt::format("[{}]", shown);
}

Result<std::string> to_a_labels(std::string_view domain) {
  if (!is_utf8(domain)) return permanent("the domain is not UTF-8");
  if (has_control(domain)) return permanent("the domain has a control character");
  std::string z(domain);
  std::uint8_t* made = nullptr;
  // Non-transitional UTS 46 mapping is what browsers and other mail servers use; IDNA 2008 then judges.
  int rc = idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(z.c_str()), &made,
                          IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  std::unique_ptr<std::uint8_t, void (*)(void*)> owner(made, idn2_free);
  if (rc != IDN2_OK)
    return permanent(fmt::format("the domain is no internationalized name: {}", idn2_strerror(rc)));
  return std::string(reinterpret_cast<const char*>(made));
}

/// Empty if the name is legal, else what is wrong with it.
std::string host_name_fault(std::string_view name) {
  if (name.empty()) return "the domain is empty";
  if (name.size() > kMaxHostName) return fmt::format("the domain is longer than {} octets", kMaxHostName);
  if (name.back() == '.') return "the domain ends with a dot";
  std::size_t label = 0;
  for (std::size_t i = 0; i <= name.size(); ++i) {
    char c = i < name.size() ? name[i] : '.';
    if (c != '.') {
      if (!is_alnum(c) && c != '-' && c != '_') {
        return "the domain has a character that is no letter, digit, hyphen or dot";
      }
      if (++label > kMaxLabel) return fmt::format("a part of the domain is longer than {} octets", kMaxLabel);
      if (label == 1 && c == '-') return "a part of the domain begins with a hyphen";
      continue;
    }
    if (label == 0) return "the domain has an empty part";
    if (name[i - 1] == '-') return "a part of the domain ends with a hyphen";
    label = 0;
  }
  return "";
}

/// A name whose last label is a number is an address that somebody forgot the brackets of.
bool looks_like_number(std::string_view name) {
  std::size_t dot = name.rfind('.');
  std::string_view last = dot == std::string_view::npos ? name : name.substr(dot + 1);
  return last.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<std::string> domain_from(std::string_view text, bool utf8) {
  if (text.empty()) return permanent("the domain is empty");
  if (text.size() > kMaxDomain)
    return permanent(fmt::format("the domain is longer than {} octets", kMaxDomain));
  if (text.front() == '[') return parse_literal(text);
  std::string name(text);
  if (!is_ascii(text)) {
    if (!utf8) return permanent(std::string(kNeedsUtf8));
    auto made = to_a_labels(text);
    if (!made) return made;
    name = std::move(*made);
  }
  name = ascii_lower(name);
  if (std::string fault = host_name_fault(name); !fault.empty()) return permanent(std::move(fault));
  if (looks_like_number(name))
    return permanent("the domain is a number; an IP number stands in brackets, as [192.0.2.1]");
  return name;
}

// ---- whole addresses

Result<Mailbox> take_mailbox(std::string_view& text, AddressRules rules) {
  std::string_view whole = text;
  auto local = take_local(text, rules.utf8);
  if (!local) return tl::unexpected(local.error());
  Mailbox m{std::move(*local), ""};
  if (text.empty() || text.front() != '@') {
    if (!text.empty() && text.front() != '>') return bad_local_octet(text.front(), rules.utf8);
    if (rules.need_domain) return permanent("the address has no @ and domain");
    return m;
  }
  text.remove_prefix(1);
  auto domain = domain_from(take_domain_text(text), rules.utf8);
  if (!domain) return tl::unexpected(domain.error());
  m.domain = std::move(*domain);
  // As written and as we will write it: an A-label may be longer than its U-label.
  if (whole.size() - text.size() + 2 > kMaxPath || m.canonical().size() + 2 > kMaxPath) {
    return permanent(fmt::format("the address is longer than {} octets", kMaxPath - 2));
  }
  return m;
}

/// "@a,@b:" in front of the mailbox.
Result<void> skip_source_route(std::string_view& text, bool utf8) {
  while (!text.empty() && text.front() == '@') {
    text.remove_prefix(1);
    auto domain = domain_from(take_domain_text(text), utf8);
    if (!domain) return permanent("in the source route: " + domain.error().text);
    char next = text.empty() ? '\0' : text.front();
    if (next != ',' && next != ':') return permanent("the source route does not end with a colon");
    text.remove_prefix(1);
    if (next == ':') return {};
    if (text.empty() || text.front() != '@')
      return permanent("the source route has a comma without another @domain");
  }
  return {};
}

}  // namespace

std::string Mailbox::canonical() const {
  std::string out = is_dot_string(local) ? local : quoted(local);
  if (!domain.empty()) out.append("@").append(domain);
  return out;
}

std::string Mailbox::key() const {
  return Mailbox{ascii_lower(local), domain}.canonical();
}

Result<Mailbox> parse_mailbox(std::string_view text, AddressRules rules) {
  if (text.empty()) return permanent("the address is empty");
  auto m = take_mailbox(text, rules);
  if (m && !text.empty()) return permanent("something follows the address that does not belong to it");
  return m;
}

Result<std::string> parse_domain(std::string_view text) {
  return domain_from(text, true);
}

Result<ParsedPath> parse_path(std::string_view text, AddressRules rules) {
  if (text.empty() || text.front() != '<') return permanent("the address does not begin with <");
  std::size_t before = text.size();
  text.remove_prefix(1);
  ParsedPath path;
  if (!text.empty() && text.front() == '>') {
    path.null = true;
  } else {
    if (auto route = skip_source_route(text, rules.utf8); !route) return tl::unexpected(route.error());
    auto m = take_mailbox(text, rules);
    if (!m) return tl::unexpected(m.error());
    path.mailbox = std::move(*m);
  }
  if (text.empty() || text.front() != '>') return permanent("the address does not end with >");
  text.remove_prefix(1);
  if (before - text.size() > kMaxPath)
    return permanent(fmt::format("the path is longer than {} octets", kMaxPath));
  if (!text.empty() && text.front() != ' ') return permanent("after the > of the address there is no space");
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  path.rest = text;
  return path;
}

std::optional<std::string> rewrite_bang_path(std::string_view text) {
  std::size_t first = text.find('!'), last = text.rfind('!');
  if (first == std::string_view::npos || first == 0 || last + 1 == text.size()) return std::nullopt;
  if (text.size() > kMaxPath || text.find_first_of("@\"") != std::string_view::npos) return std::nullopt;
  if (text.find("!!") != std::string_view::npos) return std::nullopt;
  std::string out(text.substr(last + 1));
  // The hosts between, the last one first: each is where the one before it sends what is left.
  for (std::size_t end = last; end != first;) {
    std::size_t begin = text.rfind('!', end - 1) + 1;
    out.append("%").append(text.substr(begin, end - begin));
    end = begin - 1;
  }
  return out.append("@").append(text.substr(0, first));
}

bool is_host_name(std::string_view text) {
  return host_name_fault(text).empty();
}

}  // namespace po
