#include "wwwd/svg.h"

#include <catch2/catch.hpp>

using namespace wwwd;

namespace {

std::string drawn(const Rates& rates) {
  Html html;
  draw_rates(html, rates);
  return html.str();
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("svg: nothing to draw") {
  CHECK(drawn({}).empty());
  CHECK(drawn({1000, std::chrono::seconds(900), {{"Taken in", "message", {}, false}}}).empty());
}

TEST_CASE("svg: bars, gaps, words and the table say the same") {
  Rates rates;
  rates.end = 1795660200;  // 2026-11-26 02:30
  rates.rates.push_back({"Taken in <b>", "message", {3, 0, {}, 1200, 1}, false});
  std::string html = drawn(rates);
  CHECK(html.find("<b>") == std::string::npos);
  CHECK(count(html, "<figure class=\"rate\">") == 1);
  CHECK(html.find("<strong>1,204</strong>") != std::string::npos);
  CHECK(html.find("most: 1,200 in 15 min from 02:00") != std::string::npos);
  CHECK(html.find("role=\"img\" aria-labelledby=\"rate-1-title rate-1-desc\"") != std::string::npos);
  CHECK(html.find("1,204 messages in all") != std::string::npos);
  // Three bars: each begins with a move. The smallest are 1 high, the largest as high as there is room.
  auto bars = html.substr(html.find("class=\"bars\" d=\""));
  bars = bars.substr(0, bars.find("\"></path>"));
  CHECK(count(bars, "M") == 3);
  CHECK(count(bars, "v-1.0") == 2);
  CHECK(count(bars, "v-47.0") == 1);
  CHECK(html.find("class=\"gap\" d=\"M115.2 0H172.8V48H115.2z\"") != std::string::npos);
  CHECK(html.find("<th scope=\"row\">2026-11-26 02:00</th><td class=\"right\" data-label=\"Taken in "
                  "&lt;b&gt;\">1,201</td>") != std::string::npos);
  CHECK(html.find("<th scope=\"row\">2026-11-26 01:00</th><td class=\"right\" data-label=\"Taken in "
                  "&lt;b&gt;\">3</td>") != std::string::npos);
}

TEST_CASE("svg: an hour in which nobody counted") {
  Rates rates;
  rates.end = 1795658400;  // 02:00
  rates.rates.push_back({"Refused", "client", {{}, {}, {}, {}, 0, 0, 0, 0}, true});
  std::string html = drawn(rates);
  CHECK(html.find("rate bad") != std::string::npos);
  CHECK(html.find("not counted") != std::string::npos);
  CHECK(html.find(">none</small>") != std::string::npos);
  CHECK(html.find("class=\"bars\"") == std::string::npos);
}

TEST_CASE("svg: a page's share, however much was counted") {
  Rates rates;
  rates.end = 1795660200;
  rates.step = std::chrono::seconds(300);
  Rate rate{"Taken in", "message", {}, false};
  for (std::uint64_t i = 0; i < 5000; ++i) rate.counts.emplace_back(i * 123456789);
  for (int i = 0; i < 6; ++i) rates.rates.push_back(rate);
  CHECK(drawn(rates).size() < 42'000);
}
