#include "wwwd/queue_rows.h"

#include <catch2/catch.hpp>

#include "wwwd/queue_page.h"

using namespace wwwd;

namespace {

std::vector<QueuedMessage> listed(std::string_view lines) {
  auto rows = parse_json_lines(lines);
  REQUIRE(rows);
  return read_queue_list(*rows);
}

constexpr std::string_view kRows =
    R"({"id":"06ctdyz0p00000100000","arrival":"2026-11-26T02:25:00Z","size":512,"sender":"a<b>@x","n":0,"recipient":"r0@y","original":"","state":"deferred","hop":"y","attempts":2,"next":"2026-11-26T02:45:00Z","reply":"450 <later> & \"more\""}
{"id":"06ctdyz0p00000100000","arrival":"2026-11-26T02:25:00Z","size":512,"sender":"a<b>@x","n":1,"recipient":"r1@y","original":"","state":"held","hop":"y","attempts":0,"next":null,"reply":null}
{"id":"06ctdyz0p00000100001","arrival":"2026-11-26T02:26:00Z","size":20000,"sender":"","n":0,"recipient":"r2@z","original":"q@z","state":"active","hop":"z","attempts":0,"next":"2026-11-26T02:25:00Z","reply":null}
)";

}  // namespace

TEST_CASE("queue rows: recipients of one message stand together") {
  auto messages = listed(kRows);
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].recipients.size() == 2);
  CHECK(messages[0].sender == "a<b>@x");
  CHECK(messages[0].recipients[0].attempts == 2);
  CHECK(messages[0].recipients[1].state == "held");
  CHECK_FALSE(messages[0].recipients[1].next);
  CHECK(messages[1].recipients[0].original == "q@z");
  CHECK(shown_sender(messages[1].sender) == "<>");
}

TEST_CASE("queue rows: as a table, escaped") {
  Html html;
  write_queue_table(html, listed(kRows), 1795659900, true);
  const std::string& text = html.str();
  CHECK(text.find("a<b>") == std::string::npos);
  CHECK(text.find("a&lt;b&gt;<wbr>@x") != std::string::npos);
  CHECK(text.find("450 &lt;later&gt; &amp; &quot;more&quot;") != std::string::npos);
  CHECK(text.find("in 20 min") != std::string::npos);
  CHECK(text.find("none while held") != std::string::npos);
  CHECK(text.find("under way") != std::string::npos);
  CHECK(text.find("2 attempts") != std::string::npos);
  CHECK(text.find("rowspan=\"2\"") != std::string::npos);
  CHECK(text.find("value=\"06ctdyz0p00000100001\"") != std::string::npos);
  Html without;
  write_queue_table(without, listed(kRows), 1795659900, false);
  CHECK(without.str().find("checkbox") == std::string::npos);
}

TEST_CASE("queue rows: a page of the longest rows is still a page") {
  std::string line =
      R"({"id":"06ctdyz0p000001000NN","arrival":"2026-11-26T02:25:00Z","size":512,"sender":")" +
      std::string(1000, 's') + R"(","n":0,"recipient":")" + std::string(1000, 'r') +
      R"(","state":"deferred","hop":")" + std::string(1000, 'h') +
      R"(","attempts":2,"next":"2026-11-26T02:45:00Z","reply":")" + std::string(5000, 'y') + "\"}\n";
  std::string lines;
  for (std::size_t i = 0; i < kQueueRows; ++i) {
    std::string one = line;
    one.replace(one.find("NN"), 2, std::to_string(10 + i % 90));
    lines += one;
  }
  Html html;
  write_queue_table(html, listed(lines), 1795659900, true);
  CHECK(html.size() < 52'000);
}

TEST_CASE("queue actions: what destroys asks first") {
  for (const QueueAction& a : queue_actions()) {
    CAPTURE(a.name);
    CHECK(find_queue_action(a.name) == &a);
    CHECK((!a.destroys || a.asks));
    CHECK_FALSE(a.words.empty());
    CHECK_FALSE(a.question.empty());
    CHECK_FALSE(a.effect.empty());
  }
  CHECK(find_queue_action("retry") != nullptr);
  CHECK(find_queue_action("") == nullptr);
  CHECK(find_queue_action("remove") == nullptr);
}
