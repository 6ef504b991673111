// Server with a real store, real threads and socket pairs; a fault store between where the store must fail.
#include "queue/server.h"

#include <catch2/catch.hpp>

#include "lib/order.h"
#include "lib/order_desk.h"
#include "lib/web_messages.h"
#include "tests/unit/queue/test_office.h"
#include "tests/unit/store/faulty_store.h"
#include "tests/unit/store/temporary_store.h"

using namespace queue;
using namespace po::messages;
using po::Channel;
using po::Fd;
using po::Kind;
using queue::testing::submission;
using queue::testing::TestOffice;
using queue::testing::TestPeer;
using store::testing::FaultyStore;
using store::testing::id_number;
using store::testing::TemporaryStore;

TEST_CASE("a message goes in by smtpd's pipe and out by pop3d's") {
  TemporaryStore temporary;
  TestOffice office(*temporary);
  auto smtpd = office.connect(Role::kSmtpd), pop3d = office.connect(Role::kPop3d);
  auto submitted = office.ask<Submitted>(*smtpd, submission(1, "Hi\r\n", {"u7@x", "u8@x", "u7@y"}));
  CHECK(submitted.kind == Kind::kDone);
  CHECK(office.ask<Stored>(*smtpd, AskStored{id_number(1)}).stored);
  CHECK_FALSE(office.ask<Stored>(*smtpd, AskStored{id_number(2)}).stored);
  CHECK(office.ask<Usage>(*smtpd, AskUsage{7}).messages == 1);

  Mailbox box = office.open_mailbox(*pop3d, 7);
  REQUIRE(box.kind == Kind::kDone);
  REQUIRE(box.entries.size() == 1);
  CHECK_FALSE(box.more);
  auto m = office.ask<Message>(*pop3d, Retrieve{box.handle, id_number(1)});
  CHECK(m.kind == Kind::kDone);
  CHECK(m.prefix == "Return-Path: <me@example.org>\r\nDelivered-To: u7@x\r\n");
  CHECK(m.body == "Hi\r\n");
  CHECK(box.entries[0].size == m.prefix.size() + m.body.size());

  CHECK(office.ask<Expunged>(*pop3d, Expunge{box.handle, {id_number(1), id_number(9)}}).kind == Kind::kDone);
  CHECK(office.ask<Message>(*pop3d, Retrieve{box.handle, id_number(1)}).kind == Kind::kPermanent);
  CHECK(office.ask<Usage>(*smtpd, AskUsage{7}).messages == 0);
  CHECK(office.ask<Usage>(*smtpd, AskUsage{8}).messages == 1);
}

TEST_CASE("a large body goes through a file that belongs to its pipe") {
  TemporaryStore temporary;
  TestOffice office(*temporary);
  auto smtpd = office.connect(Role::kSmtpd), other = office.connect(Role::kSmtpd);
  auto pop3d = office.connect(Role::kPop3d);
  std::string body(300'000, 'B');
  Fd file;
  CHECK(office.ask<BodyFile>(*smtpd, OpenBody{id_number(1)}, &file).kind == Kind::kDone);
  REQUIRE(file);
  CHECK(office.ask<BodyFile>(*other, OpenBody{id_number(1)}).kind == Kind::kPermanent);
  store::testing::write_all(file.get(), body);
  Submit s = submission(1, body, {"u7@x"});
  s.body.clear();
  s.in_file = true;
  CHECK(office.ask<Submitted>(*other, s).kind == Kind::kPermanent);  // not its file
  CHECK(office.ask<Submitted>(*smtpd, s).kind == Kind::kDone);
  Mailbox box = office.open_mailbox(*pop3d, 7);
  Fd content;
  auto m = office.ask<Message>(*pop3d, Retrieve{box.handle, id_number(1)}, &content);
  CHECK(m.body.empty());
  CHECK(m.body_size == body.size());
  REQUIRE(content);
  char first = 0;
  CHECK(::pread(content.get(), &first, 1, 299'999) == 1);
  CHECK(first == 'B');
  CHECK(::write(content.get(), "x", 1) < 0);  // read-only

  // Wrong checksum: refused, and the file is gone.
  REQUIRE(office.ask<BodyFile>(*smtpd, OpenBody{id_number(2)}, &file).kind == Kind::kDone);
  s.id = id_number(2);
  CHECK(office.ask<Submitted>(*smtpd, s).kind == Kind::kPermanent);
  // Dropped, or left when the pipe closes: gone too.
  REQUIRE(office.ask<BodyFile>(*smtpd, OpenBody{id_number(3)}, &file).kind == Kind::kDone);
  REQUIRE(office.ask<BodyFile>(*smtpd, OpenBody{id_number(4)}, &file).kind == Kind::kDone);
  smtpd->channel->send(0, DropBody{id_number(3)});
  office.run_until([&] { return !std::filesystem::exists(temporary.body_path(id_number(3)) + ".new"); });
  CHECK(std::filesystem::exists(temporary.body_path(id_number(4)) + ".new"));
  smtpd.reset();
  office.run_until([&] { return !std::filesystem::exists(temporary.body_path(id_number(4)) + ".new"); });
  CHECK_FALSE(std::filesystem::exists(temporary.body_path(id_number(2)) + ".new"));
}

TEST_CASE("a pipe gets nothing without a ticket, and nothing with another pipe's handle") {
  TemporaryStore temporary;
  TestOffice office(*temporary);
  auto smtpd = office.connect(Role::kSmtpd), a = office.connect(Role::kPop3d),
       b = office.connect(Role::kPop3d);
  REQUIRE(office.ask<Submitted>(*smtpd, submission(1, "x", {"u7@x"})).kind == Kind::kDone);
  CHECK(office.ask<Mailbox>(*a, OpenMailbox{"forged", "s"}).kind == Kind::kPermanent);
  Mailbox box = office.open_mailbox(*a, 7);
  CHECK(office.ask<Message>(*b, Retrieve{box.handle, id_number(1)}).kind == Kind::kPermanent);
  CHECK(office.ask<Expunged>(*b, Expunge{box.handle, {id_number(1)}}).kind == Kind::kPermanent);
  // Another account's message under one's own handle.
  Mailbox mine = office.open_mailbox(*b, 8);
  CHECK(mine.entries.empty());
  CHECK(office.ask<Message>(*b, Retrieve{mine.handle, id_number(1)}).kind == Kind::kPermanent);
  CHECK(office.ask<Expunged>(*b, Expunge{mine.handle, {id_number(1)}}).kind == Kind::kDone);
  CHECK(temporary->usage(7)->messages == 1);
  a->channel->send(0, CloseMailbox{box.handle});
  CHECK(office.ask<Message>(*a, Retrieve{box.handle, id_number(1)}).kind == Kind::kPermanent);
}

TEST_CASE("a frame that the role may not send drops the pipe and nothing else") {
  TemporaryStore temporary;
  TestOffice office(*temporary);
  auto smtpd = office.connect(Role::kSmtpd), pop3d = office.connect(Role::kPop3d),
       good = office.connect(Role::kSmtpd);
  smtpd->channel->send(1, Retrieve{1, id_number(1)});
  pop3d->channel->send(1, submission(1, "x", {"u7@x"}));
  office.run_until([&] { return smtpd->closed && pop3d->closed; });
  CHECK(office.ask<Submitted>(*good, submission(2, "x", {"u7@x"})).kind == Kind::kDone);
  CHECK_FALSE(temporary->is_stored(id_number(1)).value());
}

TEST_CASE("a question on a new pipe waits for what the old one submitted") {
  TemporaryStore temporary;
  TestOffice office(*temporary);
  for (std::uint64_t n = 1; n <= 50; ++n) {
    auto old_pipe = office.connect(Role::kSmtpd), new_pipe = office.connect(Role::kSmtpd);
    old_pipe->channel->send(1, submission(n, std::string(30'000, 'x'), {"u7@x"}));
    // The frame is read, and the change is with the writer, when the question comes.
    auto before = office.server().counters().served;
    event_base_loop(office.loop().base(), EVLOOP_NONBLOCK);
    event_base_loop(office.loop().base(), EVLOOP_NONBLOCK);
    old_pipe.reset();
    auto answer = office.ask<Stored>(*new_pipe, AskStored{id_number(n)});
    CHECK(answer.known);
    CHECK(answer.stored);
    CHECK(office.server().counters().served == before + 1);
  }
}

TEST_CASE("no free disk space is said as such, and is over when it is") {
  TemporaryStore temporary;
  TestOffice office(*temporary);
  office.min_free = UINT64_MAX;
  auto smtpd = office.connect(Role::kSmtpd);
  auto refused = office.ask<Submitted>(*smtpd, submission(1, "x", {"u7@x"}));
  CHECK(refused.kind == Kind::kTemporary);
  CHECK(refused.no_space);
  CHECK(office.ask<BodyFile>(*smtpd, OpenBody{id_number(2)}).no_space);
  office.min_free = 0;
  std::this_thread::sleep_for(std::chrono::milliseconds(1050));
  CHECK(office.ask<Submitted>(*smtpd, submission(1, "x", {"u7@x"})).kind == Kind::kDone);
}

TEST_CASE("a mailbox of many messages is listed in several frames") {
  TemporaryStore temporary;
  for (std::uint64_t n = 0; n < 45'000;) {
    std::vector<store::Change> batch;
    for (int i = 0; i < 1000; ++i) batch.emplace_back(store::testing::message(++n, "x", {7}));
    for (const auto& r : temporary->apply(batch)) REQUIRE(r);
  }
  TestOffice office(*temporary);
  auto pop3d = office.connect(Role::kPop3d);
  Mailbox frame = office.open_mailbox(*pop3d, 7);
  std::uint64_t n = 0;
  for (;; frame = office.wait_for<Mailbox>(*pop3d)) {
    for (const MailboxEntry& e : frame.entries) REQUIRE(e.id == id_number(++n));
    if (!frame.more) break;
  }
  CHECK(n == 45'000);
}

TEST_CASE("with an unknown outcome nothing is answered, and the process is to end") {
  TemporaryStore temporary;
  FaultyStore faulty(*temporary, 1, {0.0, 1.0});
  TestOffice office(faulty);
  auto smtpd = office.connect(Role::kSmtpd);
  smtpd->channel->send(1, submission(1, "x", {"u7@x"}));
  office.run_until([&] { return office.lost; });
  CHECK(smtpd->got.empty());
}

TEST_CASE("with a store that is unavailable at times, done means done and temporary means not there") {
  TemporaryStore temporary;
  FaultyStore faulty(*temporary, 3, {0.3, 0.0});
  TestOffice office(faulty);
  auto smtpd = office.connect(Role::kSmtpd);
  int done = 0, temporary_answers = 0;
  for (std::uint64_t n = 1; n <= 200; ++n) {
    auto answer = office.ask<Submitted>(*smtpd, submission(n, "x", {"u7@x"}));
    CHECK(temporary->is_stored(id_number(n)) == (answer.kind == Kind::kDone));
    ++(answer.kind == Kind::kDone ? done : temporary_answers);
  }
  CHECK(done > 50);
  CHECK(temporary_answers > 20);
  CHECK(temporary->usage(7)->messages == static_cast<std::uint64_t>(done));
}

TEST_CASE("stop waits for the peers and for what is on its way") {
  TemporaryStore temporary;
  TestOffice office(*temporary);
  auto smtpd = office.connect(Role::kSmtpd);
  office.server().on_stop(5);
  CHECK_FALSE(office.finished);
  CHECK(office.ask<Submitted>(*smtpd, submission(1, "x", {"u7@x"})).kind == Kind::kDone);
  CHECK_FALSE(office.finished);
  smtpd.reset();
  office.run_until([&] { return office.finished; });
}

TEST_CASE("administrators' commands are answered on their own connection") {
  TemporaryStore temporary;
  TestOffice office(*temporary);
  auto smtpd = office.connect(Role::kSmtpd);
  REQUIRE(office.ask<Submitted>(*smtpd, submission(1, "x", {"u7@x"})).kind == Kind::kDone);
  struct {
    std::vector<std::string> words;
    std::uint8_t exit_code;
    const char* part;
  } const table[] = {
      {{"queue", "status"}, 0, "Messages:             1 (1 octets)"},
      {{"queue", "status", "--json"}, 0, "\"messages\":1,\"octets\":1,\"mailboxes\":1,\"entries\":1"},
      {{"mailbox", "u7@x"}, 0, "Messages:             1"},
      {{"mailbox", "--json", "u7@x"}, 0, "\"newest\":[{\"id\":\""},
      {{"mailbox", "no address"}, 1, ""},
      {{"queue", "flush"}, 64, ""},
  };
  for (const auto& row : table) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    TestPeer client;
    client.channel = std::make_unique<Channel>(
        office.loop(), Fd(fds[0]),
        [&client](po::Frame& f) {
          client.got.push_back({f.type, f.serial, std::string(f.payload), {}});
          return true;
        },
        [&client](std::string_view) { client.closed = true; });
    std::string payload = po::wire::encode(PassCommand{row.words});
    po::Frame frame{PassCommand::kType, 0, payload, Fd(fds[1])};
    REQUIRE(office.server().on_control(frame));
    auto output = office.wait_for<CommandOutput>(client);
    INFO(output.out << output.err);
    CHECK(output.exit_code == row.exit_code);
    CHECK(output.out.find(row.part) != std::string::npos);
    CHECK(output.end);
    office.run_until([&] { return client.closed; });
  }
}

namespace {

std::string order(std::vector<std::string> words, std::uint64_t issued_ms = po::ticket_now_ms(),
                  const Key& key = queue::testing::kOrderKey) {
  static std::uint64_t nonce = 0;
  return po::seal_order(key, {std::move(words), 7, issued_ms, ++nonce});
}

/// Three held recipients in the queue.
void hold_three(store::Store& store) {
  std::vector<store::Change> batch;
  for (std::uint64_t n = 1; n <= 3; ++n) {
    auto accept = store::testing::message(n, "Subject: x\r\n\r\nx\r\n", {});
    store::Waiting w;
    w.address = "a@far.example";
    w.hop = "far.example";
    w.held = true;
    accept.waiting.push_back(w);
    batch.emplace_back(std::move(accept));
  }
  for (const auto& r : store.apply(batch)) REQUIRE(r);
}

std::size_t held(const store::Store& store) {
  auto rows = store.all_waiting({}, 100).value();
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [](const auto& r) { return r.row.held; }));
}

}  // namespace

TEST_CASE("an order that wwwd brings is carried out once, word for word") {
  TemporaryStore temporary;
  hold_three(*temporary);
  TestOffice office(*temporary);
  auto wwwd = office.connect(Role::kWwwd);
  std::string release = order({"queue", "release", id_number(1).text()});
  wwwd->channel->send(31, CarryOut{release});
  office.run_until([&] { return !wwwd->got.empty(); });
  CHECK(wwwd->got.front().serial == 31);
  auto output = office.wait_for<CommandOutput>(*wwwd);
  while (!output.end) output = office.wait_for<CommandOutput>(*wwwd);
  CHECK(output.exit_code == 0);
  CHECK(held(*temporary) == 2);
  auto list =
      office.ask<CommandOutput>(*wwwd, CarryOut{order({"queue", "list", "--json", "--state", "held"})});
  CHECK(std::count(list.out.begin(), list.out.end(), '\n') == 2);
  CHECK(list.end);
  CHECK(office.ask<CommandOutput>(*wwwd, CarryOut{order({"queue", "dance"})}).exit_code == po::kExitUsage);
}

TEST_CASE("an order that is bad, old, of another key or used before does nothing") {
  TemporaryStore temporary;
  hold_three(*temporary);
  TestOffice office(*temporary);
  auto wwwd = office.connect(Role::kWwwd), other = office.connect(Role::kWwwd);
  const std::vector<std::string> words = {"queue", "release", "--all"};
  std::uint64_t now = po::ticket_now_ms();
  std::string changed = order(words);
  changed[8] ^= 1;
  std::string used = order({"queue", "status"});
  CHECK(office.ask<CommandOutput>(*wwwd, CarryOut{used}).exit_code == 0);
  const std::string bad[] = {"",
                             "queue release --all",
                             changed,
                             order(words).substr(1),
                             order(words) + "x",
                             order(words, now, queue::testing::kKey),
                             order(words, now > 31'000 ? now - 31'000 : 0),
                             order(words, now + 60'000),
                             used};
  for (TestPeer* peer : {wwwd.get(), other.get()}) {
    for (const std::string& b : bad) {
      auto output = office.ask<CommandOutput>(*peer, CarryOut{b});
      CHECK(output.exit_code == po::kExitNotAllowed);
      CHECK(output.end);
      CHECK(output.out.empty());
    }
  }
  CHECK(held(*temporary) == 3);
  CHECK(office.ask<CommandOutput>(*wwwd, CarryOut{order({"queue", "status"})}).exit_code == 0);
}

TEST_CASE("what nobody waits for any more ends, and so does all of a pipe that closes") {
  TemporaryStore temporary;
  TestOffice office(*temporary);
  auto wwwd = office.connect(Role::kWwwd);
  // Watching ends by itself never: each takes a place.
  for (std::size_t i = 0; i < po::OrderDesk::kMost; ++i)
    wwwd->channel->send(static_cast<std::uint32_t>(i + 1), CarryOut{order({"queue", "watch"})});
  auto first_end = [&](TestPeer& peer) {
    CommandOutput output;
    do output = office.wait_for<CommandOutput>(peer);
    while (!output.end);
    return output;
  };
  wwwd->channel->send(100, CarryOut{order({"queue", "status"})});
  CHECK(first_end(*wwwd).exit_code == po::kExitTemporary);
  // Half of those watched; the others waited in line behind them.
  for (std::uint32_t serial = 1; serial <= po::OrderDesk::kMost; ++serial)
    wwwd->channel->send(serial, Abandon{});
  wwwd->channel->send(101, CarryOut{order({"queue", "status"})});
  CHECK(first_end(*wwwd).exit_code == 0);

  for (std::size_t i = 0; i < po::OrderDesk::kMost; ++i)
    wwwd->channel->send(static_cast<std::uint32_t>(i + 1), CarryOut{order({"queue", "watch"})});
  wwwd->channel->send(102, CarryOut{order({"queue", "status"})});
  CHECK(first_end(*wwwd).exit_code == po::kExitTemporary);
  wwwd.reset();
  auto other = office.connect(Role::kWwwd);
  office.run_until([&] {
    return office.ask<CommandOutput>(*other, CarryOut{order({"queue", "status"})}).exit_code == 0;
  });
}

TEST_CASE("a wwwd that sends anything but orders loses its pipe") {
  TemporaryStore temporary;
  TestOffice office(*temporary);
  auto good = office.connect(Role::kWwwd);
  std::vector<std::unique_ptr<TestPeer>> bad;
  for (int i = 0; i < 4; ++i) bad.push_back(office.connect(Role::kWwwd));
  bad[0]->channel->send(1, submission(1, "x", {"u7@x"}));
  bad[1]->channel->send(
      1, OpenMailbox{po::seal_ticket(queue::testing::kKey, {7, po::ticket_now_ms(), 1, "s"}), "s"});
  bad[2]->channel->send(1, PassCommand{{"queue", "release", "--all"}});
  bad[3]->channel->send(1, Command{{"queue", "release", "--all"}, {}, false, {}});
  for (const auto& peer : bad) office.run_until([&] { return peer->closed; });
  CHECK_FALSE(temporary->is_stored(id_number(1)).value());
  CHECK(office.ask<CommandOutput>(*good, CarryOut{order({"queue", "status"})}).exit_code == 0);
  // An order on a pipe of another role is no frame of its.
  auto pop3d = office.connect(Role::kPop3d);
  pop3d->channel->send(1, CarryOut{order({"queue", "status"})});
  office.run_until([&] { return pop3d->closed; });
}
