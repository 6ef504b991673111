// Mail for mail drops: jobs to unix-deliver over real pipes, and what becomes of them without it.
#include <catch2/catch.hpp>

#include "queue/deliveries.h"
#include "tests/unit/queue/test_office.h"

using namespace queue;
using namespace po::messages;
using po::Kind;
using queue::testing::submission;
using queue::testing::TestOffice;
using queue::testing::TestPeer;
using store::testing::id_number;
using store::testing::TemporaryStore;

namespace {

struct World {
  TemporaryStore store;
  TestOffice office{*store};
  std::unique_ptr<TestPeer> smtpd = office.connect(Role::kSmtpd);
  std::unique_ptr<TestPeer> deliverer = office.connect(Role::kUnixDeliver);
  World() { queue::testing::drops = true; }
  ~World() { queue::testing::drops = true; }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void submit(std::uint64_t n, std::initializer_list<const char*> to, std::uint8_t notify = 0) {
    Submit s = submission(n, "Subject: hi\r\n\r\nbody\r\n", to);
    s.sender = "u9@example.org";
    for (auto& r : s.recipients) r.notify = notify;
    REQUIRE(office.ask<Submitted>(*smtpd, s).kind == Kind::kDone);
  }
  struct Got {
    std::uint32_t serial = 0;
    MaildropJob job;
  };
  Got job(TestPeer& peer) {
    office.run_until([&] { return !peer.got.empty(); });
    Got g;
    g.serial = peer.got.front().serial;
    g.job = office.wait_for<MaildropJob>(peer);
    return g;
  }
  Got job() { return job(*deliverer); }
  void reply(const Got& g, Kind kind, const char* words = "into the mail drop") {
    JobDone done;
    done.id = g.job.id;
    done.outcomes.push_back({g.job.n, kind, false, words, kind == Kind::kDone ? "2.0.0" : "4.3.0"});
    deliverer->channel->send(g.serial, done);
  }
  void wait_until_waiting(std::uint64_t n) {
    office.run_until([&] { return store->totals()->waiting == n; });
  }
};

}  // namespace

TEST_CASE("mail drops: a job for each, and what is delivered is gone") {
  World w;
  w.submit(1, {"d1@example.org", "both2@example.org", "u3@example.org"});
  CHECK(w.store->usage(2)->messages == 1);
  CHECK(w.store->usage(3)->messages == 1);
  World::Got a = w.job(), b = w.job();
  if (a.job.n > b.job.n) std::swap(a, b);
  CHECK(a.job.id == id_number(1));
  CHECK(a.job.login == "u1");
  CHECK(a.job.address == "d1@example.org");
  CHECK(a.job.sender == "u9@example.org");
  CHECK_FALSE(a.job.again);
  CHECK(a.job.body == "Subject: hi\r\n\r\nbody\r\n");
  CHECK(b.job.login == "u2");
  w.reply(a, Kind::kDone);
  w.wait_until_waiting(1);
  w.reply(b, Kind::kDone);
  w.wait_until_waiting(0);
}

TEST_CASE("mail drops: several addresses of one account are one message") {
  World w;
  w.submit(1, {"d1@example.org", "d1@second.example", "d1@third.example"});
  CHECK(w.store->totals()->waiting == 1);
}

TEST_CASE("mail drops: what had no answer is given out as such") {
  World w;
  w.submit(1, {"d1@example.org"});
  CHECK_FALSE(w.job().job.again);
  w.deliverer = w.office.connect(Role::kUnixDeliver);
  CHECK(w.job().job.again);
}

TEST_CASE("mail drops: what came before queue's start may be there already") {
  World w;
  w.submit(1, {"d1@example.org"});
  World::Got g = w.job();
  w.reply(g, Kind::kTemporary, "the disk is full");
  w.office.run_until([&] {
    auto rows = w.store->waiting(id_number(1), 0, 10);
    return rows && !rows->empty() && rows->front().row.attempts == 1;
  });
  auto rows = w.store->waiting(id_number(1), 0, 10).value();
  CHECK(rows[0].row.hop == kMaildropHop);
  CHECK(rows[0].row.last.back().reply == "the disk is full");
}

TEST_CASE("mail drops: whose account has none any more goes into its mailbox") {
  World w;
  w.deliverer.reset();
  w.office.run_until([&] { return true; });
  queue::testing::drops = true;
  w.submit(1, {"d1@example.org"});
  queue::testing::drops = false;
  w.deliverer = w.office.connect(Role::kUnixDeliver);
  w.wait_until_waiting(0);
  CHECK(w.store->usage(1)->messages == 1);
  CHECK(w.deliverer->got.empty());
}

TEST_CASE("mail drops: success is told as a delivery") {
  World w;
  w.submit(1, {"d1@example.org"}, kNotifySuccess);
  w.reply(w.job(), Kind::kDone);
  w.office.run_until([&] { return w.store->usage(9)->messages > 0; });
  auto notice = w.store->read(9, w.store->newest(9, 1)->at(0).id);
  CHECK(notice->body.find("Action: delivered") != std::string::npos);
}

TEST_CASE("mail drops: an answer about another costs the pipe") {
  World w;
  w.submit(1, {"d1@example.org"});
  World::Got g = w.job();
  g.job.n += 1;
  w.reply(g, Kind::kDone);
  w.office.run_until([&] { return w.deliverer->closed; });
  CHECK(w.store->totals()->waiting == 1);
}

TEST_CASE("mail drops: many that nobody can deliver now cost no time, and go when somebody can") {
  World w;
  w.deliverer.reset();
  auto smtp = w.office.connect(Role::kSmtpDeliver);
  for (std::uint64_t n = 1; n <= 300; ++n) w.submit(n, {"d1@example.org"});
  double before = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  w.office.run_until([&] { return std::chrono::steady_clock::now() > end; });
  CHECK(static_cast<double>(std::clock()) / CLOCKS_PER_SEC - before < 0.25);
  w.deliverer = w.office.connect(Role::kUnixDeliver);
  for (int i = 0; i < 300; ++i) w.reply(w.job(), Kind::kDone);
  w.wait_until_waiting(0);
}
