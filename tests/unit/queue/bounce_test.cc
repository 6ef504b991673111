// The text of notices, taken apart again.
#include "queue/bounce.h"

#include <catch2/catch.hpp>
#include <map>

#include "lib/text.h"

using namespace queue;

namespace {

constexpr std::uint64_t kArrival = 1'700'000'000'000, kNow = kArrival + 60'000;
const std::string kMessage =
    "Received: x\r\nSubject: hello\r\n there\r\nMessage-ID: <1@podunk.edu>\r\n\r\nbody\r\n.\r\nend\r\n";
const std::string kHeader = kMessage.substr(0, kMessage.find("body"));

struct Part {
  std::string head, body;
};

/// A notice, cut at its own boundary.
struct Taken {
  std::string head;
  std::vector<Part> parts;
};

std::pair<std::string, std::string> split(const std::string& text) {
  auto end = text.find("\r\n\r\n");
  REQUIRE(end != std::string::npos);
  return {text.substr(0, end + 2), text.substr(end + 4)};
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Taken take_apart(const std::string& content) {
  Taken out;
  auto [head, rest] = split(content);
  out.head = head;
  auto at = head.find("boundary=\"");
  REQUIRE(at != std::string::npos);
  std::string boundary = head.substr(at + 10, head.find('"', at + 10) - at - 10);
  REQUIRE_FALSE(boundary.empty());
  CHECK(boundary.size() <= 70);  // RFC 2046 5.1.1
  std::string between = "\r\n--" + boundary + "\r\n", last = "\r\n--" + boundary + "--\r\n";
  REQUIRE(content.ends_with(last));
  rest.resize(rest.size() - last.size());
  for (std::size_t begin = rest.find(between); begin != std::string::npos;) {
    begin += between.size();
    std::size_t end = rest.find(between, begin);
    auto [part_head, body] = split(rest.substr(begin, end == std::string::npos ? end : end - begin));
    out.parts.push_back({part_head, body});
    begin = end;
  }
  return out;
}

Report report(std::string address = "bob@x.org") {
  Report r;
  r.address = std::move(address);
  r.status = "5.1.1";
  r.words = "550 5.1.1 no such user";
  r.remote = true;
  r.host = "mx.x.org[192.0.2.1]:25";
  r.at_ms = kNow;
  return r;
}

struct Notice {
  std::string content = kMessage;
  store::Envelope envelope;
  std::uint64_t size = 0;  ///< of the original; 0: what there is of it
  std::vector<Report> reports = {report()};
  Style style{"mail.podunk.edu", 50 << 10, 120ULL * 3'600'000};
  const ForPostmaster* postmaster = nullptr;
  po::MessageId id;

  Notice() { envelope.sender = "jane@podunk.edu"; }
  [[nodiscard]] NoticeText text() const {
    store::Head head{size == 0 ? content.size() : size, kArrival, envelope};
    return make_notice({po::MessageId{}, head, content}, reports, style, id, kNow, postmaster);
  }
};

/// That hold whatever came in.
void check_form(const NoticeText& text, std::string_view original) {
  CHECK(text.content.size() < 64 * 1024);
  Taken t = take_apart(text.content);
  REQUIRE(t.parts.size() == 3);
  std::string ours =
      t.head + t.parts[0].head + t.parts[0].body + t.parts[1].head + t.parts[1].body + t.parts[2].head;
  for (std::size_t at = 0; at < ours.size();) {
    std::size_t end = ours.find("\r\n", at);
    std::string line = ours.substr(at, end == std::string::npos ? end : end - at);
    CHECK(line.size() <= 998);
    CHECK_FALSE(po::has_control(line));
    at = end == std::string::npos ? ours.size() : end + 2;
  }
  CHECK(po::is_utf8(ours));
  CHECK(text.body_8bit == !po::is_ascii(text.content));
  CHECK(po::is_ascii(t.head) == !text.smtputf8);
  CHECK(original.starts_with(t.parts[2].body));
  for (const Part& p : t.parts) CHECK((po::is_ascii(p.body) || has(p.head, "Encoding: 8bit")));
}

/// The groups of fields of the part for programs.
std::vector<std::multimap<std::string, std::string>> groups(const Part& part) {
  std::vector<std::multimap<std::string, std::string>> out(1);
  std::string_view left = part.body;
  while (!left.empty()) {
    std::string_view line = left.substr(0, left.find("\r\n"));
    left.remove_prefix(std::min(line.size() + 2, left.size()));
    if (line.empty()) {
      if (!left.empty()) out.emplace_back();
      continue;
    }
    auto colon = line.find(": ");
    REQUIRE(colon != std::string_view::npos);
    out.back().emplace(line.substr(0, colon), line.substr(colon + 2));
  }
  return out;
}

std::string names(const std::multimap<std::string, std::string>& group) {
  std::string out;
  for (const auto& [name, value] : group) out += (out.empty() ? "" : " ") + name;
  return out;
}

}  // namespace

TEST_CASE("bounce: a failure, for people and for programs, with the message") {
  Notice n;
  n.envelope.envid = "QQ+2B1";
  n.reports[0].original = "robert@podunk.edu";
  n.reports[0].orcpt = "rfc822;robert+2Bx@podunk.edu";
  NoticeText text = n.text();
  check_form(text, kMessage);
  CHECK_FALSE(text.smtputf8);
  Taken t = take_apart(text.content);
  for (const char* line :
       {"From: Mail delivery <postmaster@mail.podunk.edu>\r\n", "To: <jane@podunk.edu>\r\n",
        "Subject: Your message could not be delivered\r\n", "Auto-Submitted: auto-replied\r\n",
        "MIME-Version: 1.0\r\n", "Content-Type: multipart/report; report-type=delivery-status;\r\n",
        "Date: ", "Message-ID: <"})
    CHECK(has(t.head, line));
  CHECK(has(t.parts[0].head, "text/plain; charset=us-ascii"));
  for (const char* said :
       {"This is the mail system at mail.podunk.edu.\r\n", "Subject: hello there\r\n", "<1@podunk.edu>",
        "could not be delivered to:\r\n", "  <bob@x.org>\r\n", "(you wrote to <robert@podunk.edu>)",
        "The host mx.x.org[192.0.2.1]:25 said:\r\n      550 5.1.1 no such user\r\n",
        "Nobody there has this address.", "It will not be tried again.\r\nThe message is attached.\r\n"})
    CHECK(has(t.parts[0].body, said));
  CHECK(t.parts[1].head == "Content-Type: message/delivery-status\r\n");
  auto g = groups(t.parts[1]);
  REQUIRE(g.size() == 2);
  CHECK(names(g[0]) == "Arrival-Date Original-Envelope-Id Reporting-MTA");
  CHECK(g[0].find("Original-Envelope-Id")->second == "QQ+1");
  CHECK(g[0].find("Reporting-MTA")->second == "dns; mail.podunk.edu");
  CHECK(names(g[1]) ==
        "Action Diagnostic-Code Final-Recipient Last-Attempt-Date Original-Recipient Remote-MTA Status");
  CHECK(g[1].find("Action")->second == "failed");
  CHECK(g[1].find("Status")->second == "5.1.1");
  CHECK(g[1].find("Final-Recipient")->second == "rfc822; bob@x.org");
  CHECK(g[1].find("Original-Recipient")->second == "rfc822; robert+x@podunk.edu");
  CHECK(g[1].find("Remote-MTA")->second == "dns; mx.x.org");
  CHECK(g[1].find("Diagnostic-Code")->second == "smtp; 550 5.1.1 no such user");
  CHECK(has(t.parts[2].head, "message/rfc822"));
  CHECK(t.parts[2].body == kMessage);
}

TEST_CASE("bounce: how much of the message comes back") {
  const std::string large = kHeader + std::string(40'000, 'x');
  const std::string large_header = "Subject: x\r\n" + std::string("X-Y: z\r\n") + std::string(50'000, 'h');
  struct {
    const char* what;
    std::string content;
    std::uint64_t size;
    std::uint8_t ret;
    Action action;
    const char* type;
    std::string returned;
  } const table[] = {
      {"failed", kMessage, 0, 0, Action::kFailed, "message/rfc822", kMessage},
      {"RET=FULL", kMessage, 0, 1, Action::kFailed, "message/rfc822", kMessage},
      {"RET=HDRS", kMessage, 0, 2, Action::kFailed, "text/rfc822-headers", kHeader},
      {"delayed", kMessage, 0, 0, Action::kDelayed, "text/rfc822-headers", kHeader},
      {"delivered, RET=FULL", kMessage, 0, 1, Action::kDelivered, "text/rfc822-headers", kHeader},
      {"relayed", kMessage, 0, 0, Action::kRelayed, "text/rfc822-headers", kHeader},
      {"expanded", kMessage, 0, 0, Action::kExpanded, "text/rfc822-headers", kHeader},
      {"more than a notice has", large, 0, 0, Action::kFailed, "text/rfc822-headers", kHeader},
      {"only its beginning is here", kMessage, 1'000'000, 0, Action::kFailed, "text/rfc822-headers", kHeader},
      {"a header that is cut", large_header.substr(0, kMostReturned + 1), large_header.size(), 0,
       Action::kFailed, "text/rfc822-headers", "Subject: x\r\nX-Y: z\r\n"},
      {"no header", "\r\nbody\r\n", 0, 2, Action::kFailed, "text/rfc822-headers", "\r\n"},
      {"nothing", "", 0, 0, Action::kFailed, "message/rfc822", ""},
  };
  for (const auto& c : table) {
    INFO(c.what);
    Notice n;
    n.content = c.content;
    n.size = c.size;
    n.envelope.ret = c.ret;
    n.reports[0].action = c.action;
    NoticeText text = n.text();
    check_form(text, c.content);
    Taken t = take_apart(text.content);
    CHECK(has(t.parts[2].head, c.type));
    CHECK(t.parts[2].body == c.returned);
    bool all = std::string_view(c.type) == "message/rfc822";
    CHECK(has(t.parts[0].body, all ? "The message is attached." : "Its header is attached."));
  }
  // What the form says.
  Notice n;
  n.style.full_size = kMessage.size() - 1;
  CHECK(take_apart(n.text().content).parts[2].body == kHeader);
}

TEST_CASE("bounce: what else may have happened") {
  struct {
    Action action;
    const char *subject, *name, *said;
  } const table[] = {
      {Action::kDelayed, "Your message is late, but is still being tried", "delayed",
       "it is tried again until"},
      {Action::kDelivered, "Your message has been delivered", "delivered",
       "has been put into the mailbox of:"},
      {Action::kRelayed, "Your message has been passed on", "relayed", "does not say what becomes of it"},
      {Action::kExpanded, "Your message has been passed on", "expanded", "That address stands for several"},
  };
  for (const auto& c : table) {
    CAPTURE(c.name);
    Notice n;
    n.reports[0].action = c.action;
    n.reports[0].status = c.action == Action::kDelayed ? "4.4.1" : "2.0.0";
    NoticeText text = n.text();
    check_form(text, kMessage);
    Taken t = take_apart(text.content);
    CHECK(has(t.head, std::string("Subject: ") + c.subject + "\r\n"));
    auto g = groups(t.parts[1]);
    REQUIRE(g.size() == 2);
    CHECK(g[1].find("Action")->second == c.name);
    CHECK(g[1].count("Will-Retry-Until") == (c.action == Action::kDelayed ? 1 : 0));
    std::string flat = t.parts[0].body;
    for (auto at = flat.find("\r\n"); at != std::string::npos; at = flat.find("\r\n"))
      flat.replace(at, 2, " ");
    CHECK(has(flat, c.said));
  }
}

TEST_CASE("bounce: to the Postmaster, why it comes is said") {
  Notice n;
  n.envelope.sender = "";
  ForPostmaster why{"A message without a sender", "You are told because of that."};
  n.postmaster = &why;
  NoticeText text = n.text();
  check_form(text, kMessage);
  Taken t = take_apart(text.content);
  CHECK(has(t.head, "To: <postmaster@mail.podunk.edu>\r\nSubject: A message without a sender\r\n"));
  CHECK(has(t.parts[0].body, "You are told because of that.\r\n"));
  CHECK(has(t.parts[0].body, "A message of "));
  // Nor is the Postmaster's notice in need of SMTPUTF8 because its sender was.
  n.envelope.sender = "j\xc3\xbcrg@podunk.edu";
  CHECK_FALSE(n.text().smtputf8);
}

TEST_CASE("bounce: addresses and messages beyond ASCII (RFC 6533)") {
  Notice n;
  n.reports = {report("j\xc3\xbcrg@x.org"), report()};
  n.reports[0].words = "550 5.1.1 kein J\xc3\xbcrg";
  n.envelope.sender = "jos\xc3\xa9@podunk.edu";
  n.envelope.smtputf8 = true;
  n.content = "Subject: \xc3\xbc\r\n\r\n\xc3\xa4\r\n";
  NoticeText text = n.text();
  check_form(text, n.content);
  CHECK(text.smtputf8);
  Taken t = take_apart(text.content);
  CHECK(has(t.head, "report-type=global-delivery-status"));
  CHECK(has(t.parts[0].head, "charset=utf-8"));
  CHECK(has(t.parts[0].body, "Subject: \xc3\xbc\r\n"));
  CHECK(has(t.parts[1].head, "message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit"));
  auto g = groups(t.parts[1]);
  REQUIRE(g.size() == 3);
  CHECK(g[1].find("Final-Recipient")->second == "utf-8; j\xc3\xbcrg@x.org");
  CHECK(g[1].find("Diagnostic-Code")->second == "smtp; 550 5.1.1 kein J\xc3\xbcrg");
  CHECK(g[2].find("Final-Recipient")->second == "rfc822; bob@x.org");
  CHECK(has(t.parts[2].head, "message/global\r\n"));
  n.envelope.ret = 2;
  CHECK(has(take_apart(n.text().content).parts[2].head, "message/global-headers\r\n"));
  // With plain addresses the fields stay ASCII, whatever the host said.
  n.reports.erase(n.reports.begin());
  n.reports[0].words = "550 J\xc3\xbcrg";
  CHECK(groups(take_apart(n.text().content).parts[1])[1].find("Diagnostic-Code")->second ==
        "smtp; 550 J??rg");
}

TEST_CASE("bounce: a boundary that occurs in the message is not used") {
  Notice n;
  n.id.octets[0] = 9;
  std::string name = n.id.text();
  for (const std::string& inside : {name, name + "=_", "--" + name + "--\r\n"}) {
    n.content = "Subject: x\r\n\r\n--" + inside + "\r\n\r\n--" + inside + "--\r\n";
    NoticeText text = n.text();
    check_form(text, n.content);
    CHECK(take_apart(text.content).parts[2].body == n.content);
    n.content = kMessage;
    n.reports[0].words = "550 --" + inside;
    check_form(n.text(), n.content);
    n.reports = {report()};
  }
}

TEST_CASE("bounce: whatever a host or a sender writes, no line of a notice is theirs") {
  const std::string hostile[] = {
      "x\r\nBcc: all@example.com\r\n\r\nnew body",
      "x\nAction: delivered",
      std::string("\0\x01\x1b[2J\x7f", 7),
      "\xff\xfe\xfd",
      "\xc3",
      std::string(499, 'x') + "\xc3\xbc\xc3\xbc\xc3\xbc",
      std::string(255, 'x') + "\xc3\xbc",
      std::string(100'000, 'y'),
      std::string(100'000, ' '),
      "a;b; c",
      "; ; ;",
      "",
      "rfc822;+0D+0AAction:+20delivered",
      "rfc822;+ZZ",
      "utf-8;j\\x{FC}rg",
  };
  for (const std::string& h : hostile) {
    INFO(h.substr(0, 60));
    for (Action action : {Action::kFailed, Action::kDelayed, Action::kRelayed}) {
      Notice n;
      Report& r = n.reports[0];
      r.action = action;
      r.address = r.original = r.orcpt = r.status = r.words = r.host = h;
      n.envelope.envid = h;
      NoticeText text = n.text();
      Taken t = take_apart(text.content);
      REQUIRE(t.parts.size() == 3);
      check_form(text, kMessage);
      auto g = groups(t.parts[1]);
      REQUIRE(g.size() == 2);
      for (const auto& group : g) {
        for (auto at = group.begin(); at != group.end(); ++at) CHECK(group.count(at->first) == 1);
      }
      CHECK(g[1].find("Action")->second != "delivered");
      CHECK(text.content.size() < kMessage.size() + 3000 + octets_of(r));
    }
    Notice n;
    n.content = "Subject: " + h.substr(0, 30'000) + "\r\nMessage-ID: " + h.substr(0, 3000) + "\r\n\r\n";
    NoticeText text = n.text();
    REQUIRE(take_apart(text.content).parts.size() == 3);
    check_form(text, n.content);
    n.content = h.substr(0, kMostReturned);
    check_form(n.text(), n.content);
  }
}

TEST_CASE("bounce: a full notice is a small body") {
  Notice n;
  n.content = kHeader + std::string(kMostReturned - kHeader.size(), 'b');
  std::size_t octets = octets_of(n.reports[0]);
  std::string words(500, 'w');
  for (int i = 0; octets <= kMostReported; ++i) {
    Report r = report("user" + std::to_string(i) + "@x.org");
    r.words = words;
    r.orcpt = "rfc822;" + r.address;
    octets += octets_of(r);
    if (octets <= kMostReported) n.reports.push_back(r);
  }
  NoticeText text = n.text();
  check_form(text, n.content);
  CHECK(take_apart(text.content).parts[2].body == n.content);
  CHECK(groups(take_apart(text.content).parts[1]).size() == n.reports.size() + 1);
}

TEST_CASE("bounce: whom nobody need tell") {
  struct {
    const char* header;
    bool bulk;
  } const table[] = {
      {"Subject: x\r\n", false},
      {"List-Id: <l.example.org>\r\n", true},
      {"list-ID: <l.example.org>\n", true},
      {"Precedence: bulk\r\n", true},
      {"Precedence: LIST\r\n", true},
      {"Precedence:junk\r\n", true},
      {"Precedence: first-class\r\n", false},
      {"Auto-Submitted: auto-generated\r\n", true},
      {"Auto-Submitted: No\r\n", false},
      {"X-List-Id: x\r\n", false},
      {"Subject: x\r\n\r\nList-Id: x\r\n", false},
      {"Subject: x\n\nPrecedence: bulk\n", false},
      {"", false},
      {"Precedence", false},
      {"Precedence:", false},
  };
  for (const auto& c : table) {
    CAPTURE(c.header);
    CHECK(is_bulk(c.header) == c.bulk);
  }
}

TEST_CASE("bounce: advice is for a status of any class") {
  CHECK(advice_for("5.1.1") == advice_for("4.1.1"));
  CHECK(has(advice_for("5.2.2"), "full"));
  CHECK(advice_for("5.1.10") != advice_for("5.1.1"));
  for (const char* none : {"5.9.9", "5", "", "5.1.", "x"}) CHECK(advice_for(none).empty());
}
