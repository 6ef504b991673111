#include "smtpd/sendmail/message_scan.h"

#include <algorithm>

#include "lib/text.h"
#include "smtpd/sendmail/options.h"

namespace sendmail {

using po::equal_ignoring_case;

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
/// ftext of RFC 5322 3.6.8.
static bool is_name_octet(char c) {
  return c > ' ' && c <= '~' && c != ':';
}
/// RFC 5322 2.1.1: no line is longer, so no name is.
static constexpr std::size_t kMaxName = 998;

std::string_view Field::value() const {
  std::string_view v = std::string_view(whole).substr(std::min(whole.find(':'), whole.size() - 1) + 1);
  if (v.ends_with("\r\n")) v.remove_suffix(2);
  return v;
}

bool Field::is(std::string_view lower_case_name) const {
  return equal_ignoring_case(name(), lower_case_name);
}

// ---- lines

void MessageScan::feed(std::string_view in, std::string& body) {
  constexpr std::string_view kSpecial("\n\r\0", 3);
  while (!in.empty() && !ended_) {
    std::size_t run = std::min(in.find_first_of(kSpecial), in.size());
    text(in.substr(0, run), body);
    in.remove_prefix(run);
    if (in.empty() || ended_) return;
    // NUL has no place in mail (RFC 5322 4) and is left out. What a run of CRs means is told by what follows.
    if (in.front() == '\r') cr_ = true;
    if (in.front() == '\n') line_end(body);
    in.remove_prefix(1);
  }
}

void MessageScan::text(std::string_view run, std::string& body) {
  if (run.empty()) return;
  if (cr_) {
    // A CR alone ends a line of the body (progress bars of cron's children); in the header it must not begin
    // a new field, which somebody may want to smuggle in.
    if (in_header_) {
      cr_ = false;
      append(" ", body);
    } else {
      line_end(body);
      if (ended_) return;
    }
  }
  append(run, body);
}

void MessageScan::append(std::string_view run, std::string& body) {
  if (!eight_bit_) eight_bit_ = !po::is_ascii(run);
  if (at_start_ && dot_ends_ && run.front() == '.') {
    at_start_ = false;
    dot_held_ = true;
    run.remove_prefix(1);
    if (run.empty()) return;
  }
  at_start_ = false;
  if (dot_held_) {
    dot_held_ = false;
    (in_header_ ? line_ : body) += '.';
  }
  if (!in_header_) {
    body.append(run);
  } else if (!skip_line_) {
    line_.append(run);
    judge_line(body);
  }
}

void MessageScan::line_end(std::string& body) {
  cr_ = false;
  at_start_ = true;
  if (dot_held_) {
    dot_held_ = false;
    ended_ = true;
  } else if (!in_header_) {
    body += "\r\n";
  } else if (skip_line_) {
    skip_line_ = first_line_ = false;
  } else if (line_.empty()) {
    in_header_ = false;
  } else if (is_field_line()) {
    field_line_end();
  } else {  // "Subject" and no colon: whoever wrote that meant a body
    into_body(body);
    body += "\r\n";
  }
}

void MessageScan::finish(std::string& body) {
  if (!at_start_ && !header_too_large_) line_end(body);
  ended_ = true;
}

// ---- the header

/// What the line in line_ is, as soon as it can be told.
void MessageScan::judge_line(std::string& body) {
  if (is_field_line()) {
    if (header_size_ + line_.size() > kMaxHeader) header_too_large_ = ended_ = true;
    return;
  }
  if (is_blank(line_.front())) {
    continuation_ = !fields_.empty();
    if (!continuation_) into_body(body);
    return;
  }
  std::size_t name = 0;
  while (name < line_.size() && is_name_octet(line_[name])) ++name;
  std::size_t colon = name;
  while (colon < line_.size() && is_blank(line_[colon])) ++colon;
  bool open = colon == line_.size() && colon <= kMaxName;
  if (open) return;
  if (colon < line_.size() && line_[colon] == ':' && name != 0 && name <= kMaxName) {
    name_size_ = name;
    return;
  }
  bool envelope = line_.starts_with("From ") || line_.starts_with(">From ");
  if (first_line_ && envelope) {
    skip_line_ = true;
    line_.clear();
  } else {
    into_body(body);
  }
}

void MessageScan::field_line_end() {
  first_line_ = false;
  header_size_ += line_.size() + 2;
  line_ += "\r\n";
  if (continuation_) {
    fields_.back().whole += line_;
  } else {
    fields_.push_back({line_, name_size_});
  }
  line_.clear();
  name_size_ = 0;
  continuation_ = false;
}

void MessageScan::into_body(std::string& body) {
  in_header_ = false;
  body += line_;
  line_.clear();
}

// ---- what is made of the header

bool has_field(const std::vector<Field>& fields, std::string_view lower_case_name) {
  return std::any_of(fields.begin(), fields.end(), [&](const Field& f) { return f.is(lower_case_name); });
}

bool is_resent(const std::vector<Field>& fields) {
  return std::any_of(fields.begin(), fields.end(),
                     [](const Field& f) { return po::starts_with_ignoring_case(f.name(), "resent-"); });
}

po::Result<std::vector<po::Mailbox>> header_recipients(const std::vector<Field>& fields) {
  std::vector<po::Mailbox> out;
  std::string_view prefix = is_resent(fields) ? "resent-" : "";
  for (const Field& f : fields) {
    if (!po::starts_with_ignoring_case(f.name(), prefix)) continue;
    std::string_view name = f.name().substr(prefix.size());
    bool names_recipients = equal_ignoring_case(name, "to") || equal_ignoring_case(name, "cc") ||
                            equal_ignoring_case(name, "bcc");
    if (!names_recipients) continue;
    if (auto added = add_recipients(f.value(), out); !added) {
      return po::permanent("the field " + std::string(f.name()) +
                           " is not understood: " + added.error().text);
    }
    if (out.size() > kMostRecipients) return po::permanent("the header names too many recipients");
  }
  return out;
}

static void add_missing(const std::vector<Field>& fields, std::string_view prefix, const Additions& a,
                        std::string& out) {
  struct Row {
    std::string_view lower_case, name;
    const std::string& value;
  };
  for (const Row& row : {Row{"date", "Date", a.date}, Row{"message-id", "Message-ID", a.message_id},
                         Row{"from", "From", a.from}}) {
    std::string key = po::ascii_lower(prefix) + std::string(row.lower_case);
    if (has_field(fields, key)) continue;
    out.append(prefix).append(row.name).append(": ").append(row.value).append("\r\n");
  }
}

std::string finished_header(const std::vector<Field>& fields, const Additions& additions) {
  std::string out;
  if (is_resent(fields)) add_missing(fields, "Resent-", additions, out);
  add_missing(fields, "", additions, out);
  for (const Field& f : fields) {
    bool drop = f.is("bcc") || f.is("resent-bcc") || f.is("return-path") || f.is("content-length");
    if (!drop) out += f.whole;
  }
  return out += "\r\n";
}

}  // namespace sendmail
