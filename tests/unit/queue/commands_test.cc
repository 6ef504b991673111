// Administrators' commands over a real store, with a scheduler that a test holds in its hand.
#include "queue/commands.h"

#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <set>

#include "queue/command_sessions.h"
#include "queue/queue_scan.h"
#include "tests/unit/queue/test_routing.h"
#include "tests/unit/store/temporary_store.h"

using namespace queue;
using po::messages::CommandOutput;
using po::messages::Hosts;
using po::messages::NextHop;
using store::RecipientKey;
using store::WaitingRow;
using store::testing::TemporaryStore;

namespace {

class FakeControl final : public DeliveryControl {
 public:
  bool in_flight(const RecipientKey& key) const override { return flying.contains(key); }
  bool claim(const RecipientKey& key) override { return !flying.contains(key) && claimed.insert(key).second; }
  void let_go(const RecipientKey& key) override { claimed.erase(key); }
  void start_hop(std::string_view hop) override { started.emplace(hop); }
  std::uint64_t spared_until(std::string_view) const override { return spared; }
  po::Result<store::Settle> fail(const po::MessageId& id, const std::vector<WaitingRow>& rows,
                                 std::string_view status, std::string_view) override {
    store::Settle settle;
    settle.id = id;
    for (const WaitingRow& row : rows) settle.gone.push_back(row.key.n);
    failed_status = status;
    return settle;
  }
  void noticed(const store::Accept&, const po::MessageId&) override {}
  po::Result<directory::Resolution> explain(std::string_view) const override { return resolution; }
  NextHop next_hop(std::string_view address, std::string_view) const override {
    NextHop hop;
    hop.name = hop.host = std::string(domain_part(address));
    return hop;
  }
  po::Result<std::string> hop_by(std::string_view host, std::string_view) const override {
    if (host == "no host") return po::permanent("no host is no host");
    return "[" + std::string(host) + "]:25";
  }
  void ask_hosts(const NextHop& hop, std::function<void(const Hosts&)> answer) override {
    if (late) {
      later = std::move(answer);
    } else {
      answer({po::Kind::kDone, {"10 mx." + hop.host + " [192.0.2.1]:25"}});
    }
  }

  std::set<RecipientKey> flying, claimed;
  std::set<std::string> started;
  std::uint64_t spared = 0;
  std::string failed_status;
  directory::Resolution resolution;
  bool late = false;
  std::function<void(const Hosts&)> later;
};

po::MessageId id_of_age(std::uint64_t age_ms, std::uint8_t last) {
  static const std::uint64_t begin = now_ms();  // of two that were made with the same, the age alone differs
  std::uint64_t made = begin - age_ms;
  po::MessageId id;
  for (int i = 0; i < 6; ++i)
    id.octets[static_cast<std::size_t>(5 - i)] = static_cast<std::uint8_t>(made >> (8 * i));
  id.octets[11] = last;
  return id;
}

class Desk {
 public:
  Desk()
      : office_(Parts{.loop = loop_,
                      .log = log,
                      .store = *store_,
                      .ticket_key = {},
                      .hostname = "mail.podunk.edu",
                      .routing = queue::testing::routing(),
                      .settings = [] { return queue::testing::settings(); },
                      .min_free_disk = [] { return std::uint64_t{0}; },
                      .default_limit = [] { return std::uint64_t{0}; },
                      .finished = [] {},
                      .lost = [] {},
                      .release_after = std::chrono::milliseconds(0)}),
        watchers_(log) {}

  /// Stored when wait_for_stored() has returned.
  po::MessageId put(std::uint64_t age_ms, std::uint8_t number, std::string sender,
                    std::vector<std::string> recipients,
                    const std::function<void(store::Waiting&)>& edit = {}) {
    auto accept = store::testing::message(1, "Subject: hi\r\n\r\nbody\r\n", {});
    accept.id = id_of_age(age_ms, number);
    accept.arrival_ms = now_ms() - age_ms;
    accept.envelope.sender = std::move(sender);
    for (std::string& r : recipients) {
      store::Waiting w;
      w.address = std::move(r);
      w.hop = std::string(domain_part(w.address));
      w.next_ms = now_ms();
      if (edit) edit(w);
      accept.waiting.push_back(std::move(w));
    }
    po::MessageId id = accept.id;
    ++storing_;
    office_.writer.add(std::move(accept), [this](const store::Result<std::uint64_t>& result) {
      REQUIRE(result);
      --storing_;
    });
    return id;
  }
  void wait_for_stored() {
    turn_until([this] { return storing_ == 0; });
  }

  /// All that the command prints, to its end.
  CommandOutput run(const std::vector<std::string>& words) {
    auto task = make(words);
    bool woken = false;
    task->on_wake([&woken] { woken = true; });
    CommandOutput all;
    for (int i = 0; i < 100'000; ++i) {
      CommandOutput piece;
      woken = false;
      auto step = task->step(piece);
      all.out += piece.out;
      all.err += piece.err;
      all.exit_code = piece.exit_code;
      if (step == po::CommandTask::Step::kEnd) return all;
      if (step == po::CommandTask::Step::kWait) turn_until([&woken] { return woken; });
    }
    FAIL("the command does not end");
    return all;
  }
  std::unique_ptr<po::CommandTask> make(const std::vector<std::string>& words) {
    wait_for_stored();
    return make_task({office_, control, watchers_}, words);
  }
  template <class Condition>
  void turn_until(Condition condition) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      timeval brief{0, 2000};
      event_base_loopexit(loop_.base(), &brief);
      event_base_loop(loop_.base(), EVLOOP_ONCE);
    }
    REQUIRE(condition());
  }
  std::vector<WaitingRow> rows() { return store_->all_waiting({}, 1000).value(); }
  po::Loop& loop() { return loop_; }

  po::Log log;
  FakeControl control;

 private:
  std::size_t storing_ = 0;
  TemporaryStore store_;
  po::Loop loop_;
  Office office_;
  Watchers watchers_;
};

constexpr std::uint64_t kMinute = 60'000, kHour = 60 * kMinute;

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("queue list: each filter takes what it says") {
  Desk desk;
  auto old = desk.put(5 * kHour, 1, "jane@podunk.edu", {"a@x.org", "b@y.org"},
                      [](store::Waiting& w) { w.attempts = w.address[0] == 'a' ? 1 : 0; });
  auto young = desk.put(kMinute, 2, "", {"c@x.org"}, [](store::Waiting& w) { w.held = true; });
  desk.control.flying.insert({old, 1});
  struct Case {
    std::vector<std::string> words;
    std::string_view recipients;  // their first letters
  };
  const Case cases[] = {
      {{}, "abc"},
      {{"--sender", "jane@podunk.edu"}, "ab"},
      {{"--sender", "JANE@*"}, "ab"},
      {{"--sender", "<>"}, "c"},
      {{"--recipient=<b@y.org>"}, "b"},
      {{"--domain", "x.org"}, "ac"},
      {{"--domain", "*.org", "--sender", "<>"}, "c"},
      {{"--hop", "y.*"}, "b"},
      {{"--older", "4h"}, "ab"},
      {{"--older", "6h"}, ""},
      {{"--state", "held"}, "c"},
      {{"--state", "active"}, "b"},
      {{"--state", "deferred"}, "a"},
      {{"--state", "new"}, ""},
      {{"--limit", "2"}, "ab"},
      {{"--limit", "1", "--after", old.text() + "/0"}, "b"},
      {{"--after", old.text() + "/1"}, "c"},
      {{"--after=" + old.text()}, "c"},
      {{"--after", young.text()}, ""},
      {{"--after", id_of_age(9 * kHour, 9).text(), "--domain", "x.org"}, "ac"},
      {{young.text()}, "c"},
      {{old.text(), "--domain", "y.org"}, "b"},
      {{young.text(), old.text()}, "cab"},
      {{id_of_age(0, 9).text()}, ""},
  };
  for (const Case& c : cases) {
    std::vector<std::string> words = {"queue", "list", "--json"};
    words.insert(words.end(), c.words.begin(), c.words.end());
    CAPTURE(c.words);
    CommandOutput out = desk.run(words);
    std::string got;
    for (auto at = out.out.find("\"recipient\":\""); at != std::string::npos;
         at = out.out.find("\"recipient\":\"", at + 1)) {
      got += out.out[at + 13];
    }
    CHECK(got == c.recipients);
    CHECK(out.exit_code == 0);
  }
}

TEST_CASE("queue commands: words that are wrong are refused, and nothing is done") {
  Desk desk;
  desk.put(kHour, 1, "jane@podunk.edu", {"a@x.org"});
  struct Case {
    std::vector<std::string> words;
    std::string_view says;
  };
  const Case cases[] = {
      {{"queue"}, "usage"},
      {{"queue", "dance"}, "usage"},
      {{"queue", "list", "xyz"}, "no message id"},
      {{"queue", "list", "--older", "4"}, "--older takes"},
      {{"queue", "list", "--older"}, "needs a value"},
      {{"queue", "list", "--state", "sad"}, "--state takes"},
      {{"queue", "list", "--limit", "x"}, "--limit takes"},
      {{"queue", "list", "--to", "x"}, "no option --to"},
      {{"queue", "list", "--after", "x"}, "--after takes"},
      {{"queue", "list", "--after", po::MessageId{}.text() + "/4294967296"}, "--after takes"},
      {{"queue", "list", "--after", id_of_age(0, 1).text(), id_of_age(0, 2).text()}, "do not go together"},
      {{"queue", "hold", "--after", id_of_age(0, 1).text()}, "no option --after"},
      {{"queue", "list", "--json=1"}, "takes no value"},
      {{"queue", "show"}, "one id"},
      {{"queue", "show", "--content", "--headers", po::MessageId{}.text()}, "one option"},
      {{"queue", "retry"}, "--all"},
      {{"queue", "hold", "--json"}, "--all"},
      {{"queue", "remove", "--all"}, "--bounce"},
      {{"queue", "remove", "--all", "--bounce", "--discard"}, "--bounce"},
      {{"queue", "watch", "--state", "held"}, "only"},
      {{"mailq", "x"}, "no further"},
      {{"route"}, "one address"},
      {{"route", "a@b", "c@d"}, "one address"},
      {{"route", "a@b", "--from"}, "--from needs"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.words);
    CommandOutput out = desk.run(c.words);
    CHECK(out.exit_code == po::kExitUsage);
    CHECK(has(out.err, c.says));
    CHECK(out.out.empty());
  }
  CHECK(desk.rows().size() == 1);
}

TEST_CASE("mailq: the usual form") {
  Desk desk;
  CHECK(desk.run({"mailq"}).out == "Mail queue is empty\n");
  auto id = desk.put(kHour, 1, "", {"a@x.org", "b@y.org"}, [](store::Waiting& w) {
    w.last = {{now_ms(), "mx.x.org[192.0.2.1]:25", "450 4.2.1 later"}};
    w.attempts = 1;
  });
  std::string out = desk.run({"queue", "mailq"}).out;
  CHECK(out.starts_with("-Queue ID-"));
  CHECK(has(out, "\n" + id.text() + " "));
  CHECK(has(out, " MAILER-DAEMON\n"));
  CHECK(has(out, "(host mx.x.org[192.0.2.1]:25 said: 450 4.2.1 later)\n"));
  CHECK(has(out, " a@x.org\n"));
  CHECK(out.ends_with("-- 1 Kbytes in 1 Request.\n"));
}

TEST_CASE("queue show: the envelope, every reply, what comes next") {
  Desk desk;
  auto id = desk.put(kHour, 1, "jane@podunk.edu", {"a@x.org"}, [](store::Waiting& w) {
    w.attempts = 2;
    w.next_ms = now_ms() + 30 * kMinute;
    w.last = {{now_ms() - kHour, "", "no host could be reached"},
              {now_ms(), "mx.x.org", "450 \x1b[31m later"}};
  });
  desk.control.spared = now_ms() + kHour;
  std::string out = desk.run({"queue", "show", id.text()}).out;
  for (std::string_view part :
       {"<jane@podunk.edu>", "<a@x.org>", "no host could be reached", "mx.x.org: 450 ?[31m later", "deferred",
        "because the last attempt failed", "is spared in"}) {
    CAPTURE(part);
    CHECK(has(out, part));
  }
  CHECK(desk.run({"queue", "show", id.text(), "--headers"}).out == "Subject: hi\n");
  CHECK(desk.run({"queue", "show", id.text(), "--content"}).out == "Subject: hi\n\nbody\n");
  std::string json = desk.run({"queue", "show", id.text(), "--json"}).out;
  CHECK(has(json, "\"replies\":[{"));
  CHECK(json.ends_with("]}\n"));
  CHECK(desk.run({"queue", "show", id_of_age(0, 7).text()}).exit_code == po::kExitRefused);
}

TEST_CASE("queue summary: by hop and age") {
  Desk desk;
  desk.put(kMinute, 1, "jane@podunk.edu", {"a@x.org", "b@x.org", "c@y.org"});
  desk.put(30 * kMinute, 2, "", {"a@x.org"});
  std::string out = desk.run({"queue", "summary"}).out;
  CHECK(lines_of(out) == 4);
  CHECK(has(out, "TOTAL        4      3      0      0      1"));
  CHECK(has(out, "x.org        3      2      0      0      1"));
  CHECK(has(out, "y.org        1      1"));
  CHECK(has(desk.run({"queue", "summary", "--limit", "1"}).out, "1 more"));
  CHECK(has(desk.run({"queue", "summary", "--senders"}).out, "podunk.edu        3"));
  std::string json = desk.run({"queue", "summary", "--json"}).out;
  CHECK(json.starts_with("{\"minutes\":[5,10,"));
  CHECK(has(json,
            "\"recipients\":4,\"messages\":2,\"states\":{\"new\":4,\"active\":0,\"deferred\":0,\"held\":0}"));
}

TEST_CASE("changes: what each does, and what it leaves alone") {
  struct Case {
    std::vector<std::string> words;
    std::size_t left;       // rows afterwards
    std::size_t held;       // of them
    std::string_view says;  // in the report
    std::string_view started, status;
  };
  const Case cases[] = {
      {{"retry", "--all"}, 3, 1, "1 recipient of 1 message: will be tried now", "x.org", ""},
      {{"hold", "--all"}, 3, 2, "1 recipient of 1 message: held", "", ""},
      {{"release", "--all"}, 3, 0, "1 recipient of 1 message: released", "y.org", ""},
      {{"reroute", "--domain", "x.org", "--to", "relay"}, 3, 1, "rerouted", "[relay]:25", ""},
      {{"reroute", "--domain", "x.org"}, 3, 1, "rerouted", "x.org", ""},
      {{"expire", "--domain", "x.org"}, 2, 1, "1 recipient of 1 message: returned", "", "4.4.7"},
      {{"remove", "--bounce", "--recipient", "b@y.org"}, 2, 0, "returned", "", "5.7.1"},
      {{"remove", "--discard", "--all"}, 1, 0, "2 recipients of 2 messages: discarded", "", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.words);
    Desk desk;
    auto one = desk.put(kHour, 1, "jane@podunk.edu", {"a@x.org", "c@x.org"},
                        [](store::Waiting& w) { w.next_ms = now_ms() + kHour; });
    desk.put(kMinute, 2, "", {"b@y.org"}, [](store::Waiting& w) { w.held = true; });
    desk.control.flying.insert({one, 1});
    std::vector<std::string> words = {"queue"};
    words.insert(words.end(), c.words.begin(), c.words.end());
    CommandOutput out = desk.run(words);
    CHECK(out.exit_code == 0);
    CHECK(has(out.out, c.says));
    auto rows = desk.rows();
    CHECK(rows.size() == c.left);
    CHECK(static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(),
                                                 [](const WaitingRow& r) { return r.row.held; })) == c.held);
    CHECK(desk.control.started ==
          (c.started.empty() ? std::set<std::string>{} : std::set<std::string>{std::string(c.started)}));
    CHECK(desk.control.failed_status == c.status);
    CHECK(desk.control.claimed.empty());
  }
}

TEST_CASE("changes: a host that is none changes nothing; nothing found is status 1") {
  Desk desk;
  desk.put(kHour, 1, "jane@podunk.edu", {"a@x.org"});
  CommandOutput out = desk.run({"queue", "reroute", "--all", "--to", "no host"});
  CHECK(out.exit_code == po::kExitUsage);
  CHECK(has(out.err, "no host is no host"));
  CHECK(desk.rows()[0].row.hop == "x.org");
  CHECK(desk.control.claimed.empty());
  out = desk.run({"queue", "retry", "--domain", "z.org"});
  CHECK(out.exit_code == po::kExitRefused);
  CHECK(out.out == "nothing that waits fits this selection\n");
  CHECK(desk.run({"queue", "show", id_of_age(0, 1).text(), "--older", "1h"}).exit_code == po::kExitUsage);
}

TEST_CASE("changes: a thousand messages, a bounded number at a time, the terminal gone in the middle") {
  Desk desk;
  for (std::uint64_t i = 0; i < 600; ++i) desk.put(kHour + i, 1, "j@podunk.edu", {"a@x.org"});
  CHECK(has(desk.run({"queue", "hold", "--all", "--json"}).out, "{\"recipients\":600,\"messages\":600,"));
  auto task = desk.make({"queue", "release", "--all"});
  CommandOutput piece;
  CHECK(task->step(piece) == po::CommandTask::Step::kWait);
  CHECK(desk.control.claimed.size() == QueueScan::kRows);
  task.reset();
  desk.turn_until([&] { return desk.control.claimed.empty(); });
  CHECK(desk.control.started.contains("x.org"));
}

TEST_CASE("queue watch: hears the log, by filter, and says what it missed") {
  Desk desk;
  auto task = desk.make({"queue", "watch", "--domain", "x.org"});
  bool woken = false;
  task->on_wake([&woken] { woken = true; });
  CommandOutput piece;
  CHECK(task->step(piece) == po::CommandTask::Step::kWait);
  CHECK(has(piece.out, "0 recipients wait"));
  desk.log.event("delivered").kv("id", po::MessageId{}.text()).kv("to", "a@x.org");
  desk.log.event("delivered").kv("id", po::MessageId{}.text()).kv("to", "a@y.org");
  desk.log.event("pipe-closed").kv("peer", "x.org");
  CHECK(woken);
  piece = {};
  CHECK(task->step(piece) == po::CommandTask::Step::kWait);
  CHECK(lines_of(piece.out) == 1);
  CHECK(has(piece.out, "delivered  to=a@x.org"));
  for (int i = 0; i < 6000; ++i)
    desk.log.event("delivered").kv("id", po::MessageId{}.text()).kv("to", "a@x.org");
  piece = {};
  CHECK(task->step(piece) == po::CommandTask::Step::kWait);
  CHECK(has(piece.err, "left out"));
  CHECK(piece.out.size() < 2 * QueueWatch::kMostText);
}

TEST_CASE("route: steps, next hop, hosts; whose deliverer is silent is told so") {
  Desk desk;
  desk.control.resolution.verdict = directory::Verdict::kRemote;
  desk.control.resolution.steps = {"no account has bob@x.org"};
  desk.control.resolution.targets = {{directory::Target::Kind::kRemote, 0, "bob@x.org"},
                                     {directory::Target::Kind::kMailbox, 7, "jane@podunk.edu"}};
  CommandOutput out = desk.run({"route", "bob@X.org"});
  for (std::string_view part : {"bob@x.org\n", "no account has", "elsewhere", "next hop x.org (by MX)",
                                "10 mx.x.org [192.0.2.1]:25", "mailbox of account 7"}) {
    CAPTURE(part);
    CHECK(has(out.out, part));
  }
  CHECK(out.exit_code == 0);
  std::string json = desk.run({"route", "--json", "bob@x.org", "--from", "j@podunk.edu"}).out;
  CHECK(has(json, "\"targets\":[{\"kind\":\"remote\""));
  CHECK(has(json, "\"hosts_known\":true,\"hosts\":[\"10 mx.x.org [192.0.2.1]:25\"]},{\"kind\":\"mailbox\""));
  CHECK(json.ends_with("}]}\n"));
  desk.control.resolution = {};
  desk.control.resolution.why = "nobody has it";
  out = desk.run({"route", "bob@x.org"});
  CHECK(out.exit_code == po::kExitRefused);
  CHECK(has(out.out, "refused: nobody has it"));
  // An answer that comes when the command has gone harms nothing.
  desk.control.late = true;
  desk.control.resolution.targets = {{directory::Target::Kind::kRemote, 0, "bob@x.org"}};
  auto task = desk.make({"route", "bob@x.org"});
  CommandOutput piece;
  CHECK(task->step(piece) == po::CommandTask::Step::kMore);
  CHECK(task->step(piece) == po::CommandTask::Step::kWait);
  task.reset();
  desk.control.later({po::Kind::kDone, {}});
}

TEST_CASE("sessions: pieces arrive whole, and who hangs up takes the task along") {
  Desk desk;
  for (std::uint64_t i = 0; i < 700; ++i) desk.put(kHour + i, 1, "j@podunk.edu", {"a@x.org"});
  CommandSessions sessions(desk.loop());
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  std::string text;
  bool ended = false;
  auto client = std::make_unique<po::Channel>(
      desk.loop(), po::Fd(fds[0]),
      [&](po::Frame& f) {
        CommandOutput out;
        REQUIRE(f.decode(out));
        text += out.out;
        ended = ended || out.end;
        return true;
      },
      [](std::string_view) {});
  sessions.add(po::Fd(fds[1]), desk.make({"queue", "list"}));
  desk.turn_until([&] { return ended && sessions.size() == 0; });
  CHECK(lines_of(text) == 702);
  client.reset();

  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  sessions.add(po::Fd(fds[1]), desk.make({"queue", "watch"}));
  CHECK(sessions.size() == 1);
  ::close(fds[0]);
  desk.turn_until([&] { return sessions.size() == 0; });
}
