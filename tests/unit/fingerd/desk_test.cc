// The Desk on a real directory, written by its real writer.
#include "fingerd/desk.h"

#include <stdlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "fingerd/answer.h"
#include "lib/directory/writer.h"

using namespace fingerd;
using Catch::Matchers::Contains;

namespace {

class Office {
 public:
  Office() {
    char name[] = "/tmp/fingerd-test-XXXXXX";
    path_ = std::string(::mkdtemp(name));
    auto writer = directory::Writer::open({.path = path_ + "/directory", .hostname = "mx.podunk.edu"});
    REQUIRE(writer);
    writer_ = std::move(*writer);
    auto reader = directory::Reader::open(path_ + "/directory", "mx.podunk.edu");
    REQUIRE(reader);
    reader_.emplace(std::move(*reader));
    desk_.emplace(*reader_, "mx.podunk.edu");
  }
  ~Office() { std::filesystem::remove_all(path_); }
  Office(const Office&) = delete;
  Office& operator=(const Office&) = delete;

  std::uint64_t add(const std::string& name, std::vector<std::string> addresses, std::string login = {},
                    bool allowed = true, bool locked = false) {
    directory::Account a;
    a.name = name;
    a.addresses = std::move(addresses);
    a.pop_login = std::move(login);
    a.forwarding = {"hidden@elsewhere.example"};
    a.finger_allowed = allowed;
    a.locked = locked;
    auto change = writer_->begin();
    REQUIRE(change);
    auto id = change->add(std::move(a));
    REQUIRE(id);
    REQUIRE(change->commit());
    return *id;
  }
  void add_many(std::size_t count, bool allowed) {
    auto change = writer_->begin();
    REQUIRE(change);
    for (std::size_t i = 0; i < count; ++i) {
      directory::Account a;
      a.name = "One of many";
      a.addresses = {"many" + std::to_string(++many_) + "@podunk.edu"};
      a.finger_allowed = allowed;
      REQUIRE(change->add(std::move(a)));
    }
    REQUIRE(change->commit());
  }
  void set(directory::Settings settings) {
    auto change = writer_->begin();
    REQUIRE(change);
    REQUIRE(change->set_settings(std::move(settings)));
    REQUIRE(change->commit());
  }

  Answer ask(std::string_view line) {
    auto settings = reader_->settings();
    REQUIRE(settings);
    return desk_->answer(parse_query(line), **settings);
  }
  /// The log's word and the account that was shown: "shown 2".
  std::string outcome(std::string_view line) {
    Answer answer = ask(line);
    CHECK_THAT(answer.text, !Contains("hidden"));
    CHECK(answer.text.ends_with("\r\n"));
    return answer.outcome + (answer.account != 0 ? " " + std::to_string(answer.account) : "");
  }

 private:
  std::string path_;
  std::unique_ptr<directory::Writer> writer_;
  std::optional<directory::Reader> reader_;
  std::optional<Desk> desk_;
  std::size_t many_ = 0;
};

directory::Settings two_domains() {
  directory::Settings settings;
  settings.local_domains = {"podunk.edu", "second.example"};
  settings.completion_domain = "podunk.edu";
  return settings;
}

}  // namespace

TEST_CASE("the Postmaster of a new system, as the Guide prints it") {
  Office office;
  CHECK(office.ask("postmaster").text ==
        "[mx.podunk.edu]\r\n"
        "Account Name: Mail Administrator\r\n"
        "Email address: Postmaster@mx.podunk.edu\r\n"
        "------\r\n"
        "mail system administrator.\r\n");
  directory::Settings settings;
  settings.finger_host_line = false;
  office.set(settings);
  CHECK_THAT(office.ask("postmaster").text, Catch::StartsWith("Account Name: Mail Administrator\r\n"));
}

TEST_CASE("who is found by which name") {
  Office office;
  office.set(two_domains());
  office.add("Jane Lee", {"Jane.Lee@podunk.edu", "jane@mx.podunk.edu", "jane@away.example"}, "jlee");  // 2
  office.add("Other Jane", {"jane@second.example", "\"j j\"@second.example"});                         // 3
  office.add("Login only", {"x@second.example"}, "second-login");                                      // 4
  office.add("Shy", {"shy@podunk.edu", "shy@away.example"}, "shylock", false);                         // 5
  office.add("Locked", {"locked@podunk.edu"}, "locked", true, true);                                   // 6
  struct Case {
    std::string_view line, outcome;
  };
  const Case cases[] = {
      {"jane.lee", "shown 2"},  // by the completion domain
      {"JANE.LEE", "shown 2"},
      {"/W jane.lee", "shown 2"},
      {"jane", "shown 2"},  // by this host's name
      {"jlee", "shown 2"},  // by the log-in name
      {"JLee", "shown 2"},
      {"jane.lee@podunk.edu", "shown 2"},  // the domain's form
      {"jane@mx.podunk.edu", "shown 2"},   // and the host's
      {"jane@MX.Podunk.EDU", "shown 2"},
      {"jlee@mx.podunk.edu", "shown 2"},
      {"jlee@podunk.edu", "no-account"},  // no address, and log-in names belong to the host
      {"jane@away.example", "shown 2"},   // an address of an account, whoever else has the domain
      {"jane@podunk.edu", "no-account"},
      {"jane@second.example", "shown 3"},
      {"\"j j\"@second.example", "shown 3"},
      {"second-login", "shown 4"},
      {"jane.lee+finger", "no-account"},  // nothing is followed
      {"jane lee", "no-account"},         // nor are real names looked through
      {"locked", "shown 6"},
      {"shy", "no-account"},
      {"shylock", "no-account"},
      {"shy@podunk.edu", "no-account"},
      {"shy@away.example", "not-forwarded"},
      {"nobody@away.example", "not-forwarded"},
      {"nobody", "no-account"},
      {"nobody@second.example", "no-account"},
      {"postmaster", "shown 1"},
      {"PostMaster@second.example", "shown 1"},
      {"postmaster@podunk.edu", "shown 1"},
      {"postmaster@away.example", "not-forwarded"},
      {"jane@[192.0.2.1]", "not-forwarded"},
      {"jane@no_host$", "not-forwarded"},
      {"jane.lee@podunk.edu@mx.podunk.edu", "not-forwarded"},
      {"@mx.podunk.edu@mx.podunk.edu", "not-forwarded"},
      {"@away.example", "not-forwarded"},
      {"@podunk.edu", "not-listed"},
      {"", "not-listed"},
      {"/W", "not-listed"},
  };
  for (const auto& [line, outcome] : cases) {
    INFO(line);
    CHECK(office.outcome(line) == outcome);
  }
  std::string text = office.ask("jane").text;
  CHECK_THAT(text, Contains("Email address: Jane.Lee@podunk.edu\r\n"));
  CHECK_THAT(text, !Contains("jane@mx") && !Contains("jlee"));
  CHECK(office.ask(std::string(512, 'x')).outcome == std::string("no-account"));  // longer than any key
}

TEST_CASE("who does not allow finger is not there") {
  Office office;
  office.set(two_domains());
  office.add("Shy", {"aaaa@podunk.edu"}, "", false);
  std::string hidden = office.ask("aaaa").text, absent = office.ask("bbbb").text;
  CHECK(hidden == "There is no account aaaa here.\r\n");
  CHECK(absent == "There is no account bbbb here.\r\n");
  std::string away = office.ask("cccc@away.example").text;
  office.add("Shy away", {"cccc@away.example"}, "", false);
  CHECK(office.ask("cccc@away.example").text == away);
}

TEST_CASE("a list, if it may be had") {
  Office office;
  directory::Settings settings = two_domains();
  CHECK(office.ask("").text ==
        "Accounts are not listed here; ask for one, as in finger postmaster@mx.podunk.edu.\r\n");
  settings.finger_list = true;
  office.set(settings);
  office.add("Zoe", {"zoe@podunk.edu", "z@podunk.edu"});
  office.add("Shy", {"shy@podunk.edu"}, "", false);
  office.add("Adam", {"adam@podunk.edu"});
  for (const char* line : {"", "/W ", "@podunk.edu", "@mx.podunk.edu"}) {
    INFO(line);
    CHECK(office.ask(line).text ==
          "[mx.podunk.edu]\r\nMail Administrator <Postmaster@mx.podunk.edu>\r\nZoe <zoe@podunk.edu>\r\n"
          "Adam <adam@podunk.edu>\r\n");
  }
}

TEST_CASE("a list has its bounds") {
  Office office;
  directory::Settings settings = two_domains();
  settings.finger_list = true;
  settings.finger_host_line = false;
  office.set(settings);
  auto lines = [&] {
    std::string text = office.ask("").text;
    return std::count(text.begin(), text.end(), '\n');
  };
  office.add_many(kMostListed - 1, true);  // and the Postmaster
  CHECK(lines() == kMostListed);
  CHECK_THAT(office.ask("").text, !Contains("There are more"));
  office.add_many(1, false);
  CHECK(lines() == kMostListed);
  office.add_many(1, true);
  CHECK(lines() == kMostListed + 1);
  CHECK_THAT(office.ask("").text,
             Catch::EndsWith("There are more accounts than these; ask for one by its name or address.\r\n"));
}

TEST_CASE("those who are not listed are not looked through without end") {
  Office office;
  directory::Settings settings = two_domains();
  settings.finger_list = true;
  office.set(settings);
  office.add_many(Desk::kMostLookedAt - 1, false);
  office.add("Too late", {"late@podunk.edu"});
  CHECK_THAT(office.ask("").text, !Contains("Too late") && Contains("There are more"));
}
