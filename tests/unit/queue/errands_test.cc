// Errands of the directory, carried out over a real store by the whole server.
#include "queue/errands.h"

#include <catch2/catch.hpp>

#include "queue/greeting.h"
#include "tests/unit/queue/test_office.h"

using namespace queue;
using namespace po::messages;
using directory::Errand;
using queue::testing::submission;
using queue::testing::TestOffice;
using store::testing::id_number;
using store::testing::message;
using store::testing::TemporaryStore;

namespace {

void fill(store::Store& store, std::uint64_t account, std::uint64_t first, std::uint64_t count) {
  std::vector<store::Change> batch;
  for (std::uint64_t n = first; n < first + count; ++n) batch.emplace_back(message(n, "x", {account}));
  for (const auto& r : store.apply(batch)) REQUIRE(r);
}

Errand errand(std::uint64_t generation, Errand::Kind kind, std::uint64_t account, std::uint64_t to = 0) {
  return {kind, account, to, "u" + std::to_string(account) + "@x", {generation, 0}};
}

constexpr auto kDelete = Errand::Kind::kDeleteMailbox, kHandOver = Errand::Kind::kHandOver,
               kGreet = Errand::Kind::kGreet;

void wait_for_mark(TestOffice& office, store::Store& store, std::uint64_t generation) {
  office.run_until([&] {
    auto mark = store.errand_mark();
    return mark && mark->generation == generation;
  });
}

}  // namespace

TEST_CASE("errands: mail is deleted, handed over, and a new account greeted, in order") {
  TemporaryStore temporary;
  fill(*temporary, 7, 1, 600);
  fill(*temporary, 8, 1000, 3);
  fill(*temporary, 9, 2000, 5);
  TestOffice office(*temporary, {errand(3, kHandOver, 7, 9), errand(4, kDelete, 8), errand(5, kGreet, 10)});
  office.gone = {7, 8};
  wait_for_mark(office, *temporary, 5);
  CHECK(temporary->usage(7)->messages == 0);
  CHECK(temporary->usage(8)->messages == 0);
  CHECK(temporary->usage(9)->messages == 605);
  auto greeting = temporary->list(10, {}, 10).value();
  REQUIRE(greeting.size() == 1);
  auto content = temporary->read(10, greeting[0].id).value();
  CHECK(content.prefix == "Return-Path: <>\r\nDelivered-To: u10@x\r\n");
  CHECK(content.body.find("Subject: Form: Greeting\r\n") != std::string::npos);
}

TEST_CASE("errands: what comes later is done when the directory says so, and nothing twice") {
  TemporaryStore temporary;
  {
    TestOffice office(*temporary, {errand(3, kGreet, 10)});
    wait_for_mark(office, *temporary, 3);
    office.errands.push_back(errand(4, kGreet, 11));
    office.server().on_directory_changed(4);
    wait_for_mark(office, *temporary, 4);
  }
  TestOffice office(*temporary, {errand(3, kGreet, 10), errand(4, kGreet, 11), errand(5, kGreet, 12)});
  wait_for_mark(office, *temporary, 5);
  for (std::uint64_t account : {10, 11, 12}) CHECK(temporary->usage(account)->messages == 1);
}

TEST_CASE("errands: an account that is there again keeps its mail; one that has gone is not greeted") {
  TemporaryStore temporary;
  fill(*temporary, 7, 1, 10);
  TestOffice office(*temporary, {errand(3, kDelete, 7), errand(4, kHandOver, 7, 9), errand(5, kGreet, 10)});
  office.gone = {10};
  wait_for_mark(office, *temporary, 5);
  CHECK(temporary->usage(7)->messages == 10);
  CHECK(temporary->usage(9)->messages == 0);
  CHECK(temporary->usage(10)->messages == 0);
}

TEST_CASE("errands: a mailbox that a client has open meanwhile has its messages gone, as deleted") {
  TemporaryStore temporary;
  fill(*temporary, 7, 1, 3);
  TestOffice office(*temporary);
  office.gone = {7};
  auto pop3d = office.connect(Role::kPop3d);
  Mailbox box = office.open_mailbox(*pop3d, 7);
  REQUIRE(box.entries.size() == 3);
  office.errands.push_back(errand(3, kHandOver, 7, 9));
  office.server().on_directory_changed(3);
  wait_for_mark(office, *temporary, 3);
  CHECK(office.ask<Message>(*pop3d, Retrieve{box.handle, id_number(1)}).kind == po::Kind::kPermanent);
  CHECK(office.ask<Expunged>(*pop3d, Expunge{box.handle, {id_number(1)}}).kind == po::Kind::kDone);
  CHECK(temporary->usage(9)->messages == 3);
  auto smtpd = office.connect(Role::kSmtpd);
  CHECK(office.ask<Submitted>(*smtpd, submission(500, "x", {"u9@x"})).kind == po::Kind::kDone);
}

TEST_CASE("errands: a directory that is behind the store is not gone through again") {
  TemporaryStore temporary;
  {
    TestOffice office(*temporary, {errand(30, kGreet, 10)});
    wait_for_mark(office, *temporary, 30);
  }
  TestOffice office(*temporary, {errand(3, kGreet, 10), errand(5, kGreet, 11)});
  office.generation = 5;
  office.run_until([&, n = 0]() mutable { return ++n > 20; });
  CHECK(temporary->usage(10)->messages == 1);
  CHECK(temporary->usage(11)->messages == 0);
  office.errands.push_back(errand(6, kGreet, 12));
  office.generation = 6;
  office.server().on_directory_changed(6);
  wait_for_mark(office, *temporary, 6);
  CHECK(temporary->usage(12)->messages == 1);
  CHECK(temporary->usage(11)->messages == 0);
}

TEST_CASE("the greeting: what a form says, in lines that every server takes") {
  directory::Account account;
  account.name = "J\xc3\xb6rg\r\nBcc: everybody";
  account.addresses = {"joerg@podunk.edu", "j@podunk.edu"};
  account.finger = {std::string(3000, 'x'), "\x1b[2J"};
  std::string text =
      make_greeting({account, {"Welcome.", "."}, "mail.podunk.edu", "Thu, 1 Jan 1970 00:00:00 +0000", "id"});
  CHECK(
      text.starts_with("To: joerg@podunk.edu\r\nFrom: Account-Manager <postmaster@mail.podunk.edu>\r\n"
                       "Reply-To: Account-Manager <postmaster@mail.podunk.edu>\r\n"));
  CHECK(text.find("MIME-Version: 1.0\r\n") != std::string::npos);
  CHECK(
      text.find("charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nInformation\r\n\r\nWelcome.\r\n") !=
      std::string::npos);
  CHECK(text.find("Your-Name:             [J\xc3\xb6rg??Bcc: everybody]\r\n") != std::string::npos);
  CHECK(text.find("Internet-Addresses:    [joerg@podunk.edu]\r\n                       [j@podunk.edu]\r\n") !=
        std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find("\r\n", at);
    REQUIRE(end != std::string::npos);
    CHECK(end - at <= 998);
    at = end + 2;
  }
  account.name = "Janie Lee";
  account.finger.clear();
  std::string own = make_greeting({account, {}, "mail.podunk.edu", "now", "id"});
  CHECK(own.find("An electronic mail account has just been opened for you.") != std::string::npos);
  CHECK(own.find("Finger-Information:    []\r\n") != std::string::npos);
  CHECK(own.find("charset=us-ascii") != std::string::npos);
}
