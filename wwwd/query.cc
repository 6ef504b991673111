#include "wwwd/query.h"

#include <algorithm>
#include <array>

#include "lib/text.h"

namespace wwwd {

namespace {

/// %XX becomes its octet and, in forms, `+` a space. Nothing if a % stands before anything else.
std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_space) c = ' ';
    if (c == '%') {
      if (text.size() - i < 3) return std::nullopt;
      int high = po::hex_value(text[i + 1]), low = po::hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    out.push_back(c);
  }
  return out;
}

/// What a form may hold: a text area has line ends and tabs, and no other control character.
bool is_form_text(std::string_view text) {
  auto is_bad = [](char c) {
    auto octet = static_cast<unsigned char>(c);
    return (octet < 0x20 && c != '\t' && c != '\r' && c != '\n') || octet == 0x7f;
  };
  return std::none_of(text.begin(), text.end(), is_bad) && po::is_utf8(text);
}

bool add_pair(std::string_view text, Parameters& out) {
  std::size_t equals = text.find('=');
  auto name = decode(text.substr(0, equals), true);
  auto value = decode(equals == std::string_view::npos ? std::string_view{} : text.substr(equals + 1), true);
  if (!name || !value || name->empty() || name->size() > kMaxParameterName) return false;
  if (!is_form_text(*name) || !is_form_text(*value)) return false;
  out.add(std::move(*name), std::move(*value));
  return true;
}

/// RFC 3986 3.3: what stands in a path as itself.
bool is_path_octet(char c) {
  return po::is_alnum(c) || std::string_view("-._~!$&'()*+,;=:@/%").find(c) != std::string_view::npos;
}

/// `segments` begins with '/'. The last one may be empty: a path may end with '/'.
bool are_plain_segments(std::string_view segments) {
  while (!segments.empty()) {
    std::size_t end = std::min(segments.find('/', 1), segments.size());
    std::string_view segment = segments.substr(1, end - 1);
    segments.remove_prefix(end);
    if (segment == "." || segment == ".." || (segment.empty() && !segments.empty())) return false;
  }
  return true;
}

}  // namespace

const std::string* Parameters::find(std::string_view name) const {
  auto found = std::find_if(pairs_.begin(), pairs_.end(), [&](const Pair& p) { return p.first == name; });
  return found == pairs_.end() ? nullptr : &found->second;
}

std::string_view Parameters::value(std::string_view name) const {
  const std::string* found = find(name);
  return found == nullptr ? std::string_view{} : std::string_view(*found);
}

std::vector<std::string_view> Parameters::all(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const Pair& pair : pairs_) {
    if (pair.first == name) out.emplace_back(pair.second);
  }
  return out;
}

std::optional<Parameters> parse_parameters(std::string_view text) {
  Parameters out;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('&'), text.size());
    if (out.size() == kMaxParameters || !add_pair(text.substr(0, end), out)) return std::nullopt;
    if (end + 1 == text.size()) return std::nullopt;  // an `&` with nothing behind it
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::optional<std::string> parse_path(std::string_view text) {
  if (!text.starts_with('/') || !std::all_of(text.begin(), text.end(), is_path_octet)) return std::nullopt;
  auto path = decode(text, false);
  if (!path || po::has_control(*path) || !po::is_utf8(*path)) return std::nullopt;
  // A slash that was encoded is a part of a name to some and the end of one to others.
  auto slashes = [](std::string_view s) { return std::count(s.begin(), s.end(), '/'); };
  if (slashes(*path) != slashes(text) || path->find('\\') != std::string::npos) return std::nullopt;
  if (!are_plain_segments(*path)) return std::nullopt;
  return path;
}

std::string encode_component(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() + 16);
  for (char c : text) {
    if (po::is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out.push_back(c);
      continue;
    }
    auto octet = static_cast<unsigned char>(c);
    out.append({'%', kDigits[octet >> 4], kDigits[octet & 15]});
  }
  return out;
}

}  // namespace wwwd
