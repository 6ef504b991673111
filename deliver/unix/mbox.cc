#include "deliver/unix/mbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "lib/text.h"

namespace unix_deliver {

static constexpr std::string_view kFrom = "From ";

static std::string one_word(std::string_view text) {
  std::string out;
  for (char c : text) out += static_cast<unsigned char>(c) <= ' ' || c == '\x7f' ? '-' : c;
  return out;
}

std::string from_line(std::string_view sender, const std::tm& local) {
  // By hand: strftime would take the names from a locale.
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("From {}  {} {} {:2} {:02}:{:02}:{:02} {}\n",
                     sender.empty() ? "MAILER-DAEMON" : one_word(sender), kDays[local.tm_wday % 7],
                     kMonths[local.tm_mon % 12], local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
                     local.tm_year + 1900);
}

std::string trace_lines(std::string_view sender, std::string_view address) {
  return fmt::format("Return-Path: <{}>\nDelivered-To: {}\n", sender, address);
}

/// What mutt, Dovecot and others keep in a message's header.
static constexpr std::string_view kReaders[] = {
    "status:", "x-status:", "x-keywords:", "x-uid:", "x-imap:", "x-imapbase:", "content-length:"};

/// Whether the start of a line may become "From " or such a field.
bool MboxEncoder::may_become_more() const {
  if (kFrom.starts_with(start_)) return true;
  return in_header_ && std::any_of(std::begin(kReaders), std::end(kReaders), [this](std::string_view field) {
           return po::equal_ignoring_case(field.substr(0, start_.size()), start_);
         });
}

void MboxEncoder::put(char c, std::string& out) {
  if (!at_start_) {
    out += c;
    at_start_ = c == '\n';
    return;
  }
  if (c == '\n' && start_.empty()) in_header_ = false;
  start_ += c;
  bool is_readers = in_header_ && c == ':' && may_become_more();
  if (c != '\n' && start_ != kFrom && !is_readers && may_become_more()) return;
  if (start_ == kFrom) out += '>';
  if (is_readers) out += "X-Old-";
  out += start_;
  start_.clear();
  at_start_ = c == '\n';
}

void MboxEncoder::add(std::string_view piece, std::string& out) {
  for (char c : piece) {
    if (cr_ && c != '\n') put('\r', out);
    cr_ = c == '\r';
    if (!cr_) put(c, out);
  }
}

void MboxEncoder::finish(std::string& out) {
  if (cr_) put('\r', out);
  cr_ = false;
  bool whole_lines = at_start_ && start_.empty();
  out += start_;
  start_.clear();
  at_start_ = true;
  out += whole_lines ? "\n" : "\n\n";
}

}  // namespace unix_deliver
