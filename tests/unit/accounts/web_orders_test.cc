#include "accounts/web_orders.h"

#include <catch2/catch.hpp>

using accounts::OrderRight;
using Words = std::vector<std::string>;

TEST_CASE("orders: a Postmaster any that is known, others the story and mailbox of their own") {
  constexpr auto kNone = OrderRight::kNone;
  constexpr auto kLooks = OrderRight::kLooks;
  constexpr auto kChanges = OrderRight::kChanges;
  directory::Account jane;
  jane.id = 2;
  jane.addresses = {"Jane@podunk.edu", "jane@xanadu.podunk.edu"};
  struct Row {
    Words words;
    OrderRight postmaster, user;
  };
  const Row rows[] = {
      {{}, kNone, kNone},
      {{"queue"}, kNone, kNone},
      {{"queue", "status"}, kLooks, kNone},
      {{"queue", "list", "--json"}, kLooks, kNone},
      {{"queue", "show", "A1"}, kLooks, kNone},
      {{"queue", "remove", "--all", "--discard"}, kChanges, kNone},
      {{"queue", "retry", "--all"}, kChanges, kNone},
      {{"queue", "hold", "--all"}, kChanges, kNone},
      {{"queue", "release", "--all"}, kChanges, kNone},
      {{"queue", "expire", "--all"}, kChanges, kNone},
      {{"queue", "reroute", "--all"}, kChanges, kNone},
      {{"queue", "invented"}, kNone, kNone},
      {{"QUEUE", "list"}, kNone, kNone},
      {{"route", "x@y.example"}, kLooks, kNone},
      {{"mailq"}, kLooks, kNone},
      {{"trace", "--json", "--own", "--limit=10", "--address=jane@podunk.edu"}, kLooks, kLooks},
      {{"trace", "--address=JANE@xanadu.PODUNK.edu", "--limit=10", "--own", "--address=jane@podunk.edu"},
       kLooks,
       kLooks},
      // Without --own it would show blind copies, and without a limit it is as long as the log.
      {{"trace", "--json", "--limit=10", "--address=jane@podunk.edu"}, kLooks, kNone},
      {{"trace", "--json", "--own", "--address=jane@podunk.edu"}, kLooks, kNone},
      {{"trace", "--json", "--own", "--limit=10"}, kLooks, kNone},
      {{"trace", "--own", "--limit=10", "--address=jane@podunk.edu", "--address=jo@podunk.edu"},
       kLooks,
       kNone},
      {{"trace", "--own", "--limit=10", "--address=jane@podunk.edu", "jo@podunk.edu"}, kLooks, kNone},
      {{"trace", "--own", "--limit=10", "--address", "jane@podunk.edu"}, kLooks, kNone},
      {{"trace", "--own", "--limit=10", "--address="}, kLooks, kNone},
      {{"trace", "--json", "jane@podunk.edu"}, kLooks, kNone},
      {{"trace", "--json", ""}, kLooks, kNone},
      {{"mailbox", "jane@podunk.edu", "--json"}, kLooks, kLooks},
      {{"mailbox", "jo@podunk.edu", "--json"}, kLooks, kNone},
      {{"mailbox", "--json", "jane@podunk.edu"}, kLooks, kNone},
      {{"stop"}, kNone, kNone},
      {{"account", "list"}, kNone, kNone},
  };
  for (const Row& row : rows) {
    CAPTURE(row.words);
    CHECK(accounts::order_right(row.words, jane, true) == row.postmaster);
    CHECK(accounts::order_right(row.words, jane, false) == row.user);
  }
  CHECK(accounts::order_right({"trace", "--json", ""}, {}, false) == kNone);
}

TEST_CASE("commands: what is not known to look only counts as a change") {
  struct Row {
    Words words;
    OrderRight right;
  };
  const Row rows[] = {
      {{}, OrderRight::kNone},
      {{"queue", "list"}, OrderRight::kNone},
      {{"stop"}, OrderRight::kNone},
      {{"account", "list"}, OrderRight::kLooks},
      {{"account", "remove", "x"}, OrderRight::kChanges},
      {{"account"}, OrderRight::kChanges},
      {{"form", "show", "mail-queue"}, OrderRight::kLooks},
      {{"form", "set", "mail-queue"}, OrderRight::kChanges},
      {{"relay-password", "list"}, OrderRight::kLooks},
      {{"relay-password", "set", "h", "u"}, OrderRight::kChanges},
  };
  for (const Row& row : rows) {
    CAPTURE(row.words);
    CHECK(accounts::command_right(row.words) == row.right);
  }
}
