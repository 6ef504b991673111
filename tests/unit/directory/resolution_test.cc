#include "lib/directory/resolution.h"

#include <catch2/catch.hpp>
#include <map>

#include "lib/directory/record.h"

using namespace directory;
using Kind = Target::Kind;

namespace {

/// A directory in memory, on the host xanadu.podunk.edu.
struct Office {
  std::string hostname = "xanadu.podunk.edu";
  Settings settings;
  std::map<std::uint64_t, Account> accounts;
  std::map<std::string, std::uint64_t, std::less<>> owners;

  Office() { add({"Postmaster@" + hostname}); }
  explicit Office(std::string host) : hostname(std::move(host)) { add({"Postmaster@" + hostname}); }

  Account& add(std::vector<std::string> addresses, std::vector<std::string> forwarding = {},
               bool pop3 = true) {
    Account a;
    a.id = accounts.size() + 1;
    a.name = "Name of " + addresses.front();
    for (const std::string& address : addresses) owners[record::fold(address)] = a.id;
    a.addresses = std::move(addresses);
    a.forwarding = std::move(forwarding);
    a.pop3_delivery = pop3;
    return accounts[a.id] = a;
  }

  Resolution resolve(std::string_view address, bool steps = false) const {
    AddressTables tables(settings, hostname);
    Questions ask{[this](std::string_view key) -> po::Result<std::optional<Account>> {
                    auto found = owners.find(key);
                    if (found == owners.end()) return std::optional<Account>();
                    return std::optional(accounts.at(found->second));
                  },
                  [this](std::uint64_t id) -> po::Result<std::optional<Account>> {
                    return std::optional(accounts.at(id));
                  },
                  settings, tables};
    auto resolved = directory::resolve(address, ask, steps);
    REQUIRE(resolved);
    return *resolved;
  }
};

const char* verdict_text(Verdict v) {
  constexpr const char* kTexts[] = {"local", "relay", "remote", "unknown", "loop"};
  return kTexts[static_cast<int>(v)];
}

/// "local: mailbox 2, remote a@x.org" or "unknown: why".
std::string text(const Resolution& r) {
  std::string out;
  for (const Target& t : r.targets) {
    out += out.empty() ? "" : ", ";
    if (t.kind == Kind::kMailbox) out += "mailbox " + std::to_string(t.account);
    if (t.kind == Kind::kRemote) out += "remote " + t.address;
    if (t.kind == Kind::kHeld) out += "held " + t.address;
  }
  return std::string(verdict_text(r.verdict)) + ": " + (out.empty() ? r.why : out);
}

struct Row {
  std::string address, resolved;
};

void check(const Office& office, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(row.address);
    Resolution r = office.resolve(row.address);
    CHECK(text(r) == row.resolved);
    CHECK(r.targets.empty() == (r.verdict == Verdict::kUnknown || r.verdict == Verdict::kLoop));
    CHECK(r.why.empty() == !r.targets.empty());
    CHECK(r.steps.empty());
    CHECK_FALSE(office.resolve(row.address, true).steps.empty());
  }
}

}  // namespace

TEST_CASE("resolution: accounts, local domains, elsewhere") {
  Office office;
  office.settings.local_domains = {"podunk.edu", "[192.0.2.1]"};
  office.settings.relay_domains = {"relay.example", "podunk.edu"};
  office.add({"Janie@podunk.edu", "janie@far.example"});  // 2
  check(office, {
                    {"janie@podunk.edu", "local: mailbox 2"},
                    {"JANIE@podunk.edu", "local: mailbox 2"},
                    // an account's address is ours in whatever domain it is
                    {"janie@far.example", "local: mailbox 2"},
                    {"jane@far.example", "remote: remote jane@far.example"},
                    {"Jane@relay.example", "relay: remote Jane@relay.example"},
                    {"jane@sub.relay.example", "remote: remote jane@sub.relay.example"},
                    {"jane@podunk.edu", "unknown: there is no address jane@podunk.edu here"},
                    {"jane@xanadu.podunk.edu", "unknown: there is no address jane@xanadu.podunk.edu here"},
                    {"jane@sub.podunk.edu", "remote: remote jane@sub.podunk.edu"},
                    {"jane@[192.0.2.1]", "unknown: there is no address jane@[192.0.2.1] here"},
                    {"jane@[192.0.2.2]", "remote: remote jane@[192.0.2.2]"},
                    {"postmaster", "local: mailbox 1"},
                    {"PostMaster", "local: mailbox 1"},
                    {"postMaster@podunk.edu", "local: mailbox 1"},
                    {"postmaster@xanadu.podunk.edu", "local: mailbox 1"},
                    {"postmaster@[192.0.2.1]", "local: mailbox 1"},
                    {"postmaster@relay.example", "relay: remote postmaster@relay.example"},
                    {"\"janie@podunk.edu\"@far.example", "remote: remote \"janie@podunk.edu\"@far.example"},
                    {"jane", "unknown: there is no address jane@xanadu.podunk.edu here"},
                });
  office.settings.completion_domain = "podunk.edu";
  check(office, {{"janie", "local: mailbox 2"},
                 {"jane", "unknown: there is no address jane@podunk.edu here"},
                 {"postmaster", "local: mailbox 1"}});
}

TEST_CASE(
    "resolution: the account is the first on the way, the address of a mailbox the one that led to it") {
  Office office;
  office.add({"janie@x.org"});                       // 2
  office.add({"both@x.org"}, {"janie+copy@x.org"});  // 3
  office.settings.channel_aliases = {"<alias@x.org> <both@x.org>"};
  Resolution r = office.resolve("alias@x.org");
  CHECK(r.targets ==
        std::vector<Target>{{Kind::kMailbox, 3, "both@x.org"}, {Kind::kMailbox, 2, "janie+copy@x.org"}});
  REQUIRE(r.account);
  CHECK(r.account->id == 3);
  CHECK_FALSE(office.resolve("far@far.example").account);
}

TEST_CASE("resolution: plus addresses") {
  Office office("x.org");
  office.add({"jane@x.org"});        // 2
  office.add({"jane+exact@x.org"});  // 3
  office.add({"\"j d\"@x.org"});     // 4
  office.settings.channel_aliases = {"<sales@x.org> <crm@far.example>", "<jane+tag@x.org> <tag@far.example>"};
  check(office, {
                    {"jane+lists@x.org", "local: mailbox 2"},
                    {"Jane+a+b@x.org", "local: mailbox 2"},
                    {"jane+@x.org", "local: mailbox 2"},
                    {"jane+exact@x.org", "local: mailbox 3"},
                    {"jane+exact+more@x.org", "local: mailbox 2"},
                    {"+jane@x.org", "unknown: there is no address +jane@x.org here"},
                    {"\"j d+x\"@x.org", "local: mailbox 4"},
                    {"jo+x@x.org", "unknown: there is no address jo+x@x.org here"},
                    {"sales+x@x.org", "local: remote crm@far.example"},
                    // accounts go before aliases
                    {"jane+tag@x.org", "local: mailbox 2"},
                    {"postmaster+x@x.org", "local: mailbox 1"},
                    {"jane+x@far.example", "remote: remote jane+x@far.example"},
                });
  office.settings.plus_addresses = false;
  check(office, {{"jane+lists@x.org", "unknown: there is no address jane+lists@x.org here"},
                 {"jane+exact@x.org", "local: mailbox 3"},
                 {"jane+tag@x.org", "local: remote tag@far.example"},
                 {"sales+x@x.org", "unknown: there is no address sales+x@x.org here"}});
}

TEST_CASE("resolution: channel aliases are rewritten and looked up again") {
  Office office("hub.podunk.edu");
  office.settings.local_domains = {"podunk.edu"};
  office.add({"janie@podunk.edu"});  // 2
  office.settings.channel_aliases = {
      "<janie@podunk.edu> <never@far.example>",  // there is an account
      "<Jane@podunk.edu> <Jane@xanadu.podunk.edu>",
      "<jane@podunk.edu> <second@far.example>",
      "<j@podunk.edu> <janie@podunk.edu>",
      "<one@podunk.edu> <two@podunk.edu>",
      "<two@podunk.edu> <three@podunk.edu>",
      "<three@podunk.edu> <three@far.example>",
      "<gone@podunk.edu> <nobody@podunk.edu>",
      "<a@podunk.edu> <b@podunk.edu>",
      "<b@podunk.edu> <A@podunk.edu>",
      "<into@podunk.edu> <a@podunk.edu>",
      "<friend@far.example> <friend@new.example>",
      "no alias",
  };
  check(office,
        {
            {"janie@podunk.edu", "local: mailbox 2"},
            {"jane@podunk.edu", "local: remote Jane@xanadu.podunk.edu"},
            {"J@podunk.edu", "local: mailbox 2"},
            {"one@podunk.edu", "local: remote three@far.example"},
            {"friend@far.example", "local: remote friend@new.example"},
            {"gone@podunk.edu",
             "unknown: gone@podunk.edu leads to nobody@podunk.edu, and there is no such address here"},
            {"a@podunk.edu",
             "loop: the channel aliases lead in a circle: a@podunk.edu, b@podunk.edu, a@podunk.edu"},
            {"into@podunk.edu",
             "loop: the channel aliases lead in a circle: a@podunk.edu, b@podunk.edu, a@podunk.edu"},
        });
}

TEST_CASE("resolution: forwarding") {
  Office office("x.org");
  office.add({"plain@x.org"});                                                         // 2
  office.add({"away@x.org"}, {"a@far.example"}, false);                                // 3
  office.add({"both@x.org"}, {"a@far.example", "b@far.example"});                      // 4
  office.add({"chain@x.org"}, {"both@x.org", "plain@x.org", "a@far.example"}, false);  // 5
  office.add({"self@x.org", "me@x.org"}, {"ME@x.org", "a@far.example"}, false);        // 6
  office.add({"onlyself@x.org"}, {"onlyself@x.org"}, false);                           // 7
  office.add({"selfalias@x.org"}, {"alias@x.org"}, false);                             // 8
  office.settings.channel_aliases = {"<alias@x.org> <selfalias@x.org>", "<p@x.org> <q@x.org>",
                                     "<q@x.org> <p@x.org>"};
  office.add({"ping@x.org"}, {"pong@x.org"}, false);                        // 9
  office.add({"pong@x.org"}, {"ping@x.org"}, false);                        // 10
  office.add({"into@x.org"}, {"ping@x.org"}, false);                        // 11
  office.add({"intoboth@x.org"}, {"ping@x.org", "plain@x.org"}, false);     // 12
  office.add({"left@x.org"}, {"right@x.org"}, true);                        // 13
  office.add({"right@x.org"}, {"left@x.org"}, false);                       // 14
  office.add({"stale@x.org"}, {"nobody@x.org"}, false);                     // 15
  office.add({"halfstale@x.org"}, {"nobody@x.org", "plain@x.org"}, false);  // 16
  office.add({"nowhere@x.org"}, {}, false);                                 // 17
  office.add({"circle@x.org"}, {"p@x.org"}, false);                         // 18
  office.add({"diamond@x.org"}, {"d1@x.org", "d2@x.org"}, false);           // 19
  office.add({"d1@x.org"}, {"d3@x.org"}, false);                            // 20
  office.add({"d2@x.org"}, {"d3@x.org"}, false);                            // 21
  office.add({"d3@x.org"}, {"z@far.example"}, false);                       // 22
  office.accounts[1].forwarding = {"pm@far.example"};
  office.accounts[1].pop3_delivery = false;
  check(office,
        {
            {"plain@x.org", "local: mailbox 2"},
            {"away@x.org", "local: remote a@far.example"},
            {"both@x.org", "local: mailbox 4, remote a@far.example, remote b@far.example"},
            {"chain@x.org", "local: mailbox 4, mailbox 2, remote a@far.example, remote b@far.example"},
            {"self@x.org", "local: mailbox 6, remote a@far.example"},
            {"onlyself@x.org", "local: mailbox 7"},
            {"selfalias@x.org", "local: mailbox 8"},
            {"ping@x.org", "loop: the forwarding addresses of ping@x.org lead in a circle and nowhere else"},
            {"into@x.org", "loop: the forwarding addresses of into@x.org lead in a circle and nowhere else"},
            {"intoboth@x.org", "local: mailbox 2"},
            {"left@x.org", "local: mailbox 13"},
            {"right@x.org", "local: mailbox 13"},
            {"stale@x.org", "unknown: stale@x.org is forwarded to an address that does not exist"},
            {"halfstale@x.org", "local: mailbox 2"},
            {"nowhere@x.org", "local: mailbox 17"},
            {"circle@x.org",
             "loop: the forwarding addresses of circle@x.org lead in a circle and nowhere else"},
            {"diamond@x.org", "local: remote z@far.example"},
            {"postmaster@x.org", "local: mailbox 1, remote pm@far.example"},
        });
}

TEST_CASE("resolution: unknown local users held, or given to an account") {
  Office office("x.org");
  office.add({"all@x.org"});                             // 2
  office.add({"stale@x.org"}, {"nobody@x.org"}, false);  // 3
  office.settings.unknown_users = UnknownUsers::kHold;
  check(office, {{"nobody@x.org", "local: held nobody@x.org"},
                 {"stale@x.org", "local: held nobody@x.org"},
                 {"nobody@far.example", "remote: remote nobody@far.example"},
                 {"postmaster@x.org", "local: mailbox 1"}});
  office.settings.unknown_users = UnknownUsers::kDeliver;
  office.settings.catch_all = "All@x.org";
  check(office, {{"nobody@x.org", "local: mailbox 2"}, {"stale@x.org", "local: mailbox 2"}});
  CHECK(office.resolve("nobody@x.org").targets[0].address == "nobody@x.org");
  // one that forwards to an unknown address of its own domain
  office.accounts[2].forwarding = {"nobody@x.org"};
  office.accounts[2].pop3_delivery = false;
  check(office, {{"nobody@x.org", "local: mailbox 2"}});
  // the account has gone: the mail does not come back
  office.settings.catch_all = "gone@x.org";
  check(office, {{"nobody@x.org", "local: held nobody@x.org"}});
}

TEST_CASE("resolution: bounds") {
  Office office("x.org");
  for (std::size_t i = 0; i < kMostSteps + 5; ++i) {
    std::string from = "a" + std::to_string(i), to = "a" + std::to_string(i + 1);
    office.settings.channel_aliases.push_back("<" + from + "@x.org> <" + to + "@x.org>");
  }
  office.add({"a" + std::to_string(kMostSteps + 5) + "@x.org"});  // 2
  Account& wide = office.add({"wide@x.org"}, {}, false);
  for (std::size_t i = 0; i < kMostTargets; ++i)
    wide.forwarding.push_back(std::to_string(i) + "@far.example");
  check(office, {{"a0@x.org", "loop: more than 50 aliases and accounts stand behind one another"},
                 {"a5@x.org", "local: mailbox 2"},
                 {"wide@x.org", "loop: wide@x.org leads to more than 10000 addresses"}});
  office.accounts[3].forwarding.pop_back();
  CHECK(office.resolve("wide@x.org").targets.size() == kMostTargets - 1);
}

TEST_CASE("resolution: accounts that forward to each other, each to all") {
  Office office("x.org");
  std::vector<std::string> all;
  for (int i = 0; i < 99; ++i) all.push_back("m" + std::to_string(i) + "@x.org");
  for (const std::string& address : all) office.add({address}, all, false);
  // each forwards to itself too
  CHECK(office.resolve("m0@x.org").targets.size() == 99);
}

TEST_CASE("resolution: the steps tell the whole way") {
  Office office("hub.podunk.edu");
  office.settings.local_domains = {"podunk.edu"};
  office.settings.channel_aliases = {"<janie@podunk.edu> <janie@xanadu.podunk.edu>"};
  office.add({"staff@podunk.edu"}, {"janie@podunk.edu", "nobody@podunk.edu"});  // 2
  CHECK(office.resolve("Staff+x@podunk.edu", true).steps ==
        std::vector<std::string>{
            "staff@podunk.edu is an address of account number 2 (Name of staff@podunk.edu)",
            "it goes into the mailbox of account number 2",
            "account number 2 forwards to janie@podunk.edu",
            "a channel alias makes janie@xanadu.podunk.edu out of janie@podunk.edu",
            "xanadu.podunk.edu is no local mail domain: janie@xanadu.podunk.edu is sent on",
            "account number 2 forwards to nobody@podunk.edu",
            "podunk.edu is a local mail domain: all its addresses are known here",
            "Staff+x@podunk.edu leads to nobody@podunk.edu, and there is no such address here",
        });
}

TEST_CASE("resolution: a question that fails is a failure") {
  Settings settings;
  AddressTables tables(settings, "x.org");
  auto fail = [](auto) -> po::Result<std::optional<Account>> { return po::temporary("disk"); };
  Questions ask{fail, fail, settings, tables};
  CHECK_FALSE(resolve("a@x.org", ask));
}

TEST_CASE("channel aliases: read, written and refused") {
  struct AliasRow {
    const char *text, *written, *why;
  };
  const AliasRow rows[] = {
      {"<janie@podunk.edu> <janie@xanadu.podunk.edu>", "<janie@podunk.edu> <janie@xanadu.podunk.edu>", ""},
      {"  <Janie@Podunk.EDU>\t <janie>  ", "<Janie@podunk.edu> <janie@x.org>", ""},
      {"<\"a b\"@x.org> <c@x.org>", "<\"a b\"@x.org> <c@x.org>", ""},
      {"<a@bücher.example> <c@x.org>", "<a@xn--bcher-kva.example> <c@x.org>", ""},
      {"", "", "an alias is written <INCOMING ADDRESS> <OUTGOING ADDRESS>"},
      {"janie@podunk.edu janie@x.org", "", "an alias is written"},
      {"<janie@podunk.edu>", "", "an alias is written"},
      {"<janie@podunk.edu> janie@x.org", "", "an alias is written"},
      {"<a@x.org> <b@x.org> <c@x.org>", "", "an alias is written"},
      {"<a@x.org><b@x.org>", "", "no space"},
      {"<> <b@x.org>", "", "<> is no address"},
      {"<a@x.org> <>", "", "<> is no address"},
      {"<a@x.org> <b@x.org", "", "does not end with >"},
      {"<@x.org> <b@x.org>", "", "colon"},
      {"<a@x.org> <A@X.org>", "", "this alias leads to itself"},
  };
  for (const AliasRow& row : rows) {
    INFO(row.text);
    auto alias = parse_channel_alias(row.text, "x.org");
    CHECK((alias ? channel_alias_text(*alias) : "") == row.written);
    if (!alias) CHECK_THAT(alias.error().text, Catch::Contains(row.why));
  }
}

// ---- the set-ups of the Guide, section 2.4, with the values of its figures

TEST_CASE("the Guide's basic set-up (figure 2-6)") {
  Office xanadu("xanadu.podunk.edu");
  xanadu.add({"janie@xanadu.podunk.edu"});  // 2
  check(xanadu, {
                    {"janie@xanadu.podunk.edu", "local: mailbox 2"},
                    {"Janie@xanadu.podunk.edu", "local: mailbox 2"},
                    // the local machine is always implicitly on the list of local mail domains
                    {"jim@xanadu.podunk.edu", "unknown: there is no address jim@xanadu.podunk.edu here"},
                    {"joe@hub.podunk.edu", "remote: remote joe@hub.podunk.edu"},
                    {"info@software.com", "remote: remote info@software.com"},
                });
}

TEST_CASE("the Guide's hostname hiding (figures 2-8 and 2-9)") {
  Office hub("hub.podunk.edu");
  hub.settings.local_domains = {"podunk.edu"};
  hub.settings.channel_aliases = {"<janie@podunk.edu> <janie@xanadu.podunk.edu>"};
  check(hub, {{"janie@podunk.edu", "local: remote janie@xanadu.podunk.edu"},
              {"jim@podunk.edu", "unknown: there is no address jim@podunk.edu here"},
              {"janie@xanadu.podunk.edu", "remote: remote janie@xanadu.podunk.edu"}});
  Office client("xanadu.podunk.edu");
  client.add({"janie@podunk.edu", "janie@xanadu.podunk.edu"});  // 2
  check(client, {{"janie@podunk.edu", "local: mailbox 2"},
                 {"janie@xanadu.podunk.edu", "local: mailbox 2"},
                 // no client machine has entries: what is unknown to it goes to the hub
                 {"jim@podunk.edu", "remote: remote jim@podunk.edu"},
                 {"jim@xanadu.podunk.edu", "unknown: there is no address jim@xanadu.podunk.edu here"}});
  // One machine as hub and client needs no alias.
  client.settings.local_domains = {"podunk.edu"};
  check(client, {{"janie@podunk.edu", "local: mailbox 2"},
                 {"jim@podunk.edu", "unknown: there is no address jim@podunk.edu here"}});
}

TEST_CASE("the Guide's firewall as mail hub (section 2.4.3)") {
  Office firewall("firewall.podunk.edu");
  firewall.settings.local_domains = {"podunk.edu"};
  firewall.settings.channel_aliases = {"<janie@podunk.edu> <janie@xanadu.podunk.edu>"};
  firewall.settings.relay_domains = {"xanadu.podunk.edu"};
  check(firewall, {{"janie@podunk.edu", "local: remote janie@xanadu.podunk.edu"},
                   {"janie@xanadu.podunk.edu", "relay: remote janie@xanadu.podunk.edu"},
                   {"info@software.com", "remote: remote info@software.com"}});
}

TEST_CASE("the Guide's provider of an intermittently connected site (section 2.4.4)") {
  Office provider("provider.net");
  provider.settings.relay_domains = {"xanadu.podunk.edu", "podunk.edu"};
  check(provider, {{"janie@xanadu.podunk.edu", "relay: remote janie@xanadu.podunk.edu"},
                   {"janie@podunk.edu", "relay: remote janie@podunk.edu"}});
}
