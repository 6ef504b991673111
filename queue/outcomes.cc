#include "queue/outcomes.h"

#include <algorithm>
#include <unordered_map>

#include "lib/text.h"
#include "queue/routing.h"

namespace queue {

using po::Kind;
using po::messages::HopState;
using po::messages::JobDone;
using po::messages::JobOutcome;
using store::WaitingRow;

static constexpr std::size_t kMostWords = 500, kMostHost = 300;
static constexpr std::uint64_t kAfterStop = 10 * kSecondMs;

std::string plain_line(std::string_view text) {
  bool utf8 = po::is_utf8(text);
  std::string out;
  for (char c : text.substr(0, kMostWords)) {
    auto octet = static_cast<unsigned char>(c);
    bool plain = octet >= 0x20 && octet != 0x7f && (octet < 0x80 || utf8);
    out.push_back(plain ? c : '?');
  }
  while (!out.empty() && !po::is_utf8(out)) out.pop_back();  // a character that was cut in two
  return out;
}

/// "d.d.d" with up to three digits in the second and third place (RFC 3463 2); else what fits the kind.
static std::string plain_status(std::string_view text, Kind kind) {
  const char* general = kind == Kind::kDone ? "2.0.0" : kind == Kind::kPermanent ? "5.0.0" : "4.0.0";
  int dots = 0;
  std::size_t digits = 0;
  for (char c : text) {
    bool dot = c == '.' && digits > 0;
    if (!dot && !(po::is_digit(c) && digits < 3)) return general;
    digits = dot ? 0 : digits + 1;
    dots += dot ? 1 : 0;
  }
  if (dots != 2 || digits == 0 || text[1] != '.' || text[0] != general[0]) return general;
  return std::string(text);
}

bool answers(const JobDone& done, const std::vector<WaitingRow>& rows) {
  std::vector<std::uint32_t> named;
  for (const JobOutcome& o : done.outcomes) named.push_back(o.n);
  std::ranges::sort(named);
  if (std::ranges::adjacent_find(named) != named.end()) return false;
  return std::ranges::all_of(named, [&](std::uint32_t n) {
    return std::ranges::any_of(rows, [n](const WaitingRow& row) { return row.key.n == n; });
  });
}

namespace {

class Judge {
 public:
  Judge(const JobDone& done, std::uint64_t arrival_ms, const Lifetimes& times, const Moment& moment,
        Verdicts& out)
      : done_(done),
        host_(plain_line(std::string_view(done.host).substr(0, kMostHost))),
        arrival_ms_(arrival_ms),
        times_(times),
        moment_(moment),
        out_(out) {}

  void add(const WaitingRow& row, const JobOutcome& outcome) {
    Report report = report_of(row, outcome);
    if (outcome.kind == Kind::kDone) return delivered(row, std::move(report));
    if (outcome.kind == Kind::kPermanent) return failed(row, "bounced", std::move(report));
    if (done_.hop == HopState::kUnseen && !outcome.remote) return untried(row);
    if (is_expired(times_, arrival_ms_, moment_.now_ms)) return expired(row, std::move(report));
    defer(row, report);
  }

 private:
  Report report_of(const WaitingRow& row, const JobOutcome& outcome) const {
    Report r;
    r.address = row.row.address;
    r.original = row.row.original;
    r.orcpt = row.row.orcpt;
    r.status = plain_status(outcome.status, outcome.kind);
    r.words = plain_line(outcome.reply);
    r.remote = outcome.remote;
    r.host = host_;
    r.at_ms = moment_.now_ms;
    return r;
  }

  OutcomeLine& line(const char* event, const WaitingRow& row, const Report& report) {
    return out_.lines.emplace_back(
        OutcomeLine{event, row.row.address, report.words, report.status, 0, row.row.attempts + 1U});
  }

  void tell(const WaitingRow& row, Action action, Report report) {
    report.action = action;
    if (wants_notice(row.row.notify, action)) out_.reports.push_back(std::move(report));
  }

  // Where the host promised notices, success is its to tell (RFC 3461 5.2.1).
  void delivered(const WaitingRow& row, Report report) {
    line("delivered", row, report);
    out_.gone.push_back(row.key.n);
    // A mail drop is where the message was to go (RFC 3461 5.1).
    Action action = row.row.hop == kMaildropHop ? Action::kDelivered : Action::kRelayed;
    if (!done_.dsn) tell(row, action, std::move(report));
  }

  void failed(const WaitingRow& row, const char* event, Report&& report) {
    line(event, row, report);
    out_.gone.push_back(row.key.n);
    tell(row, Action::kFailed, std::move(report));
  }

  void expired(const WaitingRow& row, Report report) {
    report.status = "4.4.7";  // RFC 3463 3.5
    failed(row, "expired", std::move(report));
  }

  void defer(const WaitingRow& row, const Report& report) {
    store::Settle::Later later{row.key.n, row.row};
    store::Waiting& w = later.now;
    if (w.attempts < UINT16_MAX) ++w.attempts;
    w.last.push_back({moment_.now_ms, report.host, report.words});
    w.next_ms = next_attempt_ms(times_, arrival_ms_, w.attempts, moment_.chance(), moment_.now_ms);
    line("deferred", row, report).next_ms = w.next_ms;
    out_.later.push_back(std::move(later));
  }

  /// The deliverer was stopped: the next one takes it up.
  void untried(const WaitingRow& row) {
    store::Settle::Later later{row.key.n, row.row};
    later.now.next_ms = moment_.now_ms + kAfterStop;
    out_.later.push_back(std::move(later));
  }

  const JobDone& done_;
  std::string host_;
  std::uint64_t arrival_ms_;
  const Lifetimes& times_;
  const Moment& moment_;
  Verdicts& out_;
};

}  // namespace

Verdicts judge(const JobDone& done, const std::vector<WaitingRow>& rows, std::uint64_t arrival_ms,
               const Lifetimes& times, const Moment& moment) {
  std::unordered_map<std::uint32_t, const JobOutcome*> by_number;
  for (const JobOutcome& o : done.outcomes) by_number.emplace(o.n, &o);
  static const JobOutcome kSilent{0, Kind::kTemporary, false, "the deliverer said nothing of it", "4.3.0"};
  Verdicts out;
  Judge each(done, arrival_ms, times, moment, out);
  for (const WaitingRow& row : rows) {
    auto at = by_number.find(row.key.n);
    each.add(row, at == by_number.end() ? kSilent : *at->second);
  }
  return out;
}

void fail(const WaitingRow& row, const char* event, std::string_view status, std::string_view words,
          Verdicts& out) {
  Report r;
  r.address = row.row.address;
  r.original = row.row.original;
  r.orcpt = row.row.orcpt;
  r.status = status;
  r.words = words;
  if (!row.row.last.empty()) {
    r.host = row.row.last.back().host;
    r.at_ms = row.row.last.back().at_ms;
  }
  out.gone.push_back(row.key.n);
  out.lines.push_back({event, r.address, r.words, r.status, 0, row.row.attempts});
  if (wants_notice(row.row.notify, Action::kFailed)) out.reports.push_back(std::move(r));
}

void expire(const WaitingRow& row, Verdicts& out) {
  const auto& last = row.row.last;
  std::string words =
      last.empty() ? "its next mail system could not be reached in all this time" : last.back().reply;
  fail(row, "expired", "4.4.7", words, out);
  bool told = wants_notice(row.row.notify, Action::kFailed);
  if (told && !last.empty()) out.reports.back().remote = !last.back().host.empty();
}

}  // namespace queue
