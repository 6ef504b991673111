// Mail for elsewhere: jobs to smtp-deliver over real pipes, and what their answers lead to.
#include "queue/deliveries.h"

#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>

#include "queue/domain_starts.h"
#include "tests/unit/queue/test_office.h"
#include "tests/unit/store/faulty_store.h"

using namespace queue;
using namespace po::messages;
using po::Kind;
using queue::testing::submission;
using queue::testing::TestOffice;
using queue::testing::TestPeer;
using store::testing::id_number;
using store::testing::TemporaryStore;

namespace {

/// A job as a deliverer has it.
struct Got {
  std::uint32_t serial = 0;
  Job job;
  po::Fd body;
};

/// queue with an smtpd and a deliverer.
struct World {
  TemporaryStore store;
  std::atomic<bool> disk_full = false;  ///< for all that needs room
  store::testing::FaultyStore between{*store, 1, {0, 0}};
  TestOffice office{told(between)};
  std::unique_ptr<TestPeer> smtpd = office.connect(Role::kSmtpd);
  std::unique_ptr<TestPeer> deliverer = office.connect(Role::kSmtpDeliver);

  store::Store& told(store::testing::FaultyStore& s) {
    s.no_room = [this](const store::Change& change) {
      const auto* settle = std::get_if<store::Settle>(&change);
      return disk_full && settle != nullptr && !(settle->notices.empty() && settle->later.empty());
    };
    return s;
  }
  void submit(Submit s) { REQUIRE(office.ask<Submitted>(*smtpd, s).kind == Kind::kDone); }
  void submit(std::uint64_t n, std::initializer_list<const char*> to, const char* sender = "u7@example.org",
              std::uint8_t notify = 0) {
    Submit s = submission(n, "Subject: hi\r\n\r\nbody\r\n", to);
    s.sender = sender;
    for (auto& r : s.recipients) r.notify = notify;
    submit(std::move(s));
  }
  Got job(TestPeer& peer) {
    office.run_until([&] { return !peer.got.empty(); });
    Got g;
    g.serial = peer.got.front().serial;
    g.job = office.wait_for<Job>(peer, &g.body);
    return g;
  }
  Got job() { return job(*deliverer); }
  /// One outcome for all.
  static JobDone answer(const Got& g, Kind kind, const char* reply = "said", const char* status = "") {
    JobDone done;
    done.id = g.job.id;
    done.host = "mx.away.example[192.0.2.1]:25";
    for (const JobRecipient& r : g.job.recipients) done.outcomes.push_back({r.n, kind, true, reply, status});
    return done;
  }
  void reply(const Got& g, const JobDone& done) { deliverer->channel->send(g.serial, done); }
  void reply(const Got& g, Kind kind, const char* words = "said", const char* status = "") {
    reply(g, answer(g, kind, words, status));
  }
  void wait_until_waiting(std::uint64_t n) {
    office.run_until([&] { return store->totals()->waiting == n; });
  }
  /// Nothing comes for a while.
  bool silent(const TestPeer& peer) {
    auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    office.run_until([&] { return !peer.got.empty() || std::chrono::steady_clock::now() > end; });
    return peer.got.empty();
  }
  std::string newest(std::uint64_t account) {
    office.run_until([&] { return store->usage(account)->messages > 0; });
    auto content = store->read(account, store->newest(account, 1)->at(0).id);
    return content->prefix + content->body;
  }
};

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("deliveries: a job has what the deliverer needs; what it delivers is gone") {
  World w;
  Submit s = submission(1, "Subject: hi\r\n\r\nbody\r\n", {"far1@away.example", "far2@away.example", "u8@x"});
  s.sender = "u7@example.org";
  s.ret = 2;
  s.envid = "e1";
  s.recipients[1].notify = kNotifyDelay;
  s.recipients[1].orcpt = "rfc822;far2@away.example";
  w.submit(s);
  Got g = w.job();
  CHECK(g.job.id == id_number(1));
  CHECK(g.job.hop.name == "away.example");
  CHECK(g.job.hop.host == "away.example");
  CHECK(g.job.hop.by_mx);
  CHECK(g.job.sender == "u7@example.org");
  CHECK(g.job.ret == 2);
  CHECK(g.job.envid == "e1");
  CHECK(g.job.body == s.body);
  CHECK(g.job.size == s.size);
  REQUIRE(g.job.recipients.size() == 2);
  CHECK(g.job.recipients[0].address == "far1@away.example");
  CHECK(g.job.recipients[1].notify == kNotifyDelay);
  CHECK(g.job.recipients[1].orcpt == "rfc822;far2@away.example");
  CHECK(w.store->totals()->waiting == 2);
  w.reply(g, Kind::kDone, "250 ok", "2.0.0");
  w.wait_until_waiting(0);
  CHECK(w.store->usage(8)->messages == 1);  // the mailbox keeps it
  CHECK(w.store->usage(7)->messages == 0);
  CHECK(w.silent(*w.deliverer));
}

TEST_CASE("deliveries: each hop has a job of its own, and a message goes with its last recipient") {
  World w;
  w.submit(1, {"far@one.example", "far@two.example"});
  Got a = w.job(), b = w.job();
  CHECK(a.job.hop.name != b.job.hop.name);
  w.reply(b, Kind::kDone);
  w.wait_until_waiting(1);
  CHECK(w.store->is_stored(id_number(1)).value());
  w.reply(a, Kind::kDone);
  w.office.run_until([&] { return !w.store->is_stored(id_number(1)).value(); });
}

TEST_CASE("deliveries: a large body rides along as a file") {
  World w;
  std::string body = "Subject: x\r\n\r\n" + std::string(300'000, 'B');
  po::Fd file;
  REQUIRE(w.office.ask<BodyFile>(*w.smtpd, OpenBody{id_number(1)}, &file).kind == Kind::kDone);
  store::testing::write_all(file.get(), body);
  Submit s = submission(1, body, {"far@away.example"});
  s.body.clear();
  s.in_file = true;
  w.submit(s);
  Got g = w.job();
  CHECK(g.job.in_file);
  CHECK(g.job.body.empty());
  CHECK(g.job.size == body.size());
  REQUIRE(g.body);
  char last = 0;
  CHECK(::pread(g.body.get(), &last, 1, static_cast<off_t>(body.size()) - 1) == 1);
  CHECK(last == 'B');
  CHECK(::write(g.body.get(), "x", 1) < 0);  // read-only
}

TEST_CASE("deliveries: who is put off waits with the words of the attempt") {
  World w;
  w.submit(1, {"far1@away.example", "far2@away.example"});
  Got g = w.job();
  JobDone done = World::answer(g, Kind::kDone, "250 ok", "2.0.0");
  done.outcomes[1] = {g.job.recipients[1].n, Kind::kTemporary, true, "450 4.2.1 greylisted", "4.2.1"};
  std::uint64_t before = now_ms();
  w.reply(g, done);
  w.wait_until_waiting(1);
  w.office.run_until([&] { return w.store->waiting(id_number(1), 0, 9)->at(0).row.attempts == 1; });
  auto rows = *w.store->waiting(id_number(1), 0, 9);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].row.address == "far2@away.example");
  CHECK(rows[0].row.attempts == 1);
  CHECK(rows[0].row.last.at(0).reply == "450 4.2.1 greylisted");
  CHECK(rows[0].row.next_ms >= before + 3 * kMinuteMs);
  CHECK(rows[0].row.next_ms < now_ms() + 7 * kMinuteMs);
  CHECK(w.silent(*w.deliverer));
}

TEST_CASE("deliveries: a bounce is in the sender's mailbox when its recipient is gone") {
  World w;
  w.submit(1, {"far@away.example"});
  w.reply(w.job(), Kind::kPermanent, "550 5.1.1 no such user", "5.1.1");
  w.wait_until_waiting(0);
  CHECK(w.store->usage(7)->messages == 1);
  std::string bounce = w.newest(7);
  CHECK(bounce.starts_with("Return-Path: <>\r\nDelivered-To: u7@example.org\r\n"));
  for (const char* part : {"To: <u7@example.org>\r\n", "550 5.1.1 no such user",
                           "Final-Recipient: rfc822; "
                           "far@away.example\r\nAction: failed\r\nStatus: 5.1.1\r\n",
                           "Subject: hi\r\n\r\nbody\r\n"})
    CHECK(has(bounce, part));
}

TEST_CASE("deliveries: who hears of a failure, and by which way") {
  struct {
    const char *what, *sender;
    std::uint8_t notify;
    std::uint64_t told;  ///< account; 0: nobody
  } const table[] = {
      {"the sender", "u7@example.org", 0, 7},
      {"asked for", "u7@example.org", kNotifyFailure, 7},
      {"not asked for", "u7@example.org", kNotifyDelay, 0},
      {"nobody", "u7@example.org", kNotifyNever, 0},
      {"a bounce is for the Postmaster", "", 0, directory::kPostmaster},
      {"an unknown sender's is for the Postmaster", "gone@example.org", 0, directory::kPostmaster},
  };
  for (const auto& t : table) {
    INFO(t.what);
    World w;
    w.submit(1, {"far@away.example"}, t.sender, t.notify);
    w.reply(w.job(), Kind::kPermanent, "550 no", "5.1.1");
    w.wait_until_waiting(0);
    w.office.run_until([&] { return !w.store->is_stored(id_number(1)).value(); });
    CHECK(w.store->totals()->messages == (t.told == 0 ? 0 : 1));
    if (t.told != 0) CHECK(w.store->usage(t.told)->messages == 1);
  }
}

TEST_CASE(
    "deliveries: a bounce to elsewhere is a job without sender, and nobody hears of its failure but here") {
  World w;
  w.submit(1, {"far@away.example"}, "far.sender@other.example");
  w.reply(w.job(), Kind::kPermanent, "550 no", "5.1.1");
  Got bounce = w.job();
  CHECK(bounce.job.sender.empty());
  CHECK(bounce.job.hop.name == "other.example");
  CHECK(bounce.job.recipients.at(0).address == "far.sender@other.example");
  CHECK(bounce.job.recipients[0].notify == kNotifyNever);
  w.reply(bounce, Kind::kPermanent, "550 no such sender", "5.1.1");
  w.wait_until_waiting(0);
  CHECK(has(w.newest(directory::kPostmaster), "550 no such sender"));
  CHECK(w.silent(*w.deliverer));
}

TEST_CASE("deliveries: success is told to who asked, where nobody else tells it") {
  struct {
    const char* to;
    bool dsn;
    const char* action;  ///< null: none
  } const table[] = {
      {"far@away.example", false, "Action: relayed"},
      {"far@away.example", true, nullptr},
      {"u8@x", false, "Action: delivered"},
      {"two@x", false, "Action: expanded"},
  };
  for (const auto& t : table) {
    INFO(t.to << " " << t.dsn);
    World w;
    w.submit(1, {t.to}, "u7@example.org", kNotifySuccess);
    if (t.to[0] != 'u') {
      Got g = w.job();
      JobDone done = World::answer(g, Kind::kDone, "250 ok", "2.0.0");
      done.dsn = t.dsn;
      w.reply(g, done);
      w.wait_until_waiting(0);
    }
    if (t.action != nullptr) CHECK(has(w.newest(7), t.action));
    if (t.action == nullptr) w.office.run_until([&] { return w.store->totals()->messages == 0; });
    CHECK(w.store->usage(7)->messages == (t.action == nullptr ? 0 : 1));
  }
}

TEST_CASE("deliveries: what a deliverer was doing when it died is done again, but not for ever") {
  World w;
  w.submit(1, {"far@away.example"});
  for (int death = 1; death <= 3; ++death) {
    CAPTURE(death);
    Got g = w.job();
    CHECK(g.job.id == id_number(1));
    w.deliverer = w.office.connect(Role::kSmtpDeliver);  // and the pipe of the old one closes
  }
  w.office.run_until([&] { return w.store->waiting(id_number(1), 0, 1)->at(0).row.attempts == 1; });
  CHECK(w.store->waiting(id_number(1), 0, 1)->at(0).row.last.at(0).reply ==
        "the delivering process has ended");
  CHECK(w.silent(*w.deliverer));
}

TEST_CASE("deliveries: without a deliverer mail waits, and what waits is found at a start") {
  World w;
  w.deliverer.reset();
  w.submit(1, {"far@away.example"});
  w.smtpd.reset();
  w.office.start();
  w.deliverer = w.office.connect(Role::kSmtpDeliver);
  Got g = w.job();
  CHECK(g.job.id == id_number(1));
  w.reply(g, Kind::kDone);
  w.wait_until_waiting(0);
}

TEST_CASE("deliveries: an answer that makes no sense costs the pipe; the job goes out again") {
  const std::pair<const char*, std::function<void(TestPeer&, const Got&)>> table[] = {
      {"to nothing that was asked",
       [](TestPeer& p, const Got& g) { p.channel->send(g.serial + 100, World::answer(g, Kind::kDone)); }},
      {"about another message",
       [](TestPeer& p, const Got& g) {
         JobDone done = World::answer(g, Kind::kDone);
         done.id = id_number(2);
         p.channel->send(g.serial, done);
       }},
      {"about another recipient",
       [](TestPeer& p, const Got& g) {
         JobDone done = World::answer(g, Kind::kDone);
         done.outcomes[0].n = 7;
         p.channel->send(g.serial, done);
       }},
      {"two outcomes for one",
       [](TestPeer& p, const Got& g) {
         JobDone done = World::answer(g, Kind::kDone);
         done.outcomes.push_back(done.outcomes[0]);
         p.channel->send(g.serial, done);
       }},
      {"hosts that nobody asked for", [](TestPeer& p, const Got& g) { p.channel->send(g.serial, Hosts{}); }},
      {"what a deliverer may not say",
       [](TestPeer& p, const Got&) { p.channel->send(1, submission(3, "x", {"u7@x"})); }},
  };
  for (const auto& [what, misbehave] : table) {
    INFO(what);
    World w;
    w.submit(1, {"far@away.example"});
    Got g = w.job();
    misbehave(*w.deliverer, g);
    w.office.run_until([&] { return w.deliverer->closed; });
    CHECK(w.store->totals()->waiting == 1);
    w.deliverer = w.office.connect(Role::kSmtpDeliver);
    w.reply(w.job(), Kind::kDone);
    w.wait_until_waiting(0);
  }
}

TEST_CASE("deliveries: no deliverer answers for another") {
  World w;
  w.submit(1, {"far@away.example"});
  Got g = w.job();
  auto other = w.office.connect(Role::kSmtpDeliver);
  other->channel->send(g.serial, World::answer(g, Kind::kDone));
  w.office.run_until([&] { return other->closed; });
  CHECK(w.store->totals()->waiting == 1);
  w.reply(g, Kind::kDone);
  w.wait_until_waiting(0);
}

TEST_CASE("deliveries: the second answer to a job is passed over") {
  World w;
  w.submit(1, {"far@away.example"});
  Got g = w.job();
  w.reply(g, Kind::kTemporary, "450 no", "4.0.0");
  w.reply(g, Kind::kDone);
  w.office.run_until([&] { return w.store->waiting(id_number(1), 0, 1)->at(0).row.attempts == 1; });
  CHECK(w.silent(*w.deliverer));
  CHECK_FALSE(w.deliverer->closed);
  CHECK(w.store->totals()->waiting == 1);
}

TEST_CASE("deliveries: on a full disk what is delivered is off the queue, and nothing is begun") {
  World w;
  w.submit(1, {"far1@away.example", "far2@away.example"});
  Got g = w.job();
  w.disk_full = true;
  JobDone done = World::answer(g, Kind::kDone, "250 ok", "2.0.0");
  done.outcomes[1] = {g.job.recipients[1].n, Kind::kPermanent, true, "550 5.1.1 nobody", "5.1.1"};
  w.reply(g, done);
  w.wait_until_waiting(1);
  CHECK(w.store->waiting(id_number(1), 0, 9)->at(0).row.address == "far2@away.example");
  CHECK(w.silent(*w.deliverer));  // time for what cannot be written
  w.submit(2, {"far@other.example"});
  CHECK(w.silent(*w.deliverer));
  CHECK(w.store->usage(7)->messages == 0);
  w.disk_full = false;
  CHECK(w.job().job.id == id_number(2));
  CHECK(has(w.newest(7), "550 5.1.1 nobody"));
}

TEST_CASE("deliveries: a deliverer that stops draws no more jobs") {
  World w;
  auto other = w.office.connect(Role::kSmtpDeliver);
  w.submit(1, {"far1@away.example"});
  Got g = w.job();
  JobDone stopped = World::answer(g, Kind::kTemporary, "stopping", "4.3.2");
  stopped.outcomes[0].remote = false;
  stopped.hop = HopState::kUnseen;
  w.reply(g, stopped);
  w.office.run_until([&] { return w.store->waiting(id_number(1), 0, 1)->at(0).row.next_ms > now_ms(); });
  for (std::uint64_t n = 2; n < 6; ++n) {
    w.submit(n, {"far@other.example"});
    Got next = w.job(*other);
    CHECK(next.job.id == id_number(n));
    other->channel->send(next.serial, World::answer(next, Kind::kDone));
  }
  CHECK(w.silent(*w.deliverer));
}

TEST_CASE("deliveries: who sent a message that cannot be read any more hears of it") {
  World w;
  w.submit(1, {"far1@away.example"});
  Got g = w.job();
  w.between.no_bodies = true;
  w.reply(g, Kind::kPermanent, "550 5.1.1 nobody", "5.1.1");
  w.wait_until_waiting(0);
  CHECK(has(w.newest(7), "550 5.1.1 nobody"));
}

TEST_CASE("deliveries: what is released goes where the address leads now") {
  struct Row {
    const char* address;
    std::uint64_t waiting, in_mailbox;
    bool held;
    const char* goes_to;
  };
  const Row rows[] = {
      {"u1@example.org", 0, 1, false, ""},
      {"two@example.org", 1, 1, false, "far@away.example"},
      // one row cannot be two: it stays as it is, and no copy is lost
      {"many@example.org", 1, 0, true, "many@example.org"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.address);
    TemporaryStore store;
    auto accept = store::testing::message(1, "Subject: hi\r\n\r\nbody\r\n", {});
    accept.arrival_ms = now_ms();
    store::Waiting released;
    released.address = row.address;
    released.hop = kLocalHop;
    accept.waiting = {released};
    const store::Change change = accept;
    REQUIRE(store->apply(std::span(&change, 1)).at(0));
    TestOffice office(*store);
    auto deliverer = office.connect(Role::kSmtpDeliver);
    auto look = [&] { return store->waiting(id_number(1), 0, 10).value(); };
    office.run_until([&] {
      return look().size() == row.waiting &&
             (look().empty() || look()[0].row.hop != kLocalHop || look()[0].row.held);
    });
    if (row.waiting == 0) continue;
    CHECK(look()[0].row.held == row.held);
    CHECK(look()[0].row.address == row.goes_to);
    CHECK(store->usage(1)->messages == row.in_mailbox);
  }
}

TEST_CASE("notices: of a body that was cut short, what is there is told") {
  char name[] = "/tmp/deliveries_test.XXXXXX";
  store::Content content;
  content.file = po::Fd(::mkstemp(name));
  REQUIRE(content.file);
  ::unlink(name);
  REQUIRE(::write(content.file.get(), "abcdef", 6) == 6);
  content.body_size = 100;
  CHECK(beginning_of(content, 50).value_or("failed") == "abcdef");
  CHECK(beginning_of(content, 3).value_or("failed") == "abc");
}

TEST_CASE("deliveries: a dead hop delays no other, and its recipients are not tried meanwhile") {
  World w;
  for (std::uint64_t n = 1; n <= 20; ++n) w.submit(n, {"far@dead.example"});
  for (int i = 0; i < 2; ++i) {
    Got g = w.job();
    JobDone done = World::answer(g, Kind::kTemporary, "no host answers", "4.4.1");
    done.hop = HopState::kUnavailable;
    done.host.clear();
    w.reply(g, done);
  }
  w.submit(30, {"far@alive.example"});
  Got g = w.job();
  while (g.job.hop.name == "dead.example") g = w.job();  // what was on its way
  CHECK(g.job.hop.name == "alive.example");
  w.reply(g, Kind::kDone);
  w.wait_until_waiting(20);
  CHECK(w.silent(*w.deliverer));
}

TEST_CASE("deliveries: a message that went through too many hosts is returned, if it is a large one too") {
  World w;
  std::string body;
  for (int i = 0; i < 101; ++i) body += "Received: from a by b\r\n";
  body += "\r\n" + std::string(300'000, 'B');
  po::Fd file;
  REQUIRE(w.office.ask<BodyFile>(*w.smtpd, OpenBody{id_number(1)}, &file).kind == Kind::kDone);
  store::testing::write_all(file.get(), body);
  Submit s = submission(1, body, {"far@away.example"});
  s.sender = "u7@example.org";
  s.body.clear();
  s.in_file = true;
  w.submit(s);
  w.wait_until_waiting(0);
  CHECK(has(w.newest(7), "Status: 5.4.6"));
  CHECK(w.silent(*w.deliverer));
}

TEST_CASE("domain starts: what waits for a domain goes out now, and is counted by messages") {
  World w;
  w.submit(1, {"far1@away.example", "far2@away.example"});
  w.reply(w.job(), Kind::kTemporary, "450 no", "4.0.0");
  w.submit(2, {"far@sub.away.example"});
  w.reply(w.job(), Kind::kTemporary, "450 no", "4.0.0");
  w.submit(3, {"far@notaway.example"});
  Got g = w.job();
  JobDone dead = World::answer(g, Kind::kTemporary, "no host answers", "4.4.1");
  dead.hop = HopState::kUnavailable;
  w.reply(g, dead);
  w.submit(4, {"held@away.example"});
  for (std::uint64_t n : {1, 2, 3}) {
    w.office.run_until([&] { return w.store->waiting(id_number(n), 0, 1)->at(0).row.attempts == 1; });
  }
  auto start = [&w](const char* domain, bool under) {
    Started s = w.office.ask<Started>(*w.smtpd, StartDomain{domain, under});
    CHECK(s.known);
    return s.messages;
  };
  CHECK(start("elsewhere.example", true) == 0);
  CHECK(w.silent(*w.deliverer));
  SECTION("itself") {
    CHECK(start("away.example", false) == 1);
    g = w.job();
    CHECK(g.job.id == id_number(1));
    CHECK(g.job.recipients.size() == 2);
    CHECK(w.silent(*w.deliverer));
    CHECK(w.store->waiting(id_number(4), 0, 1)->at(0).row.held);
  }
  SECTION("and what is under it") {
    CHECK(start("away.example", true) == 2);
    std::set<po::MessageId> ids = {w.job().job.id, w.job().job.id};
    CHECK(ids == std::set<po::MessageId>{id_number(1), id_number(2)});
    // What is in flight is counted, and not sent twice.
    CHECK(start("away.example", true) == 2);
    CHECK(w.silent(*w.deliverer));
  }
  SECTION("a hop that could not be reached is tried all the same") {
    CHECK(start("notaway.example", false) == 1);
    CHECK(w.job().job.id == id_number(3));
  }
}

TEST_CASE("domain starts: a queue of several pieces is walked to its end") {
  World w;
  for (std::uint64_t n = 1; n <= 30; ++n) {
    store::Accept a = store::testing::message(n, "x", {});
    for (int i = 0; i < 40; ++i) {
      a.waiting.push_back(
          store::testing::recipient("far@away.example", "away.example", 0, now_ms() + kHourMs));
    }
    REQUIRE(store::testing::do_one(*w.store, a));
  }
  Started s = w.office.ask<Started>(*w.smtpd, StartDomain{"away.example", false});
  CHECK(s.known);
  CHECK(s.messages == 30);
  CHECK(w.job().job.recipients.size() == 40);
}

TEST_CASE("domain starts: which addresses are in a domain") {
  struct {
    const char *address, *domain;
    bool itself, under;
  } const table[] = {
      {"a@podunk.edu", "podunk.edu", true, true},
      {"a@cs.podunk.edu", "podunk.edu", false, true},
      {"a@notpodunk.edu", "podunk.edu", false, false},
      {"a@edu", "podunk.edu", false, false},
      {"a@podunk.edu.x.org", "podunk.edu", false, false},
      {"a@podunk.edu", "", false, false},
      {"a", "podunk.edu", false, false},
      {"podunk.edu@x.org", "podunk.edu", false, false},
  };
  for (const auto& t : table) {
    CAPTURE(t.address, t.domain);
    CHECK(is_in_domain(t.address, t.domain, false) == t.itself);
    CHECK(is_in_domain(t.address, t.domain, true) == t.under);
  }
}
