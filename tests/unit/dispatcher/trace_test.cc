#include "dispatcher/trace.h"

#include <catch2/catch.hpp>

using dispatcher::parse_trace_words;
using dispatcher::TraceFilter;
using dispatcher::TraceQuery;

namespace {

constexpr std::string_view kId = "00000000000000000010";

// Two messages of one session, a bounce, a stranger who was refused.
const std::vector<std::string> kLog = {
    /* 0 */ "time=1 proc=smtpd.1 event=auth-ok session=s1 login=jane",
    /* 1 */
    "time=1 proc=smtpd.1 event=accepted session=s1 id=00000000000000000010 sender=jane@podunk.edu "
    "message-id=<a@podunk.edu>",
    /* 2 */
    "time=1 proc=queue event=stored id=00000000000000000010 from=jane@podunk.edu to=bob@x.org session=s1",
    /* 3 */ "time=1 proc=smtpd.1 event=accepted session=s1 id=00000000000000000020 sender=jane@podunk.edu",
    /* 4 */
    "time=1 proc=queue event=stored id=00000000000000000020 from=jane@podunk.edu to=eve@y.org session=s1",
    /* 5 */ "time=1 proc=smtpd.1 event=session-end session=s1 tls=TLSv1.3",
    /* 6 */
    "time=2 proc=queue event=notice id=00000000000000000030 about=00000000000000000010 to=jane@podunk.edu",
    /* 7 */ "time=2 proc=queue event=bounced id=00000000000000000010 to=bob@x.org reply=\"550 no bob\"",
    /* 8 */
    "time=3 proc=smtpd.1 event=rcpt-refused session=s2 sender=spam@z.net recipient=Bob@X.org reply=550",
    /* 9 */
    "time=3 proc=smtpd.1 event=rcpt-refused session=s2 sender=spam@z.net recipient=joe@x.org reply=550",
    /* 10 */ "time=3 proc=smtpd.1 event=session-end session=s2 why=\"gone\"",
    /* 11 */ "no line of ours bob@x.org id=00000000000000000010",
    /* 12 */ "time=4 proc=queue event=delivered id=00000000000000000020 to=eve@y.org,bob2@x.org",
};

std::vector<std::size_t> lines_for(std::vector<std::string> words) {
  auto query = parse_trace_words(words);
  REQUIRE(query);
  TraceFilter filter(*query);
  for (const std::string& line : kLog) filter.learn(line);
  std::vector<std::size_t> taken;
  for (std::size_t i = 0; i < kLog.size(); ++i)
    if (filter.take(kLog[i])) taken.push_back(i);
  return taken;
}

}  // namespace

TEST_CASE("trace: which lines belong to a story") {
  using Lines = std::vector<std::size_t>;
  CHECK(lines_for({std::string(kId)}) == Lines{0, 1, 2, 5, 6, 7});
  CHECK(lines_for({"<a@podunk.edu>"}) == Lines{0, 1, 2, 5, 6, 7});
  CHECK(lines_for({"bob@x.org"}) == Lines{0, 1, 2, 5, 6, 7, 8, 10});
  CHECK(lines_for({"BOB2@x.org"}) == Lines{3, 4, 12});
  CHECK(lines_for({"eve@y.org"}) == Lines{0, 3, 4, 5, 12});
  CHECK(lines_for({"joe@x.org"}) == Lines{9, 10});
  CHECK(lines_for({"nobody@x.org"}) == Lines{});
  CHECK(lines_for({"00000000000000000090"}) == Lines{});
}

TEST_CASE("trace: words") {
  struct Case {
    std::vector<std::string> words;
    bool ok;
    TraceQuery::By by;
    std::string_view text;
    std::uint32_t days;
  };
  using By = TraceQuery::By;
  const Case cases[] = {
      {{std::string(kId)}, true, By::kId, kId, 0},
      {{"0000000000000000ABC0"}, true, By::kId, "0000000000000000abc0", 0},
      {{"jane@podunk.edu", "--days", "3"}, true, By::kAddress, "jane@podunk.edu", 3},
      {{"--days=14", "<x@y>"}, true, By::kMessageId, "x@y", 14},
      {{"jane", "--json"}, true, By::kAddress, "jane", 0},
      {{}, false, {}, "", 0},
      {{"a@b", "c@d"}, false, {}, "", 0},
      {{"a@b", "--days"}, false, {}, "", 0},
      {{"a@b", "--days", "0"}, false, {}, "", 0},
      {{"a@b", "--days", "x"}, false, {}, "", 0},
      {{"a@b", "--verbose"}, false, {}, "", 0},
      {{""}, false, {}, "", 0},
  };
  for (const Case& c : cases) {
    CAPTURE(c.words);
    auto query = parse_trace_words(c.words);
    REQUIRE(query.has_value() == c.ok);
    if (!query) continue;
    CHECK(query->by == c.by);
    CHECK(query->text == c.text);
    CHECK(query->days == c.days);
  }
}

TEST_CASE("trace: memory is bounded, and the gap is told") {
  TraceQuery query;
  query.by = TraceQuery::By::kAddress;
  query.text = "jane@podunk.edu";
  TraceFilter filter(query);
  for (std::size_t i = 0; i <= TraceFilter::kMost; ++i) {
    CHECK_FALSE((i < TraceFilter::kMost && filter.overflowed()));
    filter.learn("time=1 event=stored id=" + std::to_string(i) + " from=jane@podunk.edu");
  }
  CHECK(filter.overflowed());
}
