#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "lib/directory/reader.h"
#include "lib/directory/settings_table.h"
#include "lib/directory/writer.h"

using namespace directory;

namespace {

class TempFolder {
 public:
  TempFolder() {
    char name[] = "/tmp/directory-test-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string path(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct Both {
  TempFolder folder;
  std::unique_ptr<Writer> writer;
  Both() {
    auto opened = Writer::open({.path = folder.path("directory"), .hostname = "Mail.Podunk.EDU"});
    REQUIRE(opened);
    writer = std::move(*opened);
  }
  Reader reader() {
    auto opened = Reader::open(folder.path("directory"), "mail.podunk.edu");
    REQUIRE(opened);
    return std::move(*opened);
  }
};

Account account(std::string address, std::string login = {}) {
  Account a;
  a.name = "Name of " + address;
  a.addresses = {std::move(address)};
  a.pop_login = std::move(login);
  return a;
}

std::uint64_t add(Writer& w, Account a) {
  auto change = w.begin();
  REQUIRE(change);
  auto id = change->add(std::move(a));
  REQUIRE(id);
  REQUIRE(change->commit());
  return *id;
}

}  // namespace

TEST_CASE("a new directory holds the Postmaster and default settings") {
  Both both;
  CHECK(both.writer->generation() == 1);
  Reader reader = both.reader();
  auto postmaster = reader.account(kPostmaster);
  REQUIRE(postmaster);
  REQUIRE(*postmaster);
  CHECK((*postmaster)->addresses == std::vector<std::string>{"Postmaster@mail.podunk.edu"});
  CHECK((*postmaster)->finger == std::vector<std::string>{"mail system administrator."});
  auto settings = reader.settings();
  REQUIRE(settings);
  CHECK((*settings)->max_recipients == Settings{}.max_recipients);
  CHECK((*settings)->revision == 1);
}

TEST_CASE("there is one writer") {
  Both both;
  auto second = Writer::open({.path = both.folder.path("directory"), .hostname = "x"});
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == po::Kind::kTemporary);
  CHECK_THAT(second.error().text, Catch::Contains("in use"));
}

TEST_CASE("no reader before the directory is made") {
  TempFolder folder;
  auto reader = Reader::open(folder.path("directory"), "x");
  REQUIRE_FALSE(reader);
  CHECK(reader.error().kind == po::Kind::kTemporary);
}

TEST_CASE("where mail goes") {
  Both both;
  Settings settings;
  settings.local_domains = {"podunk.edu", "[192.0.2.1]"};
  settings.relay_domains = {"relay.example"};
  auto change = both.writer->begin();
  REQUIRE(change);
  REQUIRE(change->set_settings(settings));
  REQUIRE(change->add(account("Janie@podunk.edu")));
  Account forwarded = account("away@podunk.edu");
  forwarded.pop3_delivery = false;
  forwarded.forwarding = {"x@y.example"};
  REQUIRE(change->add(forwarded));
  Account copied = account("both@elsewhere.example");
  copied.forwarding = {"x@y.example"};
  REQUIRE(change->add(copied));
  REQUIRE(change->commit());
  Reader reader = both.reader();
  struct Row {
    const char* address;
    Verdict verdict;
    std::uint64_t account;
  };
  const Row rows[] = {
      {"janie@podunk.edu", Verdict::kLocal, 2},
      {"JANIE@podunk.edu", Verdict::kLocal, 2},
      {"away@podunk.edu", Verdict::kLocal, 3},
      {"both@elsewhere.example", Verdict::kLocal, 4},
      {"nobody@podunk.edu", Verdict::kUnknown, 0},
      {"nobody@mail.podunk.edu", Verdict::kUnknown, 0},
      {"nobody@sub.podunk.edu", Verdict::kRemote, 0},
      {"x@relay.example", Verdict::kRelayDomain, 0},
      {"postmaster@relay.example", Verdict::kRelayDomain, 0},
      {"x@far.example", Verdict::kRemote, 0},
      {"postmaster@far.example", Verdict::kRemote, 0},
      {"PostMaster", Verdict::kLocal, 1},
      {"postMASTER@podunk.edu", Verdict::kLocal, 1},
      {"postmaster@mail.podunk.edu", Verdict::kLocal, 1},
      {"postmaster@[192.0.2.1]", Verdict::kLocal, 1},
      {"x@[192.0.2.1]", Verdict::kUnknown, 0},
      {"x@[192.0.2.2]", Verdict::kRemote, 0},
      {"\"janie@podunk.edu\"@far.example", Verdict::kRemote, 0},
      {"", Verdict::kUnknown, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.address);
    auto found = reader.resolve(row.address);
    REQUIRE(found);
    CHECK(found->verdict == row.verdict);
    CHECK((found->account ? found->account->id : 0) == row.account);
  }
}

TEST_CASE("the Postmaster has a mailbox whatever the form says") {
  Both both;
  Account postmaster = *both.writer->account(kPostmaster).value();
  postmaster.pop3_delivery = false;
  postmaster.forwarding = {"x@y.example"};
  auto change = both.writer->begin();
  REQUIRE(change->replace(postmaster));
  REQUIRE(change->commit());
  CHECK(both.reader().resolve("postmaster")->targets.at(0).kind == Target::Kind::kMailbox);
  auto again = both.writer->begin();
  CHECK_FALSE(again->remove(kPostmaster));
}

TEST_CASE("a name leads to one account") {
  Both both;
  add(*both.writer, account("a@x.org", "alpha"));
  struct Row {
    Account account;
    bool taken;
  };
  const Row rows[] = {
      {account("A@x.org"), true},
      {account("b@x.org", "ALPHA"), true},
      {account("b@x.org", "a@x.org"), true},
      {account("alpha"), true},
      {account("b@x.org", "b@x.org"), false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.account.addresses[0], row.account.pop_login);
    auto change = both.writer->begin();
    REQUIRE(change);
    auto id = change->add(row.account);
    CHECK(id.has_value() != row.taken);
    if (!id) CHECK(id.error().kind == po::Kind::kPermanent);
  }
}

TEST_CASE("whom people mean by a name") {
  Both both;
  Settings settings;
  settings.local_domains = {"podunk.edu", "second.example"};
  settings.completion_domain = "podunk.edu";
  auto change = both.writer->begin();
  REQUIRE(change);
  REQUIRE(change->set_settings(settings));
  REQUIRE(change->commit());
  auto by_domain = add(*both.writer, account("Jane@podunk.edu", "bob"));
  auto by_host = add(*both.writer, account("bob@mail.podunk.edu", "jane"));
  auto away = add(*both.writer, account("carol@away.example", "carol"));
  Reader reader = both.reader();
  struct Case {
    std::string_view user, domain;
    std::uint64_t id;
    bool local;
  };
  const Case cases[] = {
      {"JANE", "", by_domain, true},             // an address goes before a log-in name,
      {"bob", "", by_host, true},                // also one at this host
      {"Carol", "", away, true},                 // a log-in name
      {"carol", "mail.podunk.edu", away, true},  // log-in names are this host's
      {"carol", "podunk.edu", 0, true},
      {"carol", "away.example", away, false},
      {"jane", "second.example", 0, true},
      {"\"jane\"", "podunk.edu", by_domain, true},
      {"jane+x", "podunk.edu", 0, true},
      {"dave", "away.example", 0, false},
      {"Postmaster", "", kPostmaster, true},
      {"postmaster", "second.example", kPostmaster, true},
      {"postmaster", "away.example", 0, false},
      {"", "", 0, true},
      {"a b", "", 0, true},
      {"jane@podunk.edu", "", 0, true},
  };
  for (const auto& [user, domain, id, local] : cases) {
    INFO(user << " at " << domain);
    auto named = reader.named(user, domain);
    REQUIRE(named);
    CHECK((named->account ? named->account->id : 0) == id);
    CHECK(named->local == local);
    CHECK(reader.is_local(domain).value() == (local && !domain.empty()));
  }
}

TEST_CASE("accounts in pages") {
  Both both;
  for (const char* name : {"a@podunk.edu", "b@podunk.edu", "c@podunk.edu"}) add(*both.writer, account(name));
  auto change = both.writer->begin();
  REQUIRE(change);
  REQUIRE(change->remove(3));
  REQUIRE(change->commit());
  Reader reader = both.reader();
  auto ids = [&](std::uint64_t after, std::size_t most) {
    std::vector<std::uint64_t> out;
    auto page = reader.accounts_after(after, most);
    REQUIRE(page);
    for (const Account& a : *page) out.push_back(a.id);
    return out;
  };
  CHECK(ids(0, 10) == std::vector<std::uint64_t>{1, 2, 4});
  CHECK(ids(0, 2) == std::vector<std::uint64_t>{1, 2});
  CHECK(ids(2, 2) == std::vector<std::uint64_t>{4});
  CHECK(ids(3, 2) == std::vector<std::uint64_t>{4});
  CHECK(ids(4, 2).empty());
  CHECK(ids(0, 0).empty());
}

TEST_CASE("names move with their account, numbers never come again") {
  Both both;
  auto id = add(*both.writer, account("a@x.org", "alpha"));
  Account changed = *both.writer->account(id).value();
  changed.addresses = {"b@x.org"};
  changed.pop_login.clear();
  auto change = both.writer->begin();
  REQUIRE(change->replace(changed));
  REQUIRE(change->commit());
  CHECK_FALSE(both.writer->find("alpha", "a@x.org").value());
  CHECK(both.writer->find("", "B@x.org").value()->id == id);
  auto removal = both.writer->begin();
  REQUIRE(removal->remove(id));
  REQUIRE(removal->commit());
  CHECK_FALSE(both.writer->find("b@x.org", "b@x.org").value());
  CHECK(add(*both.writer, account("b@x.org")) == id + 1);
}

TEST_CASE("a change that is dropped did not happen; one that is committed is seen at once") {
  Both both;
  Reader reader = both.reader();
  {
    auto change = both.writer->begin();
    REQUIRE(change->add(account("a@mail.podunk.edu")));
  }
  CHECK(reader.resolve("a@mail.podunk.edu")->verdict == Verdict::kUnknown);
  CHECK(reader.generation() == 1);
  add(*both.writer, account("a@mail.podunk.edu"));
  CHECK(reader.resolve("a@mail.podunk.edu")->verdict == Verdict::kLocal);
  CHECK(reader.generation() == 2);
  auto before = reader.settings().value();
  CHECK(reader.settings().value() == before);  // the same object while no form changed
  auto written = both.writer->settings().value();
  CHECK(both.writer->settings().value() == written);
  auto change = both.writer->begin();
  Settings settings;
  settings.max_recipients = 123;
  REQUIRE(change->set_settings(settings));
  REQUIRE(change->commit());
  CHECK(reader.settings().value()->max_recipients == 123);
  CHECK(both.writer->settings().value()->max_recipients == 123);
  CHECK(written->max_recipients != 123);  // whoever still has the old ones keeps them
}

TEST_CASE("resolving and routing by the settings of now") {
  Both both;
  Account janie = account("Janie@podunk.edu");
  janie.forwarding = {"copy@far.example"};
  std::uint64_t id = add(*both.writer, janie);
  Reader reader = both.reader();
  CHECK(reader.resolve("nobody@podunk.edu")->verdict == Verdict::kRemote);
  auto routing = reader.routing();
  REQUIRE(routing);
  CHECK((*routing)->match("far.example") == nullptr);
  CHECK(reader.routing().value() == *routing);  // the same object while no form changed
  auto change = both.writer->begin();
  Settings settings;
  settings.local_domains = {"podunk.edu"};
  settings.channel_aliases = {"<j@podunk.edu> <janie@podunk.edu>"};
  settings.routes = {"*:relay.example"};
  REQUIRE(change->set_settings(settings));
  REQUIRE(change->commit());
  CHECK(reader.resolve("nobody@podunk.edu")->verdict == Verdict::kUnknown);
  CHECK(reader.resolve("J@podunk.edu")->targets ==
        std::vector<Target>{{Target::Kind::kMailbox, id, "janie@podunk.edu"},
                            {Target::Kind::kRemote, 0, "copy@far.example"}});
  CHECK(reader.resolve("postmaster@podunk.edu", true)->account->id == kPostmaster);
  CHECK(reader.routing().value()->match("far.example")->host == "relay.example");
}

TEST_CASE("every setting is stored") {
  Both both;
  Settings settings;
  std::uint32_t n = 1000;
  for_each_setting(settings, [&](const char* name, auto& member) {
    using Member = std::decay_t<decltype(member)>;
    if constexpr (std::is_same_v<Member, bool>)
      member = !member;
    else if constexpr (std::is_enum_v<Member>)
      member = static_cast<Member>(2);
    else if constexpr (std::is_integral_v<Member>)
      member = ++n;
    else if constexpr (std::is_same_v<Member, std::string>)
      member = name;
    else
      member = {name, "x"};
  });
  auto change = both.writer->begin();
  REQUIRE(change->set_settings(settings));
  REQUIRE(change->commit());
  settings.revision = 2;
  CHECK(po::wire::encode(*both.reader().settings().value()) == po::wire::encode(settings));
}

TEST_CASE("a reader needs no right to write, and no lock file") {
  Both both;
  std::string path = both.folder.path("directory");
  REQUIRE(::chmod(both.folder.path("").c_str(), 0755) == 0);
  REQUIRE(::chmod((path + "/lock.mdb").c_str(), 0) == 0);
  REQUIRE(::chmod((path + "/data.mdb").c_str(), 0444) == 0);
  REQUIRE(::chmod(path.c_str(), 0555) == 0);
  bool root = ::geteuid() == 0;  // root is refused nothing: look as somebody else
  if (root) REQUIRE(::seteuid(65534) == 0);
  auto reader = Reader::open(path, "mail.podunk.edu");
  if (root) REQUIRE(::seteuid(0) == 0);
  REQUIRE(reader);
  CHECK(reader->resolve("postmaster")->verdict == Verdict::kLocal);
  REQUIRE(::chmod(path.c_str(), 0700) == 0);
}

TEST_CASE("a reader beside a busy writer sees whole states only") {
  Both both;
  std::uint64_t a = add(*both.writer, account("a0@x.org", "left"));
  Reader reader = both.reader();
  std::atomic<bool> stop = false;
  std::uint64_t looks = 0;
  std::thread looking([&] {
    std::uint64_t last = 0;
    while (!stop) {
      auto found = reader.account(a);
      // Name and address are changed together.
      if (!found || !*found || (*found)->name != (*found)->addresses[0]) {
        if (found && *found && (*found)->name == "Name of a0@x.org") continue;
        looks = 0;
        return;
      }
      if ((*found)->revision < last) {
        looks = 0;
        return;
      }
      last = (*found)->revision;
      ++looks;
    }
  });
  auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  for (int i = 1; std::chrono::steady_clock::now() < end; ++i) {
    Account changed = *both.writer->account(a).value();
    changed.name = changed.addresses[0] = "a" + std::to_string(i) + "@x.org";
    auto change = both.writer->begin();
    REQUIRE(change->replace(changed));
    REQUIRE(change->commit());
    if (i % 50 == 0) both.writer->hold_young();
  }
  stop = true;
  looking.join();
  CHECK(looks > 0);
}

TEST_CASE("the settling time is waited for before the first change") {
  TempFolder folder;
  auto writer = Writer::open(
      {.path = folder.path("directory"), .hostname = "x", .settle = std::chrono::milliseconds(150)});
  REQUIRE(writer);
  auto start = std::chrono::steady_clock::now();
  REQUIRE((*writer)->begin());
  CHECK(std::chrono::steady_clock::now() - start > std::chrono::milliseconds(100));
}

TEST_CASE("a record of another version is not misread") {
  std::string octets = record::encode_account(account("a@x.org"));
  CHECK(record::decode_account(octets));
  octets[0] = record::kAccountVersion + 1;
  CHECK_FALSE(record::decode_account(octets));
  CHECK_FALSE(record::decode_account(""));
}
