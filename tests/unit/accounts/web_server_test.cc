#include "accounts/web_server.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <atomic>
#include <optional>
#include <thread>

#include "lib/net_address.h"
#include "lib/order.h"
#include "lib/ticket.h"
#include "tests/unit/accounts/fixture.h"

using namespace po::messages;
using accounts::WebServer;

namespace {

constexpr Key kOrderKey{9, 9, 9};

/// A wwwd at the other end of a pipe.
struct Bureau : Office {
  po::Loop loop;
  po::Log log;
  accounts::Threads writer{loop, 1};
  accounts::Authenticator authenticator{loop, *admin, writer, log, {}};
  int status_asked = 0;
  WebServer web{{.loop = loop,
                 .log = log,
                 .administration = *admin,
                 .authenticator = authenticator,
                 .writer = writer,
                 .administer = [this](Verb) { return static_cast<std::uint32_t>(++status_asked); },
                 .changed = [] {},
                 .order_key = kOrderKey}};
  po::Fd wwwd;
  std::uint32_t serial = 0;
  po::Event tick;  ///< so that the loop looks up now and then

  Bureau() {
    tick.every(loop, std::chrono::milliseconds(5), [] {});
    connect();
    add("jane@podunk.edu", "jane");
    add("jo@podunk.edu", "jo");
    good({"account", "passwd", "1"}, "Post+Master\n");
  }
  void connect() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    web.take({Role::kWwwd, "wwwd.1", 1}, po::Fd(ends[0]));
    wwwd.reset(ends[1]);
  }
  void add(const char* address, const char* login) {
    good({"account", "add", "--address", address, "--name", login, "--login", login, "--password",
          "Sur+Fer!"});
  }

  /// The answer to one frame; nothing if the pipe was closed.
  template <class A, class M>
  std::optional<A> ask(const M& m) {
    std::optional<A> answer;
    std::atomic<bool> done = false;
    std::thread peer([&] {
      po::BlockingChannel channel(std::move(wwwd));
      A heard;
      if (channel.send(++serial, m))
        if (auto frame = channel.receive(20); frame && frame->serial == serial && frame->decode(heard))
          answer = std::move(heard);
      wwwd = channel.release();
      done = true;
    });
    while (!done) event_base_loop(loop.base(), EVLOOP_ONCE);
    peer.join();
    return answer;
  }
  WebLoggedIn log_in(std::string login, std::string password, const char* client = "192.0.2.1",
                     std::string name = {}, bool looked_up = true) {
    WebLogIn m;
    m.login = std::move(login);
    m.password = std::move(password);
    m.client = po::parse_address(client).value();
    m.client_name = std::move(name);
    m.name_looked_up = looked_up;
    m.session = "w1";
    auto answer = ask<WebLoggedIn>(m);
    REQUIRE(answer);
    return *answer;
  }
  static WebCaller caller(std::string token, std::string seal = {}, const char* client = "192.0.2.1") {
    return {std::move(token), po::parse_address(client).value(), std::move(seal)};
  }
  WebSession look(const std::string& token, const char* client = "192.0.2.1") {
    auto answer = ask<WebSession>(WebLook{caller(token, {}, client)});
    REQUIRE(answer);
    return *answer;
  }
  /// Somebody who is logged in, with the seal.
  WebCaller logged_in(std::string login, std::string password = "Sur+Fer!") {
    std::string token = log_in(std::move(login), std::move(password)).token;
    REQUIRE_FALSE(token.empty());
    return caller(token, look(token).seal);
  }
};

}  // namespace

TEST_CASE("logged in by any name, looked at, logged out") {
  Bureau bureau;
  struct Row {
    std::string login, password;
    Answer answer;
    bool postmaster;
  };
  const Row rows[] = {{"jane", "Sur+Fer!", Answer::kGranted, false},
                      {"Jane@PODUNK.edu", "Sur+Fer!", Answer::kGranted, false},
                      {"Postmaster", "Post+Master", Answer::kGranted, true},
                      {"postmaster@mail.podunk.edu", "Post+Master", Answer::kGranted, true},
                      {"Postmaster", "Sur+Fer!", Answer::kDenied, false},
                      {"jane", "sur+fer!", Answer::kDenied, false},
                      {"", "", Answer::kDenied, false}};
  for (const Row& row : rows) {
    CAPTURE(row.login);
    WebLoggedIn answer = bureau.log_in(row.login, row.password);
    CHECK(answer.answer == row.answer);
    CHECK(answer.token.empty() == (row.answer != Answer::kGranted));
    if (answer.token.empty()) continue;
    WebSession session = bureau.look(answer.token);
    CHECK(session.standing == WebStanding::kGood);
    CHECK(session.postmaster == row.postmaster);
    CHECK(session.account == (row.postmaster ? 1 : 2));
    CHECK(session.address == (row.postmaster ? "Postmaster@mail.podunk.edu" : "jane@podunk.edu"));
    CHECK(session.idle_seconds == 300);
    CHECK(bureau.look(answer.token, "192.0.2.2").standing == WebStanding::kNobody);

    // Not without the seal: else any page of the web could log its readers out.
    auto forged = bureau.ask<WebDone>(WebLogOut{Bureau::caller(answer.token, "x")});
    REQUIRE(forged);
    CHECK(forged->standing == WebStanding::kForged);
    CHECK(bureau.look(answer.token).standing == WebStanding::kGood);
    auto done = bureau.ask<WebDone>(WebLogOut{Bureau::caller(answer.token, session.seal)});
    REQUIRE(done);
    CHECK(done->kind == po::Kind::kDone);
    CHECK(bureau.look(answer.token).standing == WebStanding::kNobody);
    CHECK(bureau.look(answer.token).seal.empty());
  }
}

TEST_CASE("what becomes of the account becomes of its sessions, at once") {
  struct Row {
    std::vector<std::string> words;
    std::string input;
    WebStanding then;
  };
  const Row rows[] = {
      {{"account", "set", "jane", "User's-Real-Name=Janie"}, {}, WebStanding::kGood},
      {{"account", "lock", "jane"}, {}, WebStanding::kNobody},
      {{"account", "passwd", "jane"}, "An0ther!\n", WebStanding::kNobody},
      {{"account", "remove", "jane", "--delete-mail"}, {}, WebStanding::kNobody},
      {{"account", "set", "jane", "General-Access-Restrictions=10.0.0.0"}, {}, WebStanding::kNobody},
      {{"account", "set", "jane", "General-Access-Restrictions=192.0.2.0"}, {}, WebStanding::kGood},
      {{"account", "set", "jane", "General-Access-Restrictions=software.com"}, {}, WebStanding::kNobody},
      {{"account", "set", "jane", "Use-System-Password=yes"}, {}, WebStanding::kNobody},
      {{"form", "set", "system-security", "Limit-Configuration-via-Web-Forms=10.0.0.0"},
       {},
       WebStanding::kNobody},
  };
  for (const Row& row : rows) {
    CAPTURE(row.words);
    Bureau bureau;
    WebCaller jane = bureau.logged_in("jane"), jo = bureau.logged_in("jo");
    bureau.good(row.words, row.input);
    CHECK(bureau.look(jane.token).standing == row.then);
    if (row.words[0] == "account") CHECK(bureau.look(jo.token).standing == WebStanding::kGood);
  }
}

TEST_CASE("an access restriction that is a name goes with the very address that had it") {
  Bureau bureau;
  bureau.good({"account", "set", "jane", "General-Access-Restrictions=software.com"});
  CHECK(bureau.log_in("jane", "Sur+Fer!", "2001:db8::1", "", false).answer == Answer::kNeedName);
  CHECK(bureau.log_in("jane", "Sur+Fer!", "2001:db8::1", "", true).answer == Answer::kNotFrom);
  std::string token = bureau.log_in("jane", "Sur+Fer!", "2001:db8::1", "rome.software.com").token;
  CHECK(bureau.look(token, "2001:db8::1").standing == WebStanding::kGood);
  CHECK(bureau.look(token, "2001:db8::2").standing == WebStanding::kNobody);
}

TEST_CASE("the list of the web is held against who logs in, whatever wwwd did") {
  Bureau bureau;
  bureau.good({"form", "set", "system-security", "Limit-Configuration-via-Web-Forms=10.0.0.0"});
  CHECK(bureau.log_in("jane", "Sur+Fer!").answer == Answer::kNotFrom);
  CHECK(bureau.log_in("jane", "Sur+Fer!", "10.1.1.1").answer == Answer::kGranted);
  bureau.good({"form", "set", "system-security", "Limit-Configuration-via-Web-Forms=software.com"});
  CHECK(bureau.log_in("jane", "Sur+Fer!", "10.1.1.1", "", false).answer == Answer::kNeedName);
  CHECK(bureau.log_in("jane", "Sur+Fer!", "10.1.1.1", "a.software.com").answer == Answer::kGranted);
}

TEST_CASE("a Postmaster is whom the Postmaster's mail goes to, for as long as it does") {
  Bureau bureau;
  WebCaller jane = bureau.logged_in("jane");
  CHECK_FALSE(bureau.look(jane.token).postmaster);
  CHECK(bureau.ask<WebStatus>(WebAskStatus{jane})->standing == WebStanding::kNotAllowed);
  bureau.good({"account", "set", "1", "Forwarding-Addresses=JANE@podunk.edu"});
  CHECK(bureau.look(jane.token).postmaster);
  CHECK_FALSE(bureau.look(bureau.logged_in("jo").token).postmaster);
  bureau.good({"account", "set", "1", "Forwarding-Addresses=jo@podunk.edu"});
  CHECK_FALSE(bureau.look(jane.token).postmaster);
}

TEST_CASE("orders are sealed for those who may, and those that change something for their own pages alone") {
  Bureau bureau;
  struct Row {
    const char* login;
    std::vector<std::string> words;
    bool with_seal;
    WebStanding standing;
  };
  const Row rows[] = {
      {"Postmaster", {"queue", "list", "--json"}, false, WebStanding::kGood},
      {"Postmaster", {"queue", "retry", "--all"}, false, WebStanding::kForged},
      {"Postmaster", {"queue", "retry", "--all"}, true, WebStanding::kGood},
      {"Postmaster", {"stop"}, true, WebStanding::kNotAllowed},
      {"jane", {"trace", "--own", "--limit=9", "--address=jane@podunk.edu"}, false, WebStanding::kGood},
      {"jane", {"trace", "--own", "--limit=9", "--address=jo@podunk.edu"}, true, WebStanding::kNotAllowed},
      {"jane", {"queue", "retry", "--all"}, true, WebStanding::kNotAllowed},
  };
  for (const Row& row : rows) {
    CAPTURE(row.login, row.words);
    bool postmaster = std::string_view(row.login) == "Postmaster";
    WebCaller caller = bureau.logged_in(row.login, postmaster ? "Post+Master" : "Sur+Fer!");
    if (!row.with_seal) caller.seal.clear();
    auto answer = bureau.ask<WebOrder>(WebAskOrder{caller, row.words});
    REQUIRE(answer);
    CHECK(answer->standing == row.standing);
    auto order = po::OrderBook(kOrderKey).open(answer->order, po::ticket_now_ms());
    REQUIRE(order.has_value() == (row.standing == WebStanding::kGood));
    if (!order) continue;
    CHECK(order->words == row.words);
    CHECK(order->account == (postmaster ? 1 : 2));
  }
  auto nobody = bureau.ask<WebOrder>(WebAskOrder{Bureau::caller(""), {"queue", "list"}});
  REQUIRE(nobody);
  CHECK(nobody->standing == WebStanding::kNobody);
  CHECK(nobody->order.empty());
}

TEST_CASE("commands run for a Postmaster, the changing ones for his own pages") {
  Bureau bureau;
  WebCaller postmaster = bureau.logged_in("Postmaster", "Post+Master"), jane = bureau.logged_in("jane");
  WebCaller without_seal = postmaster;
  without_seal.seal.clear();
  struct Row {
    WebCaller caller;
    std::vector<std::string> words;
    int exit_code;
  };
  const Row rows[] = {
      {without_seal, {"account", "list"}, 0},
      {without_seal, {"account", "lock", "jo"}, 77},
      {postmaster, {"account", "lock", "jo"}, 0},
      {postmaster, {"stop"}, 77},
      {jane, {"account", "list"}, 77},
      {jane, {"account", "unlock", "jo"}, 77},
      {Bureau::caller(""), {"account", "list"}, 77},
  };
  for (const Row& row : rows) {
    CAPTURE(row.words);
    auto output = bureau.ask<CommandOutput>(WebCommand{row.caller, row.words, {}, false});
    REQUIRE(output);
    CHECK(output->end);
    CHECK(int(output->exit_code) == row.exit_code);
    CHECK(output->err.empty() == (row.exit_code == 0));
  }
  CHECK(bureau.good({"account", "show", "jo", "--json"}).find("\"Account-Locked\": true") !=
        std::string::npos);
}

TEST_CASE("a command's input comes in pieces, and what was abandoned is not run") {
  Bureau bureau;
  WebCaller postmaster = bureau.logged_in("Postmaster", "Post+Master");
  std::string form =
      "User's-Real-Name: [New]\nInternet-Addresses: [new@podunk.edu]\nMail-Account-Password: [Sur+Fer!]\n";
  WebCommand first{postmaster, {"account", "add"}, form.substr(0, 30), true};
  WebCommand second{postmaster, {"ignored"}, form.substr(30), false};
  std::string frames = po::encode_frame(900, first) + po::encode_frame(901, first) +
                       po::encode_frame(900, second) + po::encode_frame(901, Abandon{});
  REQUIRE(::send(bureau.wwwd.get(), frames.data(), frames.size(), 0) == static_cast<ssize_t>(frames.size()));
  for (int i = 0; i < 300 && bureau.run({"account", "show", "new@podunk.edu"}).exit_code != 0; ++i) {
    event_base_loop(bureau.loop.base(), EVLOOP_ONCE);
  }
  bureau.good({"account", "show", "new@podunk.edu"});
  po::BlockingChannel channel(std::move(bureau.wwwd));
  for (int i = 0; i < 20; ++i) event_base_loop(bureau.loop.base(), EVLOOP_ONCE);
  auto frame = channel.receive(5);
  REQUIRE(frame);
  CommandOutput output;
  REQUIRE(frame->decode(output));
  CHECK(frame->serial == 900);
  CHECK(int(output.exit_code) == 0);
}

TEST_CASE("a command's output comes piece by piece, each when it is asked for") {
  Bureau bureau;
  WebCaller postmaster = bureau.logged_in("Postmaster", "Post+Master");
  std::vector<std::string> aliases;
  for (int i = 0; i < 3000; ++i)
    aliases.push_back("<someone.whose.name.is.long." + std::to_string(i) + "@podunk.edu> <jane@podunk.edu>");
  std::uint64_t revision = bureau.ask<WebForm>(WebShowForm{postmaster, "channel-aliases", 0})->revision;
  WebSubmitForm submit{postmaster, WebSubmit::kSet, "channel-aliases", 0, revision, {{"Aliases", aliases}}};
  REQUIRE(bureau.ask<WebDone>(submit)->kind == po::Kind::kDone);

  auto output = bureau.ask<CommandOutput>(WebCommand{postmaster, {"export"}, {}, false});
  std::string out;
  int frames = 0;
  while (output && !output->end && ++frames < 100) {
    CHECK(output->out.size() <= 64 * 1024);
    out += output->out;
    for (int i = 0; i < 10; ++i) event_base_loop(bureau.loop.base(), EVLOOP_ONCE);
    char octet = 0;
    CHECK(::recv(bureau.wwwd.get(), &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
    --bureau.serial;
    output = bureau.ask<CommandOutput>(WebMoreOutput{});
  }
  REQUIRE(output);
  CHECK(int(output->exit_code) == 0);
  CHECK(frames >= 2);
  CHECK(out.find(aliases.front()) != std::string::npos);
  CHECK((out + output->out).find(aliases.back()) != std::string::npos);
  // It is over: asking once more is no fault, and brings nothing.
  --bureau.serial;
  std::string frame = po::encode_frame(bureau.serial + 1, WebMoreOutput{});
  REQUIRE(::send(bureau.wwwd.get(), frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size()));
  bureau.serial += 2;
  CHECK(bureau.look(postmaster.token).standing == WebStanding::kGood);
}

TEST_CASE("forms: a Postmaster all of them, others their own, and nothing without the seal") {
  Bureau bureau;
  WebCaller postmaster = bureau.logged_in("Postmaster", "Post+Master"), jane = bureau.logged_in("jane");
  const char* own = "individual-account-information";
  struct Row {
    WebCaller caller;
    const char* form;
    std::uint64_t subject;
    WebStanding standing;
    po::Kind kind;
  };
  const Row rows[] = {
      {postmaster, "account-data", 2, WebStanding::kGood, po::Kind::kDone},
      {postmaster, "account-data", 0, WebStanding::kGood, po::Kind::kDone},
      {postmaster, "account-data", 99, WebStanding::kGood, po::Kind::kPermanent},
      {postmaster, "system-security", 0, WebStanding::kGood, po::Kind::kDone},
      {postmaster, "no-such-form", 0, WebStanding::kGood, po::Kind::kPermanent},
      {jane, own, 2, WebStanding::kGood, po::Kind::kDone},
      {jane, own, 3, WebStanding::kNotAllowed, po::Kind::kTemporary},
      {jane, own, 0, WebStanding::kNotAllowed, po::Kind::kTemporary},
      {jane, "account-data", 2, WebStanding::kNotAllowed, po::Kind::kTemporary},
      {jane, "account-data", 0, WebStanding::kNotAllowed, po::Kind::kTemporary},
      {jane, "system-security", 0, WebStanding::kNotAllowed, po::Kind::kTemporary},
      {jane, "no-such-form", 0, WebStanding::kNotAllowed, po::Kind::kTemporary},
      {Bureau::caller(""), own, 2, WebStanding::kNobody, po::Kind::kTemporary},
  };
  for (const Row& row : rows) {
    CAPTURE(row.form, row.subject);
    auto shown = bureau.ask<WebForm>(WebShowForm{row.caller, row.form, row.subject});
    REQUIRE(shown);
    CHECK(shown->standing == row.standing);
    CHECK(shown->kind == row.kind);
    CHECK(shown->values.empty() == (row.kind != po::Kind::kDone));
    auto past = bureau.ask<WebHistory>(WebAskHistory{row.caller, row.form, row.subject, 0});
    REQUIRE(past);
    CHECK(past->standing == row.standing);

    WebSubmitForm submit{row.caller, WebSubmit::kSet, row.form, row.subject, shown->revision, {}};
    submit.caller.seal += "x";
    auto forged = bureau.ask<WebDone>(submit);
    REQUIRE(forged);
    CHECK(forged->standing ==
          (row.standing == WebStanding::kNobody ? WebStanding::kNobody : WebStanding::kForged));
  }
}

TEST_CASE("a form is changed, the change told, taken back, and a stale page refused") {
  Bureau bureau;
  WebCaller jane = bureau.logged_in("jane");
  const char* form = "individual-account-information";
  auto seen = bureau.ask<WebForm>(WebShowForm{jane, form, 2}).value();
  WebSubmitForm submit{jane, WebSubmit::kCheck, form, 2, seen.revision, {{"Finger-Information", {"Hi"}}}};
  auto checked = bureau.ask<WebDone>(submit).value();
  CHECK(checked.kind == po::Kind::kDone);
  REQUIRE(checked.changes.size() == 1);
  CHECK(bureau.ask<WebForm>(WebShowForm{jane, form, 2})->revision == seen.revision);
  submit.what = WebSubmit::kSet;
  auto done = bureau.ask<WebDone>(submit).value();
  CHECK(done.kind == po::Kind::kDone);
  CHECK(done.revision > seen.revision);
  auto stale = bureau.ask<WebDone>(submit).value();
  CHECK(stale.conflict);
  REQUIRE(stale.since.size() == 1);
  CHECK(stale.since[0].who == "jane@podunk.edu");
  CHECK(stale.since[0].from == "192.0.2.1");
  CHECK(stale.since[0].way == "web");
  auto past = bureau.ask<WebHistory>(WebAskHistory{jane, form, 2, 0}).value();
  REQUIRE_FALSE(past.entries.empty());
  CHECK(past.entries[0].revision == done.revision);
  auto undone = bureau.ask<WebDone>(WebUndo{jane, form, 2, done.revision}).value();
  CHECK(undone.kind == po::Kind::kDone);
  CHECK_FALSE(bureau.ask<WebDone>(WebUndo{jane, form, 3, done.revision})->standing == WebStanding::kGood);

  // What the Postmaster alone may change, and what no form has.
  for (const char* field : {"User's-Real-Name", "Account-Locked", "Internet-Addresses", "Invented"}) {
    CAPTURE(field);
    WebSubmitForm wrong{jane, WebSubmit::kSet, form, 2, undone.revision, {{field, {"yes"}}}};
    auto refused = bureau.ask<WebDone>(wrong).value();
    CHECK(refused.kind == po::Kind::kPermanent);
    CHECK_FALSE(refused.problems.empty());
  }

  // What the history says of a password does not make one of another field.
  submit.revision = undone.revision;
  submit.values = {{"Finger-Information", {"(changed)"}}};
  REQUIRE(bureau.ask<WebDone>(submit)->kind == po::Kind::kDone);
  CHECK(bureau.ask<WebHistory>(WebAskHistory{jane, form, 2, 0})->entries.at(0).can_undo);
}

TEST_CASE("changes of a long list are told by what went and what came, and never in more than a frame") {
  Bureau bureau;
  WebCaller master = bureau.logged_in("postmaster", "Post+Master");
  auto aliases = [](int from) {
    WebField field{"Aliases", {}};
    for (int i = from; i < from + 20'000; ++i)
      field.values.push_back(
          fmt::format("<a.rather.long.left.hand.side.number.{}@podunk.edu> <jane@podunk.edu>", i));
    return field;
  };
  std::uint64_t revision = bureau.ask<WebForm>(WebShowForm{master, "channel-aliases", 0})->revision;
  for (int from : {0, 10, 50'000}) {
    WebSubmitForm submit{master, WebSubmit::kSet, "channel-aliases", 0, revision, {aliases(from)}};
    auto done = bureau.ask<WebDone>(submit).value();
    REQUIRE(done.kind == po::Kind::kDone);
    revision = done.revision;
  }
  auto past = bureau.ask<WebHistory>(WebAskHistory{master, "channel-aliases", 0, 0}).value();
  REQUIRE(past.entries.size() == 3);
  const WebRevision::Line &all = past.entries[0].lines.at(0), &few = past.entries[1].lines.at(0);
  CHECK(all.moved_alone);
  CHECK(all.before.size() + all.before_left == 20'000);
  CHECK(all.after.size() + all.after_left == 20'000);
  CHECK(few.moved_alone);
  CHECK(few.before.size() == 10);
  CHECK(few.after.size() == 10);
  CHECK(few.before_left + few.after_left == 0);
  CHECK(bureau.ask<WebHistory>(WebAskHistory{master, "channel-aliases", 0, 0, 1})->entries.size() == 1);
  CHECK(bureau.ask<WebHistory>(WebAskHistory{master, "channel-aliases", 0, 0, 1})->more);
  auto stale =
      bureau.ask<WebDone>(WebSubmitForm{master, WebSubmit::kSet, "channel-aliases", 0, 0, {{"Aliases", {}}}});
  REQUIRE(stale->conflict);
  CHECK(stale->since.size() == 3);
}

TEST_CASE("who changes his own password stays, his other sessions go") {
  Bureau bureau;
  WebCaller here = bureau.logged_in("jane"), there = bureau.logged_in("jane");
  const char* form = "individual-account-information";
  auto seen = bureau.ask<WebForm>(WebShowForm{here, form, 2}).value();
  WebSubmitForm submit{here, WebSubmit::kSet, form,
                       2,    seen.revision,   {{"Mail-Account-Password", {"An0ther!", "An0ther!"}}}};
  auto done = bureau.ask<WebDone>(submit).value();
  CHECK(done.kind == po::Kind::kDone);
  CHECK_FALSE(bureau.ask<WebHistory>(WebAskHistory{here, form, 2, 0})->entries.at(0).can_undo);
  CHECK(bureau.look(here.token).standing == WebStanding::kGood);
  CHECK(bureau.look(there.token).standing == WebStanding::kNobody);
  CHECK(bureau.log_in("jane", "Sur+Fer!").answer == Answer::kDenied);
  CHECK(bureau.log_in("jane", "An0ther!").answer == Answer::kGranted);
}

TEST_CASE("the list of accounts and their removal are a Postmaster's") {
  Bureau bureau;
  WebCaller postmaster = bureau.logged_in("Postmaster", "Post+Master"), jane = bureau.logged_in("jane");
  WebAskAccounts ask{postmaster, "podunk", WebSort::kAddress, true, 0, 2};
  auto listed = bureau.ask<WebAccounts>(ask).value();
  CHECK(listed.kind == po::Kind::kDone);
  CHECK(listed.all == 3);
  CHECK(listed.total == 3);
  REQUIRE(listed.rows.size() == 2);
  CHECK(listed.rows[1].address == "jo@podunk.edu");
  ask.caller = jane;
  CHECK(bureau.ask<WebAccounts>(ask)->standing == WebStanding::kNotAllowed);

  CHECK(bureau.ask<WebDone>(WebRemove{jane, 3, MailOf::kDelete, {}})->standing == WebStanding::kNotAllowed);
  WebCaller no_seal = postmaster;
  no_seal.seal.clear();
  CHECK(bureau.ask<WebDone>(WebRemove{no_seal, 3, MailOf::kDelete, {}})->standing == WebStanding::kForged);
  CHECK(bureau.ask<WebDone>(WebRemove{postmaster, 3, MailOf::kHandOver, "nobody"})->kind ==
        po::Kind::kPermanent);
  CHECK(bureau.ask<WebDone>(WebRemove{postmaster, 1, MailOf::kDelete, {}})->kind == po::Kind::kPermanent);
  CHECK(bureau.ask<WebDone>(WebRemove{postmaster, 3, MailOf::kHandOver, "jane"})->kind == po::Kind::kDone);
  CHECK(bureau.run({"account", "show", "jo"}).exit_code != 0);
}

TEST_CASE("application passwords and sign-ins: one's own, or a Postmaster any") {
  Bureau bureau;
  WebCaller postmaster = bureau.logged_in("Postmaster", "Post+Master"), jane = bureau.logged_in("jane");
  (void)bureau.log_in("jane", "wrong!");
  CHECK(bureau.ask<WebDone>(WebMakePassword{jane, 3, "Phone"})->standing == WebStanding::kNotAllowed);
  CHECK(bureau.ask<WebAccess>(WebAskAccess{jane, 3})->standing == WebStanding::kNotAllowed);
  WebCaller no_seal = jane;
  no_seal.seal.clear();
  CHECK(bureau.ask<WebDone>(WebMakePassword{no_seal, 2, "Phone"})->standing == WebStanding::kForged);
  auto made = bureau.ask<WebDone>(WebMakePassword{jane, 2, "Phone"}).value();
  CHECK(made.kind == po::Kind::kDone);
  CHECK(made.secret.size() == 19);
  CHECK(bureau.ask<WebDone>(WebMakePassword{jane, 2, "phone"})->kind == po::Kind::kPermanent);
  CHECK(bureau.ask<WebDone>(WebMakePassword{postmaster, 99, "Phone"})->kind == po::Kind::kPermanent);
  auto access = bureau.ask<WebAccess>(WebAskAccess{postmaster, 2}).value();
  REQUIRE(access.passwords.size() == 1);
  CHECK(access.passwords[0].name == "Phone");
  REQUIRE(access.sign_ins.size() == 2);
  CHECK(access.sign_ins[0].service == "web");
  CHECK(access.sign_ins[0].from == "192.0.2.1");
  std::uint32_t id = access.passwords[0].id;
  CHECK(bureau.ask<WebDone>(WebRevokePassword{no_seal, 2, id})->standing == WebStanding::kForged);
  CHECK(bureau.ask<WebDone>(WebRevokePassword{jane, 3, id})->standing == WebStanding::kNotAllowed);
  CHECK(bureau.ask<WebDone>(WebRevokePassword{jane, 2, id})->kind == po::Kind::kDone);
  CHECK(bureau.ask<WebDone>(WebRevokePassword{jane, 2, id})->kind == po::Kind::kPermanent);
  CHECK(bureau.ask<WebAccess>(WebAskAccess{jane, 2})->passwords.empty());
}

TEST_CASE("status goes to the dispatcher for a Postmaster alone, and its answer to who asked") {
  Bureau bureau;
  WebCaller postmaster = bureau.logged_in("Postmaster", "Post+Master");
  std::string frame = po::encode_frame(77, WebAskStatus{postmaster});
  REQUIRE(::send(bureau.wwwd.get(), frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size()));
  for (int i = 0; i < 100 && bureau.status_asked == 0; ++i) event_base_loop(bureau.loop.base(), EVLOOP_ONCE);
  REQUIRE(bureau.status_asked == 1);
  bureau.web.on_administered(2, {po::Kind::kDone, "not asked for"});
  bureau.web.on_administered(1, {po::Kind::kDone, "{}"});
  for (int i = 0; i < 20; ++i) event_base_loop(bureau.loop.base(), EVLOOP_ONCE);
  po::BlockingChannel channel(std::move(bureau.wwwd));
  auto heard = channel.receive(5);
  REQUIRE(heard);
  WebStatus status;
  REQUIRE(heard->decode(status));
  CHECK(heard->serial == 77);
  CHECK(status.standing == WebStanding::kGood);
  CHECK(status.text == "{}");
}

TEST_CASE("a frame that is not wwwd's drops that wwwd, and its sessions stay") {
  Bureau bureau;
  WebCaller jane = bureau.logged_in("jane");
  CHECK_FALSE(bureau.ask<Verdict>(Authenticate{}));
  CHECK(bureau.web.pipes() == 0);
  bureau.connect();
  CHECK(bureau.look(jane.token).standing == WebStanding::kGood);
}
