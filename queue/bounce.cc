#include "queue/bounce.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/header.h"
#include "lib/text.h"
#include "queue/schedule.h"

namespace queue {

using po::MessageId;

namespace {

constexpr std::size_t kShown = 256;  // of an address, in the text for people
constexpr std::uint8_t kHeadersOnly = 2;

/// Text of others for people: no control character, cut to `most`; UTF-8 stays.
std::string shown(std::string_view text, std::size_t most) {
  std::string out(text.substr(0, most));
  while (!out.empty() && po::is_utf8(text) && !po::is_utf8(out)) out.pop_back();
  bool plain = po::is_utf8(out) && !po::has_control(out);
  for (char& c : out) {
    auto octet = static_cast<unsigned char>(c);
    if (octet < ' ' || octet == 0x7f || (!plain && octet >= 0x80)) c = '?';
  }
  return out;
}

/// For fields that are ASCII by definition.
std::string ascii(std::string_view text, std::size_t most) {
  std::string out = shown(text, most);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return out;
}

/// Lines of at most 72 columns, where words allow, each behind `indent`.
void put_lines(std::string& out, std::string_view text, std::string_view indent) {
  std::size_t column = 0;
  for (std::string_view left = text; !left.empty();) {
    std::size_t end = std::min(left.find(' '), left.size());
    std::string_view word = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    if (word.empty()) continue;
    bool first = column == 0;
    if (!first && column + 1 + word.size() > 72) {
      out += "\r\n";
      first = true;
    }
    out.append(first ? indent : " ").append(word);
    column = (first ? indent.size() : column + 1) + word.size();
  }
  out += "\r\n";
}

std::string date(std::uint64_t ms) {
  return po::format_date(static_cast<std::int64_t>(ms / 1000));
}

struct ActionText {
  const char* name;
  const char* subject;
  const char* happened;
};

const ActionText& text_of(Action action) {
  static constexpr ActionText kTexts[] = {
      {"failed", "Your message could not be delivered", "could not be delivered to:"},
      {"delayed", "Your message is late, but is still being tried", "has not been delivered yet to:"},
      {"delivered", "Your message has been delivered", "has been put into the mailbox of:"},
      {"relayed", "Your message has been passed on", "has been passed on to the mail system of:"},
      {"expanded", "Your message has been passed on", "has been passed on by:"},
  };
  return kTexts[static_cast<std::size_t>(action)];
}

struct Advice {
  std::string_view status;  ///< "x" in the first place: for any class
  std::string_view text;
};

constexpr Advice kAdvice[] = {
    {"x.1.1",
     "Nobody there has this address. Look for a slip of the pen in it, or ask the recipient for the "
     "right one by other means."},
    {"x.1.2", "There is no such mail domain. Look for a slip of the pen behind the @."},
    {"x.1.3", "The address is not written as addresses are. Look for a slip of the pen in it."},
    {"x.1.6", "The mailbox has moved and has left no new address. Ask the recipient for it by other means."},
    {"x.1.10", "The domain says that it takes no mail at all. Ask the recipient for another address."},
    {"x.2.1", "The mailbox is closed for now. Ask the recipient by other means."},
    {"x.2.2", "The mailbox is full. Ask the recipient to make room, then send the message again."},
    {"x.2.3",
     "The message is too large for this mailbox. Send it in smaller parts, or put what is attached "
     "where it can be fetched from."},
    {"x.3.4",
     "The message is too large for that system. Send it in smaller parts, or put what is attached "
     "where it can be fetched from."},
    {"x.4.1",
     "The host of the recipient did not answer. If this goes on, tell its operators by other means."},
    {"x.4.4",
     "It cannot be found out where mail for this domain is to go. Look for a slip of the pen behind "
     "the @; if there is none, its operators have to know."},
    {"x.4.6",
     "The message went round in a circle. Who has to mend it is said above; if nobody is named, it is "
     "whoever set up the forwarding."},
    {"x.4.7",
     "If it still matters, reach the recipient by other means, and send it again when the other "
     "system works."},
    {"x.6.7",
     "The address or the header has characters that the other system cannot handle. Use an address "
     "in plain letters, if there is one."},
    {"x.7.1",
     "The other system does not want this message. Its words above may say why; only its operators "
     "can change that."},
    {"x.7.23",
     "The other system says that this host may not send for your domain. Your Postmaster has to look "
     "at the domain's SPF record."},
    {"x.7.26",
     "The other system wants proof of origin (SPF, DKIM) that the message lacks. Show this to your "
     "Postmaster."},
};

/// The pieces of one notice.
class Writer {
 public:
  Writer(const Original& original, std::span<const Report> reports, const Style& style, const MessageId& id,
         std::uint64_t now_ms, const ForPostmaster* postmaster)
      : original_(original),
        reports_(reports),
        action_(reports[0].action),
        style_(style),
        id_(id),
        now_ms_(now_ms),
        postmaster_(postmaster),
        header_size_(header_size(original.content)) {
    utf8_addresses_ = std::ranges::any_of(reports, [](const Report& r) { return !po::is_ascii(r.address); });
  }

  NoticeText write() {
    std::string human = people_part(), machine = status_part(), third = returned();
    std::string all = human + machine + third;
    std::string boundary = id_.text();
    while (all.find(boundary) != std::string::npos) boundary += "=_";
    bool to_postmaster = postmaster_ != nullptr;
    const std::string& sender = original_.head.envelope.sender;
    NoticeText out;
    out.smtputf8 = !to_postmaster && !po::is_ascii(sender);
    out.content = head(to_postmaster ? "postmaster@" + style_.hostname : sender, boundary);
    for (const std::string* part : {&human, &machine, &third}) {
      out.content += "--" + boundary + "\r\n" + *part + "\r\n";
    }
    out.content += "--" + boundary + "--\r\n";
    out.body_8bit = !po::is_ascii(out.content);
    return out;
  }

 private:
  static std::size_t header_size(std::string_view content) {
    po::HeaderScanner scanner;
    scanner.feed(content);
    scanner.finish();
    if (scanner.end() == po::HeaderScanner::End::kContent) {  // its end is not in sight
      auto line = content.rfind('\n');
      return line == std::string_view::npos ? 0 : line + 1;
    }
    return static_cast<std::size_t>(scanner.size());
  }

  [[nodiscard]] std::string subject() const {
    return postmaster_ == nullptr ? text_of(action_).subject : std::string(postmaster_->subject);
  }

  [[nodiscard]] std::string head(const std::string& to, const std::string& boundary) const {
    const std::string& host = style_.hostname;
    return fmt::format(
        "From: Mail delivery <postmaster@{0}>\r\nTo: <{1}>\r\nSubject: {2}\r\nDate: {3}\r\n"
        "Message-ID: {4}\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type={5};\r\n boundary=\"{6}\"\r\n\r\n"
        "This is a report about mail, in the form of RFC 3464.\r\n\r\n",
        host, to, subject(), date(now_ms_), po::make_message_id(id_.text(), host),
        utf8_addresses_ ? "global-delivery-status" : "delivery-status", boundary);
  }

  /// The value of a header field of the original, unfolded; empty if there is none.
  [[nodiscard]] std::string field(std::string_view name) const {
    std::string_view left = original_.content.substr(0, header_size_);
    std::string value;
    bool inside = false;
    while (!left.empty()) {
      std::size_t end = std::min(left.find('\n'), left.size() - 1) + 1;
      std::string_view line = left.substr(0, end);
      left.remove_prefix(end);
      while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
      if (inside && !line.starts_with(' ') && !line.starts_with('\t')) break;
      if (!inside && po::starts_with_ignoring_case(line, name) && line.substr(name.size()).starts_with(':')) {
        inside = true;
        line.remove_prefix(name.size() + 1);
      }
      if (inside) value.append(value.empty() ? "" : " ").append(po::trim(line));
    }
    return value;
  }

  // ---- for people

  [[nodiscard]] std::string people_part() const {
    std::string text;
    put_lines(text, fmt::format("This is the mail system at {}.", style_.hostname), "");
    text += "\r\n";
    if (postmaster_ != nullptr) {
      put_lines(text, postmaster_->why, "");
      text += "\r\n";
    }
    put_message(text);
    text += text_of(action_).happened;
    text += "\r\n";
    for (const Report& r : reports_) put_report(text, r);
    put_end(text);
    bool plain = po::is_ascii(text);
    return fmt::format("Content-Type: text/plain; charset={}\r\nContent-Transfer-Encoding: {}\r\n\r\n{}",
                       plain ? "us-ascii" : "utf-8", plain ? "7bit" : "8bit", text);
  }

  void put_message(std::string& text) const {
    text += fmt::format("{} of {}\r\n", postmaster_ == nullptr ? "Your message" : "A message",
                        date(original_.head.arrival_ms));
    if (std::string s = field("Subject"); !s.empty()) text += "    Subject: " + shown(s, 200) + "\r\n";
    if (std::string s = field("Message-ID"); !s.empty()) text += "    Message-ID: " + shown(s, 200) + "\r\n";
  }

  void put_report(std::string& text, const Report& r) const {
    text += "\r\n  <" + shown(r.address, kShown) + ">\r\n";
    if (!r.original.empty()) text += "    (you wrote to <" + shown(r.original, kShown) + ">)\r\n";
    if (action_ == Action::kDelivered || action_ == Action::kExpanded) return;
    if (r.remote) {
      put_lines(
          text,
          r.host.empty() ? "The host there said:" : "The host " + shown(r.host, kShown) + " said:", "    ");
    }
    if (!r.words.empty()) put_lines(text, shown(r.words, 500), r.remote ? "      " : "    ");
    bool by_us = r.status == "5.7.1" && !r.remote;
    std::string_view advice = action_ == Action::kRelayed ? ""
                              : by_us                     ? "Ask your Postmaster why."
                                                          : advice_for(r.status);
    if (!advice.empty()) put_lines(text, advice, "    ");
  }

  void put_end(std::string& text) const {
    text += "\r\n";
    if (action_ == Action::kFailed) {
      put_lines(text, "It will not be tried again.", "");
    } else if (action_ == Action::kDelayed) {
      put_lines(text,
                fmt::format("You need not do anything: it is tried again until {}. If that does not help "
                            "either, you will hear.",
                            date(original_.head.arrival_ms + style_.lifetime_ms)),
                "");
    } else if (action_ == Action::kRelayed) {
      put_lines(text, "That system does not say what becomes of it; nothing more will be heard from here.",
                "");
    } else if (action_ == Action::kExpanded) {
      put_lines(text, "That address stands for several; nothing more will be heard of each of them.", "");
    }
    put_lines(text, returns_all() ? "The message is attached." : "Its header is attached.", "");
  }

  // ---- for programs (RFC 3464 2, RFC 6533 4)

  [[nodiscard]] std::string status_part() const {
    std::string out = utf8_addresses_
                          ? "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: "
                            "8bit\r\n\r\n"
                          : "Content-Type: message/delivery-status\r\n\r\n";
    const store::Envelope& e = original_.head.envelope;
    if (!e.envid.empty()) {
      auto decoded = po::xtext_decode(e.envid);
      bool good = decoded && po::is_ascii(*decoded) && !po::has_control(*decoded);
      out += "Original-Envelope-Id: " + ascii(good ? *decoded : e.envid, 512) + "\r\n";
    }
    out += fmt::format("Reporting-MTA: dns; {}\r\nArrival-Date: {}\r\n", style_.hostname,
                       date(original_.head.arrival_ms));
    for (const Report& r : reports_) put_status(out, r);
    return out;
  }

  void put_status(std::string& out, const Report& r) const {
    out += "\r\n";
    if (!r.orcpt.empty()) out += "Original-Recipient: " + original_recipient(r.orcpt) + "\r\n";
    bool utf8 = !po::is_ascii(r.address);
    out += fmt::format("Final-Recipient: {}; {}\r\nAction: {}\r\nStatus: {}\r\n", utf8 ? "utf-8" : "rfc822",
                       shown(r.address, 512), text_of(action_).name, ascii(r.status, 20));
    if (r.remote && !r.host.empty()) {
      out += "Remote-MTA: dns; " + ascii(r.host.substr(0, r.host.find('[')), kShown) + "\r\n";
    }
    if (r.remote && !r.words.empty()) {
      std::string words = utf8_addresses_ ? shown(r.words, 500) : ascii(r.words, 500);
      out += "Diagnostic-Code: smtp; " + words + "\r\n";
    }
    if (r.at_ms != 0) out += "Last-Attempt-Date: " + date(r.at_ms) + "\r\n";
    if (action_ == Action::kDelayed) {
      out += "Will-Retry-Until: " + date(original_.head.arrival_ms + style_.lifetime_ms) + "\r\n";
    }
  }

  /// "type;xtext" as "type; text".
  [[nodiscard]] static std::string original_recipient(std::string_view orcpt) {
    auto semicolon = orcpt.find(';');
    if (semicolon == std::string_view::npos) return "rfc822; " + ascii(orcpt, 512);
    auto decoded = po::xtext_decode(orcpt.substr(semicolon + 1));
    bool good = decoded && po::is_ascii(*decoded) && !po::has_control(*decoded);
    std::string_view text = good ? std::string_view(*decoded) : orcpt.substr(semicolon + 1);
    return ascii(orcpt.substr(0, semicolon), 64) + "; " + ascii(text, 512);
  }

  // ---- the message

  /// RFC 3461 4.3 and 6.2: the whole message only with failures, and then unless the sender said otherwise.
  [[nodiscard]] bool returns_all() const {
    std::uint64_t most = std::min<std::uint64_t>(style_.full_size, kMostReturned);
    return action_ == Action::kFailed && original_.head.envelope.ret != kHeadersOnly &&
           original_.head.size <= most && original_.content.size() == original_.head.size;
  }

  [[nodiscard]] std::string returned() const {
    bool all = returns_all();
    std::string_view content = original_.content.substr(0, all ? std::string_view::npos : header_size_);
    if (content.size() > kMostReturned) {
      content = content.substr(0, kMostReturned);
      content = content.substr(0, content.rfind('\n') + 1);
    }
    bool global = original_.head.envelope.smtputf8;
    const char* type = all      ? (global ? "message/global" : "message/rfc822")
                       : global ? "message/global-headers"
                                : "text/rfc822-headers";
    return fmt::format("Content-Type: {}\r\nContent-Transfer-Encoding: {}\r\n\r\n{}", type,
                       po::is_ascii(content) ? "7bit" : "8bit", content);
  }

  const Original& original_;
  std::span<const Report> reports_;
  Action action_;
  const Style& style_;
  const MessageId& id_;
  std::uint64_t now_ms_;
  const ForPostmaster* postmaster_;
  std::size_t header_size_;
  bool utf8_addresses_ = false;
};

}  // namespace

NoticeText make_notice(const Original& original, std::span<const Report> reports, const Style& style,
                       const MessageId& id, std::uint64_t now_ms, const ForPostmaster* postmaster) {
  return Writer(original, reports, style, id, now_ms, postmaster).write();
}

std::size_t octets_of(const Report& r) {
  return 600 + 2 * std::min<std::size_t>(r.address.size(), 512) + std::min(r.original.size(), kShown) +
         std::min<std::size_t>(r.orcpt.size(), 600) + 2 * std::min<std::size_t>(r.words.size(), 700) +
         2 * std::min(r.host.size(), kShown);
}

bool wants_notice(std::uint8_t notify, Action action) {
  using namespace po::messages;
  if ((notify & kNotifyNever) != 0) return false;
  switch (action) {
    case Action::kFailed:
      return notify == 0 || (notify & kNotifyFailure) != 0;
    case Action::kDelayed:
      return notify == 0 || (notify & kNotifyDelay) != 0;
    case Action::kDelivered:
    case Action::kRelayed:
    case Action::kExpanded:
      break;
  }
  return (notify & kNotifySuccess) != 0;
}

bool is_bulk(std::string_view content) {
  while (!content.empty()) {
    std::size_t end = std::min(content.find('\n'), content.size() - 1) + 1;
    std::string_view line = content.substr(0, end);
    content.remove_prefix(end);
    if (line == "\r\n" || line == "\n") return false;
    if (po::starts_with_ignoring_case(line, "list-id:")) return true;
    auto value = [&line] { return po::ascii_lower(po::trim(line.substr(line.find(':') + 1))); };
    if (po::starts_with_ignoring_case(line, "precedence:")) {
      std::string v = value();
      for (std::string_view word : {"bulk", "list", "junk"}) {
        if (v.starts_with(word)) return true;
      }
    }
    if (po::starts_with_ignoring_case(line, "auto-submitted:") && !value().starts_with("no")) return true;
  }
  return false;
}

std::string_view advice_for(std::string_view status) {
  for (const Advice& a : kAdvice) {
    if (status.size() > 1 && status.substr(1) == a.status.substr(1)) return a.text;
  }
  return {};
}

}  // namespace queue
