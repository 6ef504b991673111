#include "dispatcher/trace.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "dispatcher/story_server.h"
#include "dispatcher/trace_task.h"

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
  CHECK(lines_for({"--address", "nobody@x.org", "--address=JOE@x.org"}) == Lines{9, 10});
  CHECK(lines_for({"--address", "jane", "--address", "joe@x.org"}) == Lines{0, 5, 9, 10});
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
      {{"--address", "jane@podunk.edu", "--own", "--limit", "7"}, true, By::kAddress, "jane@podunk.edu", 0},
      // What stands behind --address is an address, whatever it looks like.
      {{"--address", std::string(kId)}, true, By::kAddress, kId, 0},
      {{"--address", "--json"}, true, By::kAddress, "--json", 0},
      {{}, false, {}, "", 0},
      {{"a@b", "c@d"}, false, {}, "", 0},
      {{"a@b", "--days"}, false, {}, "", 0},
      {{"a@b", "--days", "0"}, false, {}, "", 0},
      {{"a@b", "--days", "x"}, false, {}, "", 0},
      {{"a@b", "--verbose"}, false, {}, "", 0},
      {{"a@b", "--json=1"}, false, {}, "", 0},
      {{"a@b", "--limit", "0"}, false, {}, "", 0},
      {{"a@b", "--limit", "10001"}, false, {}, "", 0},
      {{"--address"}, false, {}, "", 0},
      {{"--address", ""}, false, {}, "", 0},
      {{std::string(kId), "--address", "a@b"}, false, {}, "", 0},
      {{std::string(kId), "--own"}, false, {}, "", 0},
      {{"<x@y>", "--own"}, false, {}, "", 0},
      {{""}, false, {}, "", 0},
  };
  for (const Case& c : cases) {
    CAPTURE(c.words);
    auto query = parse_trace_words(c.words);
    REQUIRE(query.has_value() == c.ok);
    if (!query) continue;
    CHECK(query->by == c.by);
    REQUIRE(query->texts.size() == 1);
    CHECK(query->texts[0] == c.text);
    CHECK(query->days == c.days);
  }
}

TEST_CASE("trace: memory is bounded, and the gap is told") {
  TraceQuery query;
  query.by = TraceQuery::By::kAddress;
  query.texts = {"jane@podunk.edu"};
  TraceFilter filter(query);
  for (std::size_t i = 0; i <= TraceFilter::kMost; ++i) {
    CHECK_FALSE((i < TraceFilter::kMost && filter.overflowed()));
    filter.learn("time=1 event=stored id=" + std::to_string(i) + " from=jane@podunk.edu");
  }
  CHECK(filter.overflowed());
}

TEST_CASE("trace: addresses that the log may write otherwise are found all the same") {
  const std::pair<const char*, const char*> table[] = {
      {"o'hara@x.org", "time=1 event=stored to=o'hara@x.org"},
      {"a=b@x.org", "time=1 event=stored to=c@x.org,a=b@x.org"},
      {"b@x.org", "time=1 event=stored to=\"b@x.org,a b@x.org\""},
      {"\"a b\"@x.org", "time=1 event=stored to=\"\\\"a b\\\"@x.org\""},
      {"j\xc3\xb6rg@x.org", "time=1 event=stored to=\"j\\xc3\\xb6rg@x.org\""},
      {"b@x.org", "time=1 event=stored to=b@x.org"},
  };
  for (const auto& [address, line] : table) {
    CAPTURE(address, line);
    TraceQuery query;
    query.by = TraceQuery::By::kAddress;
    query.texts = {address};
    CHECK(TraceFilter(query).take(line));
    query.texts = {std::string(address) + "x"};
    CHECK_FALSE(TraceFilter(query).take(line));
  }
}

TEST_CASE("trace --own: of mail that others sent, nothing of its other recipients") {
  const std::vector<std::string> log = {
      "time=1 event=auth-ok session=s1 login=jane@podunk.edu",
      "time=1 event=accepted session=s1 id=00000000000000000010 sender=jane@podunk.edu",
      "time=1 event=stored id=00000000000000000010 from=jane@podunk.edu to=bob@x.org,eve@x.org session=s1",
      "time=2 event=delivered id=00000000000000000010 to=eve@x.org",
      "time=3 event=stored id=00000000000000000020 from=joe@x.org to=jane@podunk.edu,boss@podunk.edu "
      "session=s2",
      "time=3 event=delivered id=00000000000000000020 to=boss@podunk.edu",
      "time=3 event=delivered id=00000000000000000020 to=jane@podunk.edu",
      "time=3 event=session-end session=s2 client=192.0.2.1",
      "time=4 event=session-end session=s1",
      "time=5 event=rcpt-refused session=s3 sender=joe@x.org recipient=jane@podunk.edu reply=550",
  };
  auto query = parse_trace_words({"--own", "--address", "jane@podunk.edu", "--address", "jane@x.org"});
  REQUIRE(query);
  TraceFilter filter(*query);
  for (const std::string& line : log) filter.learn(line);
  std::vector<std::size_t> taken;
  for (std::size_t i = 0; i < log.size(); ++i) {
    auto record = filter.take(log[i]);
    if (!record) continue;
    taken.push_back(i);
    for (const auto& field : record->fields()) CHECK(field.value.find("boss") == std::string::npos);
    if (i == 4) CHECK(record->get("to") == "jane@podunk.edu");
  }
  CHECK(taken == std::vector<std::size_t>{0, 1, 2, 3, 4, 6, 8, 9});
}

namespace {

/// A log directory of two files, the old one with lines 0 to 6 of kLog.
class LogDirectory {
 public:
  LogDirectory() {
    std::filesystem::create_directory(path);
    std::ofstream old_file(path + "/post.office.log.20260101T000000Z"), file(path + "/post.office.log");
    for (std::size_t i = 0; i < kLog.size(); ++i) (i < 7 ? old_file : file) << kLog[i] << "\n";
    file << "time=5 a line that is not whole yet id=00000000000000000010";
  }
  ~LogDirectory() { std::filesystem::remove_all(path); }
  LogDirectory(const LogDirectory&) = delete;
  LogDirectory& operator=(const LogDirectory&) = delete;
  const std::string path = std::filesystem::temp_directory_path() / ("trace." + std::to_string(::getpid()));
};

po::messages::CommandOutput run_to_end(po::CommandTask& task) {
  po::messages::CommandOutput all;
  for (int i = 0; i < 10'000; ++i) {
    po::messages::CommandOutput piece;
    auto step = task.step(piece);
    all.out += piece.out;
    all.err += piece.err;
    all.exit_code = piece.exit_code;
    if (step == po::CommandTask::Step::kEnd) return all;
  }
  FAIL("no end");
  return all;
}

po::messages::CommandOutput story(const std::string& path, const std::vector<std::string>& words) {
  return run_to_end(*dispatcher::make_story_task(path, words));
}

std::vector<std::string> times_of(const std::string& json) {
  std::vector<std::string> out;
  for (std::size_t at = json.find("\"time\":\""); at != std::string::npos;
       at = json.find("\"time\":\"", at + 1))
    out.push_back(json.substr(at + 8, json.find('"', at + 8) - at - 8));
  return out;
}

}  // namespace

TEST_CASE("story: reads all files, the oldest first, with --limit the newest") {
  using Times = std::vector<std::string>;
  LogDirectory log;
  CHECK(times_of(story(log.path, {"trace", std::string(kId), "--json"}).out) ==
        Times{"1", "1", "1", "1", "2", "2"});
  auto limited = story(log.path, {"trace", "--address", "eve@y.org", "--json", "--limit", "2"});
  CHECK(times_of(limited.out) == Times{"4", "1"});
  CHECK(limited.exit_code == 0);
  CHECK(times_of(story(log.path, {"trace", "eve@y.org", "--json", "--limit=100"}).out).size() == 5);
  auto nothing = story(log.path, {"trace", "nobody@x.org"});
  CHECK(nothing.exit_code == 1);
  CHECK(nothing.err.find("says nothing about nobody@x.org") != std::string::npos);
  CHECK(nothing.out.empty());
}

TEST_CASE("story: answers trace alone") {
  LogDirectory log;
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {}, {"queue", "list"}, {"trace"}, {"trace", "--file", "/etc/passwd"}}) {
    auto output = story(log.path, words);
    CHECK(output.exit_code == 64);
    CHECK(output.out.empty());
  }
  CHECK(story(log.path + "/none", {"trace", "a@b"}).exit_code == 1);
}

TEST_CASE("story: a step reads a piece of the file and no more") {
  LogDirectory log;
  {
    std::ofstream file(log.path + "/post.office.log", std::ios::app);
    file << "\n";
    for (int i = 0; i < 20'000; ++i)
      file << "time=6 event=stored id=00000000000000000099 to=other@z.net,x@y.org\n";
  }
  auto size = std::filesystem::file_size(log.path + "/post.office.log");
  auto task = dispatcher::make_story_task(log.path, {"trace", "nobody@x.org"});
  std::size_t steps = 1;
  for (po::messages::CommandOutput piece; task->step(piece) != po::CommandTask::Step::kEnd;) ++steps;
  CHECK(steps > 2 * size / dispatcher::TraceTask::kPiece);
}
