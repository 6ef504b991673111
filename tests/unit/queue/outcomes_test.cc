// What a deliverer's answer comes to, recipient by recipient.
#include "queue/outcomes.h"

#include <catch2/catch.hpp>

using namespace queue;
using namespace po::messages;
using po::Kind;
using store::WaitingRow;

namespace {

constexpr std::uint64_t kArrival = 1'700'000'000'000;
const Lifetimes kTimes;
const Moment kSoon{kArrival + kMinuteMs, [] { return std::uint32_t{512}; }};
const Moment kAtEnd{kArrival + kTimes.lifetime_ms, [] { return std::uint32_t{512}; }};

WaitingRow row(std::uint32_t n, std::uint8_t notify = 0) {
  WaitingRow r;
  r.key.n = n;
  r.row.address = "r" + std::to_string(n) + "@example.org";
  r.row.notify = notify;
  r.row.hop = "example.org";
  return r;
}

JobDone answer(std::vector<JobOutcome> outcomes) {
  JobDone done;
  done.host = "mx.example.org[192.0.2.1]:25";
  done.outcomes = std::move(outcomes);
  return done;
}

/// What one outcome leads to, in a word or two.
std::string verdict(const JobDone& done, std::uint8_t notify, const Moment& moment) {
  Verdicts v = judge(done, {row(7, notify)}, kArrival, kTimes, moment);
  REQUIRE(v.lines.size() == 1);
  CHECK(v.gone.size() + v.later.size() == 1);
  CHECK(v.lines[0].to == "r7@example.org");
  std::string out = v.lines[0].event;
  out += " " + v.lines[0].status;
  const char* actions[] = {"failed", "delayed", "delivered", "relayed", "expanded"};
  for (const Report& r : v.reports) out += std::string(", told ") + actions[static_cast<int>(r.action)];
  return out;
}

}  // namespace

TEST_CASE("outcomes: gone, later or failed, and who is told") {
  constexpr auto kNever = std::uint8_t{kNotifyNever}, kSuccess = std::uint8_t{kNotifySuccess},
                 kFailure = std::uint8_t{kNotifyFailure}, kDelay = std::uint8_t{kNotifyDelay};
  const JobOutcome done{7, Kind::kDone, true, "250 2.1.5 ok", "2.1.5"},
      later{7, Kind::kTemporary, true, "450 4.2.1 later", "4.2.1"},
      ours{7, Kind::kTemporary, false, "no host answers", "4.4.1"},
      never{7, Kind::kPermanent, true, "550 5.1.1 nobody", "5.1.1"};
  struct {
    JobOutcome outcome;
    std::uint8_t notify;
    bool dsn, end;
    const char* expected;
  } const table[] = {
      {done, 0, false, false, "delivered 2.1.5"},
      {done, kSuccess, false, false, "delivered 2.1.5, told relayed"},
      {done, kSuccess, true, false, "delivered 2.1.5"},  // the host will tell
      {done, kFailure, false, false, "delivered 2.1.5"},
      {done, kNever, false, false, "delivered 2.1.5"},
      {done, 0, false, true, "delivered 2.1.5"},  // late, but not too late
      {later, 0, false, false, "deferred 4.2.1"},
      {later, kDelay, false, false, "deferred 4.2.1"},
      {ours, 0, false, false, "deferred 4.4.1"},
      {never, 0, false, false, "bounced 5.1.1, told failed"},
      {never, kFailure, false, false, "bounced 5.1.1, told failed"},
      {never, kSuccess, false, false, "bounced 5.1.1"},
      {never, kNever, false, false, "bounced 5.1.1"},
      {never, 0, true, false, "bounced 5.1.1, told failed"},
      {later, 0, false, true, "expired 4.4.7, told failed"},
      {ours, 0, false, true, "expired 4.4.7, told failed"},
      {later, kDelay, false, true, "expired 4.4.7"},
      {later, kNever, false, true, "expired 4.4.7"},
  };
  for (const auto& t : table) {
    JobDone d = answer({t.outcome});
    d.dsn = t.dsn;
    INFO(t.expected << ", notify " << int(t.notify));
    CHECK(verdict(d, t.notify, t.end ? kAtEnd : kSoon) == t.expected);
  }
}

TEST_CASE("outcomes: who is put off keeps the words, counts the attempt and comes again by then") {
  WaitingRow r = row(3);
  r.row.attempts = 2;
  r.row.original = "alias@example.com";
  r.row.last = {{kArrival, "", "no host answers"}};
  Verdicts v = judge(answer({{3, Kind::kTemporary, true, "450 4.2.1 greylisted", "4.2.1"}}), {r}, kArrival,
                     kTimes, kSoon);
  REQUIRE(v.later.size() == 1);
  const store::Waiting& now = v.later[0].now;
  CHECK(v.later[0].n == 3);
  CHECK(now.attempts == 3);
  CHECK(now.original == "alias@example.com");
  REQUIRE(now.last.size() == 2);
  CHECK(now.last[1].reply == "450 4.2.1 greylisted");
  CHECK(now.last[1].host == "mx.example.org[192.0.2.1]:25");
  CHECK(now.last[1].at_ms == kSoon.now_ms);
  CHECK(now.next_ms == kSoon.now_ms + 20 * kMinuteMs);
  CHECK(v.lines[0].next_ms == now.next_ms);
  CHECK(v.lines[0].attempts == 3);
  // Never behind its end by more than the attempt takes: then it is returned.
  Moment late{kArrival + kTimes.lifetime_ms - 10 * kMinuteMs, kSoon.chance};
  v = judge(answer({{3, Kind::kTemporary, true, "450 no", "4.2.1"}}), {r}, kArrival, kTimes, late);
  CHECK(v.later.at(0).now.next_ms == kArrival + kTimes.lifetime_ms);
  r.row.attempts = UINT16_MAX;
  v = judge(answer({{3, Kind::kTemporary, true, "450 no", "4.2.1"}}), {r}, kArrival, kTimes, kSoon);
  CHECK(v.later.at(0).now.attempts == UINT16_MAX);
}

TEST_CASE("outcomes: of whom nothing is said is not delivered") {
  Verdicts v = judge(answer({{1, Kind::kDone, true, "250 ok", "2.0.0"}}), {row(0), row(1), row(2)}, kArrival,
                     kTimes, kSoon);
  CHECK(v.gone == std::vector<std::uint32_t>{1});
  REQUIRE(v.later.size() == 2);
  CHECK(v.later[0].n == 0);
  CHECK(v.later[1].n == 2);
  CHECK(v.later[0].now.last.at(0).reply == "the deliverer said nothing of it");
}

TEST_CASE("outcomes: what a deliverer that stops says itself is no attempt") {
  JobDone stopped = answer({{1, Kind::kTemporary, false, "stopping", "4.3.2"},
                            {2, Kind::kTemporary, true, "450 4.2.1 later", "4.2.1"},
                            {3, Kind::kDone, true, "250 ok", "2.0.0"}});
  stopped.hop = HopState::kUnseen;
  Verdicts v = judge(stopped, {row(1), row(2), row(3)}, kArrival, kTimes, kSoon);
  CHECK(v.gone == std::vector<std::uint32_t>{3});
  REQUIRE(v.later.size() == 2);
  CHECK(v.later[0].now.attempts == 0);
  CHECK(v.later[0].now.last.empty());
  CHECK(v.later[0].now.next_ms == kSoon.now_ms + 10 * kSecondMs);
  CHECK(v.later[1].now.attempts == 1);
  CHECK(v.lines.size() == 2);
  // Whose time is over meanwhile is returned with the words of an attempt, not with these: see Aging.
  v = judge(stopped, {row(1)}, kArrival, kTimes, kAtEnd);
  CHECK(v.gone.empty());
}

TEST_CASE("outcomes: an answer about somebody else, or two about one, is none") {
  const std::vector<WaitingRow> rows = {row(1), row(4)};
  auto about = [](std::vector<std::uint32_t> numbers) {
    JobDone done;
    for (std::uint32_t n : numbers) done.outcomes.push_back({n, Kind::kDone, true, "250", "2.0.0"});
    return done;
  };
  CHECK(answers(about({1, 4}), rows));
  CHECK(answers(about({4}), rows));
  CHECK(answers(about({}), rows));
  CHECK_FALSE(answers(about({2}), rows));
  CHECK_FALSE(answers(about({1, 4, 5}), rows));
  CHECK_FALSE(answers(about({4, 4}), rows));
}

TEST_CASE("outcomes: hostile words are made plain") {
  const std::string long_utf8 = std::string(499, 'x') + "\xc3\xbc";
  struct {
    std::string said, words;
  } const lines[] = {
      {"550 5.1.1 no", "550 5.1.1 no"},
      {"550 \r\nBcc: all@example.com\r\n\r\n", "550 ??Bcc: all@example.com????"},
      {std::string("\x1b[31mred\x7f\0", 10), "?[31mred??"},
      {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
      {"gr\xfc\xdf", "gr??"},
      {long_utf8, std::string(499, 'x')},
      {std::string(10'000, 'y'), std::string(500, 'y')},
      {"", ""},
  };
  for (const auto& l : lines) {
    CHECK(plain_line(l.said) == l.words);
    JobDone done = answer({{7, Kind::kPermanent, true, l.said, "5.1.1"}});
    done.host = l.said;
    Verdicts v = judge(done, {row(7)}, kArrival, kTimes, kSoon);
    CHECK(v.reports.at(0).words == l.words);
    CHECK(v.lines.at(0).words == l.words);
    CHECK(v.reports[0].host == l.words.substr(0, 300));
  }
  struct {
    const char* said;
    Kind kind;
    const char* status;
  } const statuses[] = {
      {"5.1.1", Kind::kPermanent, "5.1.1"},     {"5.123.456", Kind::kPermanent, "5.123.456"},
      {"4.1.1", Kind::kPermanent, "5.0.0"},     {"5.1.1", Kind::kTemporary, "4.0.0"},
      {"5.1.1", Kind::kDone, "2.0.0"},          {"", Kind::kTemporary, "4.0.0"},
      {"5.1", Kind::kPermanent, "5.0.0"},       {"5.1.1.1", Kind::kPermanent, "5.0.0"},
      {"5.1234.1", Kind::kPermanent, "5.0.0"},  {"5..1", Kind::kPermanent, "5.0.0"},
      {"5.1.", Kind::kPermanent, "5.0.0"},      {"55.1.1", Kind::kPermanent, "5.0.0"},
      {"5.1.1\r\n", Kind::kPermanent, "5.0.0"}, {"5.a.1", Kind::kPermanent, "5.0.0"},
  };
  for (const auto& s : statuses) {
    CAPTURE(s.said);
    JobOutcome outcome{7, s.kind, true, "words", s.said};
    CHECK(judge(answer({outcome}), {row(7)}, kArrival, kTimes, kSoon).lines.at(0).status == s.status);
  }
}

TEST_CASE("outcomes: by us, for good, with what is known of the last attempt") {
  WaitingRow r = row(9);
  r.row.original = "j@example.com";
  r.row.orcpt = "rfc822;j@example.com";
  Verdicts never_tried;
  expire(r, never_tried);
  CHECK(never_tried.gone == std::vector<std::uint32_t>{9});
  REQUIRE(never_tried.reports.size() == 1);
  CHECK_FALSE(never_tried.reports[0].remote);
  CHECK(never_tried.reports[0].at_ms == 0);
  CHECK(never_tried.reports[0].original == "j@example.com");
  CHECK(never_tried.reports[0].orcpt == "rfc822;j@example.com");

  r.row.last = {{5, "mx.example.org[192.0.2.1]:25", "450 busy"}};
  Verdicts tried;
  expire(r, tried);
  CHECK(tried.reports.at(0).remote);
  CHECK(tried.reports[0].words == "450 busy");
  CHECK(tried.reports[0].host == "mx.example.org[192.0.2.1]:25");
  CHECK(tried.reports[0].at_ms == 5);

  Verdicts removed;
  r.row.notify = kNotifyNever;
  fail(r, "removed", "5.7.0", "by the Postmaster", removed);
  expire(r, removed);
  CHECK(removed.gone.size() == 2);
  CHECK(removed.reports.empty());
  CHECK(removed.lines.at(0).words == "by the Postmaster");
}
