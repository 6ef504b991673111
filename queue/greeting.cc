#include "queue/greeting.h"

#include <fmt/format.h>

#include <string_view>

#include "lib/text.h"

namespace queue {

// RFC 5322 2.1.1, less what our own words and brackets take.
static constexpr std::size_t kMostOctets = 900;

static constexpr std::string_view kOwnWords =
    "An electronic mail account has just been opened for you. It is configured\r\n"
    "as shown below. Only the Postmaster can change your name or addresses; your\r\n"
    "password and your finger information you can change yourself.\r\n";

/// One line, without what would end it or disturb a terminal; cut between characters.
static std::string plain(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    out += control ? (c == '\t' ? '\t' : '?') : c;
  }
  if (out.size() <= kMostOctets) return out;
  std::size_t end = kMostOctets;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
  return out.substr(0, end);
}

static void put_field(std::string& out, std::string_view name, const std::vector<std::string>& values) {
  constexpr std::size_t kColumn = 23;
  std::string label = std::string(name) + ":";
  for (const std::string& value : values) {
    out += label;
    out.append(label.size() < kColumn ? kColumn - label.size() : 1, ' ');
    out += "[" + plain(value) + "]\r\n";
    label.clear();
  }
  if (values.empty()) out += label + std::string(kColumn - label.size(), ' ') + "[]\r\n";
}

static std::string body_of(const GreetingParts& parts) {
  std::string out = "Information\r\n\r\n";
  if (parts.text.empty()) out += kOwnWords;
  for (const std::string& line : parts.text) out += plain(line) + "\r\n";
  out += "\r\n";
  put_field(out, "Your-Name", {parts.account.name});
  put_field(out, "Internet-Addresses", parts.account.addresses);
  put_field(out, "Finger-Information", parts.account.finger);
  return out;
}

std::string make_greeting(const GreetingParts& parts) {
  // The Postmaster at this host: an account's own domain need not be one of ours, and then others read the
  // answer.
  std::string manager = fmt::format("Account-Manager <postmaster@{}>", parts.hostname);
  std::string body = body_of(parts);
  return fmt::format(
             "To: {}\r\nFrom: {}\r\nReply-To: {}\r\nSubject: Form: Greeting\r\nDate: {}\r\n"
             "Message-ID: <{}@{}>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset={}\r\nContent-Transfer-Encoding: {}\r\n\r\n",
             parts.account.addresses.front(), manager, manager, parts.date, parts.id, parts.hostname,
             po::is_ascii(body) ? "us-ascii" : "utf-8", po::is_ascii(body) ? "7bit" : "8bit") +
         body;
}

}  // namespace queue
