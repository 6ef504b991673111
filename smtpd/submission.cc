#include "smtpd/submission.h"

namespace smtpd {

using Field = po::HeaderScanner::Field;
using End = po::HeaderScanner::End;

/// The header From must name the author too, or the envelope check would be theatre: people read From. A
/// field that we rewrite needs no check.
static std::optional<Refusal> judge_from(std::string_view header, const HeaderFacts& facts,
                                         const IsOwn& is_own) {
  auto authors = po::from_addresses(header);
  if (!authors) return replies::kNotYourFrom;
  for (po::Mailbox& a : *authors) {
    if (a.domain.empty()) a.domain = facts.completion_domain;
    auto own = is_own(a);
    if (!own) return replies::kUnavailable;
    if (!*own) return replies::kNotYourFrom;
  }
  return std::nullopt;
}

Parsed<std::string> complete_header(std::string_view header, const po::HeaderScanner& scan,
                                    const HeaderFacts& facts, const IsOwn& is_own) {
  const Author& author = facts.author;
  bool rewrite = author.style != po::FromStyle::kNone && !author.address.empty();
  bool has_from = scan.has(Field::kFrom);
  if (has_from && !rewrite && !author.any_from) {
    if (auto why = judge_from(header, facts, is_own)) return tl::unexpected<Refusal>(std::move(*why));
  }
  std::string out;
  if (!facts.warning.empty()) out += "X-Authentication-Warning: " + facts.warning + "\r\n";
  if (!scan.has(Field::kDate)) out += "Date: " + po::format_date(facts.now) + "\r\n";
  if (!scan.has(Field::kMessageId)) {
    out += "Message-ID: " + po::make_message_id(facts.id, facts.host) + "\r\n";
  }
  if (!has_from && !author.address.empty()) {
    out += "From: " + po::from_value(author.style, author.name, author.address) + "\r\n";
  }
  if (has_from && rewrite) {
    out += po::complete_addresses(po::rewrite_from(header, author.style, author.name, author.address),
                                  facts.completion_domain);
  } else {
    out += po::complete_addresses(header, facts.completion_domain);
  }
  // The body began without a blank line: the fields added above must not make its first line a header field.
  if (scan.end() == End::kNotAField) out += "\r\n";
  return out;
}

}  // namespace smtpd
