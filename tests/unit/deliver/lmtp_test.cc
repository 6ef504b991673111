// Jobs of lmtp-deliver over real sockets, to a mail store of the test's own in the same loop.
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "deliver/lmtp/delivery.h"
#include "deliver/pool.h"
#include "lib/stream.h"

namespace {

using namespace po::messages;
using lmtp_deliver::Delivery;
using po::Fd;
using po::Kind;

/// What the store says to each command, by its first word; what is not in it is 250.
using Manners = std::map<std::string, std::string>;

struct Store : po::StreamHandler {
  Manners manners;
  std::vector<std::string> commands;
  std::string content;
  bool data = false, closing = false;
  std::unique_ptr<po::Stream> stream;

  Store(const po::Loop& loop, Manners m, Fd fd) : manners(std::move(m)) {
    stream = std::make_unique<po::Stream>(loop, std::move(fd), *this);
    say("connect", "220 store");
  }
  void say(const std::string& step, const std::string& otherwise) {
    auto at = manners.find(step);
    std::string text = at == manners.end() ? otherwise : at->second;
    if (closing) return;
    closing = text == "close";
    if (closing) return stream->close_after_flush();
    stream->write(text + "\r\n");
  }
  std::size_t on_input(std::string_view input) override {
    std::size_t used = 0;
    for (std::size_t end; (end = input.find("\r\n", used)) != std::string_view::npos; used = end + 2)
      on_line(std::string(input.substr(used, end - used)));
    return used;
  }
  void on_line(const std::string& line) {
    if (data && line != ".") {
      content += line + "\r\n";
    } else if (std::exchange(data, false)) {
      say("end", "250 2.0.0 taken");
    } else {
      commands.push_back(line);
      std::string word = line.substr(0, line.find(' '));
      data = word == "DATA" && !manners.contains("DATA");
      say(word, word == "LHLO" ? "250-store\r\n250-PIPELINING\r\n250 8BITMIME" : data ? "354 go" : "250 ok");
    }
  }
  void on_idle() override {}
  void on_closed(std::string_view) override {}
};

/// The server's part, with one store for each connection.
struct TestDesk : lmtp_deliver::Desk {
  po::Loop loop;
  std::deque<Manners> manners;  ///< of the next connections
  std::vector<std::unique_ptr<Store>> stores;
  std::vector<JobDone> answers;
  std::vector<std::unique_ptr<Delivery>> all;
  std::vector<Delivery*> again;
  bool running = false;  ///< the loop; a stop of one that does not run would end its next turn
  po::Event limit;
  deliver::Pool pool{loop};

  void give_back(deliver::Connection& connection) override { pool.give(connection); }
  void wait_again(Delivery& delivery) override {
    again.push_back(&delivery);
    loop.stop();
  }
  bool store_works() override { return pool.working("store") > 0; }
  void on_done(Delivery&, const JobDone& answer) override {
    answers.push_back(answer);
    if (running) loop.stop();
  }

  Delivery& job(const std::string& body = "Subject: x\r\n\r\n.hi\r\n") {
    auto job = std::make_shared<MaildropJob>();
    job->n = 7;
    job->login = "jane";
    job->sender = "a@b.example";
    job->address = "jane.lee@podunk.edu";
    job->size = body.size();
    job->body = body;
    all.push_back(std::make_unique<Delivery>(*this, 1, job, Fd()));
    return *all.back();
  }
  void use_new(Delivery& delivery) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    Manners m;
    if (!manners.empty()) {
      m = manners.front();
      manners.pop_front();
    }
    stores.push_back(std::make_unique<Store>(loop, m, Fd(ends[0])));
    deliver::Terms terms;
    terms.helo = "me.example";
    terms.tls = TlsLevel::kNone;
    terms.lmtp = true;
    delivery.use_new(pool.open({{}, {}, "store"}, std::move(terms), nullptr, delivery, Fd(ends[1])));
  }
  JobDone run() {
    std::size_t before = answers.size();
    limit.after(loop, std::chrono::seconds(60), [this] { loop.stop(); });
    running = true;
    loop.run();
    running = false;
    REQUIRE(answers.size() == before + 1);
    REQUIRE(answers.back().outcomes.size() == 1);
    CHECK(answers.back().outcomes[0].n == 7);
    return answers.back();
  }
};

struct Row {
  const char* what;
  Manners manners;
  HopState hop;
  Kind kind;
  const char* status;
};

}  // namespace

TEST_CASE("lmtp-deliver: what RCPT names a user by") {
  using lmtp_deliver::mailbox_of;
  CHECK(mailbox_of("jane") == "jane");
  CHECK(mailbox_of("jane.lee_1-2") == "jane.lee_1-2");
  CHECK(mailbox_of("jane..lee") == "\"jane..lee\"");
  CHECK(mailbox_of("jane.") == "\"jane.\"");
}

TEST_CASE("lmtp-deliver: a message goes to the store, and the connection carries the next one") {
  TestDesk desk;
  desk.use_new(desk.job());
  JobDone done = desk.run();
  CHECK(done.hop == HopState::kServed);
  CHECK(done.outcomes[0].kind == Kind::kDone);
  CHECK(done.outcomes[0].reply == "250 2.0.0 taken");
  CHECK(desk.stores[0]->commands ==
        std::vector<std::string>{"LHLO me.example", "MAIL FROM:<a@b.example>", "RCPT TO:<jane>", "DATA"});
  CHECK(desk.stores[0]->content == "X-Original-To: jane.lee@podunk.edu\r\nSubject: x\r\n\r\n..hi\r\n");
  deliver::Connection* kept = desk.pool.take("store");
  REQUIRE(kept != nullptr);
  desk.job("Subject: \xc3\xbc\r\n\r\n").use(*kept);
  CHECK(desk.run().outcomes[0].kind == Kind::kDone);
  CHECK(desk.stores[0]->commands.size() == 7);
  CHECK(desk.stores[0]->commands[4] == "MAIL FROM:<a@b.example> BODY=8BITMIME");
}

TEST_CASE("lmtp-deliver: what becomes of a message") {
  const Row rows[] = {
      {"no user", {{"RCPT", "550 5.1.1 no"}}, HopState::kServed, Kind::kPermanent, "5.1.1"},
      {"not now", {{"RCPT", "451 4.2.1 no"}}, HopState::kServed, Kind::kTemporary, "4.2.1"},
      {"full", {{"end", "552 5.2.2 full"}}, HopState::kServed, Kind::kPermanent, "5.2.2"},
      {"gone at the end", {{"end", "close"}}, HopState::kServed, Kind::kTemporary, "4.4.2"},
      {"gone before", {{"DATA", "close"}}, HopState::kServed, Kind::kTemporary, "4.4.2"},
      {"gone at once", {{"connect", "close"}}, HopState::kUnavailable, Kind::kTemporary, "4.4.2"},
      {"turned away", {{"connect", "554 5.3.2 no"}}, HopState::kUnavailable, Kind::kTemporary, "4.3.2"},
      {"no LMTP", {{"LHLO", "500 5.5.1 what"}}, HopState::kUnavailable, Kind::kTemporary, "4.5.1"},
      {"gone at MAIL", {{"MAIL", "close"}}, HopState::kUnavailable, Kind::kTemporary, "4.4.2"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    TestDesk desk;
    desk.manners.push_back(row.manners);
    desk.use_new(desk.job());
    JobDone done = desk.run();
    CHECK(done.hop == row.hop);
    CHECK(done.outcomes[0].kind == row.kind);
    CHECK(done.outcomes[0].status == row.status);
  }
}

TEST_CASE("lmtp-deliver: a connection that was kept too long is nobody's fault") {
  TestDesk desk;
  desk.use_new(desk.job());
  (void)desk.run();
  desk.stores[0]->manners["MAIL"] = "close";
  Delivery& second = desk.job();
  second.use(*desk.pool.take("store"));
  CHECK_FALSE(second.waits());
  desk.loop.run();
  REQUIRE(desk.again == std::vector<Delivery*>{&second});
  CHECK(second.waits());
  desk.use_new(second);
  CHECK(desk.run().outcomes[0].kind == Kind::kDone);
}

TEST_CASE("lmtp-deliver: a stop is no attempt, and waits for the answer to an end") {
  TestDesk desk;
  Delivery& waiting = desk.job();
  waiting.stop("4.3.2", "stopping", true);
  REQUIRE(desk.answers.size() == 1);
  CHECK(desk.answers[0].hop == HopState::kUnseen);
  CHECK(desk.answers[0].outcomes[0].status == "4.3.2");
  Delivery& begun = desk.job();
  desk.use_new(begun);
  begun.stop("4.3.2", "stopping", true);
  REQUIRE(desk.answers.size() == 2);
  CHECK(desk.answers[1].hop == HopState::kUnseen);
}

TEST_CASE("lmtp-deliver: without a connection the store is not there, unless it serves others") {
  TestDesk desk;
  desk.job().fail("the mail store does not answer");
  CHECK(desk.answers.back().hop == HopState::kUnavailable);
  CHECK(desk.answers.back().outcomes[0].reply == "the mail store does not answer");
  desk.use_new(desk.job());
  (void)desk.run();
  desk.job().fail("the mail store has too much to do");
  CHECK(desk.answers.back().hop == HopState::kBusy);
}

TEST_CASE("content: lines that come before it") {
  std::string body = "Subject: x\r\n";
  auto owner = std::make_shared<const std::string>(body);
  deliver::Content c(owner, body.size(), Fd(), "X-Original-To: a@b.example\r\n");
  std::string all;
  for (auto p = c.piece(0); !p.empty(); p = c.piece(all.size())) all += p;
  CHECK(all == "X-Original-To: a@b.example\r\nSubject: x\r\n");
  CHECK(c.size() == all.size());
  CHECK(c.piece(3).starts_with("riginal"));
  CHECK_FALSE(c.has_8bit());
}
