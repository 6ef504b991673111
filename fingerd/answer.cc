#include "fingerd/answer.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/text.h"

namespace fingerd {
namespace {

constexpr std::string_view kRule = "------";
constexpr std::size_t kMaxEcho = 80;
/// More than a form takes in one value.
constexpr std::size_t kMaxValue = 1024;

/// Octets of the well-formed character at the front; 0 if there is none.
std::size_t character(std::string_view text) {
  for (std::size_t n = 1; n <= std::min<std::size_t>(4, text.size()); ++n)
    if (po::is_utf8(text.substr(0, n))) return n;
  return 0;
}

/// Characters that no line of ours may hold, beside control characters.
bool steers(std::string_view c) {
  // U+2028 and U+2029 separate lines; U+202A to U+202E and U+2066 to U+2069 set the direction of what
  // follows.
  return (c >= "\xe2\x80\xa8" && c <= "\xe2\x80\xae") || (c >= "\xe2\x81\xa6" && c <= "\xe2\x81\xa9");
}

std::string or_host(std::string_view user, std::string_view host) {
  return host.empty() ? std::string(user) : fmt::format("{}@{}", user, host);
}

}  // namespace

std::string printable(std::string_view text, std::size_t max) {
  std::string out;
  while (!text.empty()) {
    std::size_t n = character(text);
    std::string_view c = text.substr(0, std::max<std::size_t>(n, 1));
    bool bad = n == 0 || po::has_control(c) || steers(c);
    if (out.size() + (bad ? 1 : n) > max) return out + "...";
    out += bad ? std::string_view("?") : c;
    text.remove_prefix(c.size());
  }
  return out;
}

std::string line_text(std::string_view sentence) {
  return fmt::format("{}\r\n", sentence);
}

std::string account_text(const directory::Account& account) {
  std::string_view primary = account.addresses.empty() ? std::string_view() : account.addresses.front();
  std::string out = fmt::format("Account Name: {}\r\nEmail address: {}\r\n",
                                printable(account.name, kMaxValue), printable(primary, kMaxValue));
  if (account.finger.empty()) return out;
  out += line_text(kRule);
  for (const std::string& line : account.finger) out += line_text(printable(line, kMaxValue));
  return out;
}

std::string list_text(const std::vector<directory::Account>& accounts, bool cut_short) {
  if (accounts.empty()) return line_text("No account here is open to finger.");
  std::string out;
  for (const directory::Account& account : accounts) {
    std::string_view primary = account.addresses.empty() ? std::string_view() : account.addresses.front();
    out += fmt::format("{} <{}>\r\n", printable(account.name, kMaxValue), printable(primary, kMaxValue));
  }
  if (cut_short) out += line_text("There are more accounts than these; ask for one by its name or address.");
  return out;
}

std::string host_line(std::string_view hostname) {
  return fmt::format("[{}]\r\n", hostname);
}

std::string no_account_text(std::string_view user, std::string_view host) {
  return fmt::format("There is no account {} here.\r\n", printable(or_host(user, host), kMaxEcho));
}

std::string no_forwarding_text(std::string_view host) {
  return fmt::format("Queries are not forwarded from here; ask {} itself.\r\n", printable(host, kMaxEcho));
}

std::string no_list_text(std::string_view hostname) {
  return fmt::format("Accounts are not listed here; ask for one, as in finger postmaster@{}.\r\n", hostname);
}

}  // namespace fingerd
