#include "wwwd/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "wwwd/words.h"

namespace wwwd {

namespace {

// In units of the drawing, which the browser scales to the room there is.
constexpr std::size_t kWidth = 288, kHeight = 48, kBase = kHeight;
constexpr std::size_t kLabels = 13;  ///< room below the bars for the hours

struct Summary {
  std::uint64_t sum = 0, peak = 0;
  std::size_t peak_at = 0;
};

Summary summary_of(const Rate& rate) {
  Summary out;
  for (std::size_t i = 0; i < rate.counts.size(); ++i) {
    std::uint64_t n = rate.counts[i].value_or(0);
    out.sum += n;
    if (n <= out.peak) continue;
    out.peak = n;
    out.peak_at = i;
  }
  return out;
}

struct Axis {
  std::time_t end = 0, step = 900;
  std::size_t steps = 0;
  [[nodiscard]] std::time_t begin_of(std::size_t i) const {
    return end - static_cast<std::time_t>(steps - i) * step;
  }
  [[nodiscard]] double left_of(std::size_t i) const {
    return static_cast<double>(i * kWidth) / static_cast<double>(steps);
  }
};

std::string peak_text(const Summary& s, const Axis& axis) {
  if (s.peak == 0) return "none";
  return fmt::format("most: {} in {} from {}", count_text(s.peak), span_text(axis.step),
                     clock_text(axis.begin_of(s.peak_at)));
}

/// All bars as one path: a rectangle for each step that has something to show.
std::string bars_path(const Rate& rate, std::uint64_t peak, const Axis& axis) {
  std::string out;
  double width = axis.left_of(1) * 0.8;
  for (std::size_t i = 0; i < rate.counts.size(); ++i) {
    std::uint64_t n = rate.counts[i].value_or(0);
    if (n == 0) continue;
    // One of a thousand is to be seen as well.
    double height = std::max(1.0, static_cast<double>(n) * (kHeight - 1) / static_cast<double>(peak));
    out += fmt::format("M{:.1f} {}v-{:.1f}h{:.1f}v{:.1f}z", axis.left_of(i), kBase, height, width, height);
  }
  return out;
}

/// Where nobody counted.
std::string gaps_path(const Rate& rate, const Axis& axis) {
  std::string out;
  for (std::size_t i = 0; i < rate.counts.size();) {
    std::size_t end = i;
    while (end < rate.counts.size() && !rate.counts[end]) ++end;
    if (end > i) {
      out += fmt::format("M{:.1f} 0H{:.1f}V{}H{:.1f}z", axis.left_of(i), axis.left_of(end), kBase,
                         axis.left_of(i));
    }
    i = end + 1;
  }
  return out;
}

void draw_path(Html& html, std::string_view css, std::string_view path) {
  if (!path.empty()) html.element("path", {{"class", css}, {"d", path}}, "");
}

/// A mark and the hour at each sixth hour of the day.
void draw_hours(Html& html, const Axis& axis) {
  std::string marks;
  Html labels;
  for (std::size_t i = 0; i < axis.steps; ++i) {
    std::time_t when = axis.begin_of(i);
    if (when % (6 * 3600) >= axis.step) continue;
    double x = axis.left_of(i);
    marks += fmt::format("M{:.1f} {}v3", x, kBase);
    std::string_view anchor = x < 14 ? "start" : x > kWidth - 14 ? "end" : "middle";
    labels.element("text",
                   {{"x", fmt::format("{:.1f}", x)}, {"y", kBase + kLabels - 1}, {"text-anchor", anchor}},
                   clock_text(when));
  }
  draw_path(html, "axis", fmt::format("M0 {}h{}{}", kBase, kWidth, marks));
  html.add(labels);
}

void draw_rate(Html& html, const Rate& rate, const Axis& axis, std::size_t number) {
  Summary s = summary_of(rate);
  std::string title_id = fmt::format("rate-{}-title", number), desc_id = fmt::format("rate-{}-desc", number);
  html.open("figure", {{"class", rate.bad ? "rate bad" : "rate"}});
  html.open("figcaption")
      .element("span", {{"class", "rate-name"}}, rate.name)
      .text(" ")
      .element("strong", count_text(s.sum))
      .text(" ")
      .element("small", peak_text(s, axis))
      .close("figcaption");
  html.open("svg", {{"viewbox", fmt::format("0 0 {} {}", kWidth, kHeight + kLabels)},
                    {"role", "img"},
                    {"aria-labelledby", fmt::format("{} {}", title_id, desc_id)}});
  html.element("title", {{"id", title_id}}, rate.name + " over the last day");
  html.element("desc", {{"id", desc_id}},
               fmt::format("{} in all; {}. The table below has the numbers.", count_of(s.sum, rate.one),
                           peak_text(s, axis)));
  draw_path(html, "gap", gaps_path(rate, axis));
  draw_path(html, "bars", bars_path(rate, s.peak, axis));
  draw_hours(html, axis);
  html.close("svg").close("figure");
}

// ---- the table

/// By the hour that a step begins in; nothing if nobody counted in all of it.
using Hours = std::map<std::time_t, std::vector<std::optional<std::uint64_t>>>;

Hours by_hour(const Rates& rates, const Axis& axis) {
  Hours hours;
  for (std::size_t r = 0; r < rates.rates.size(); ++r) {
    const auto& counts = rates.rates[r].counts;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      std::time_t when = axis.begin_of(i);
      auto& row = hours[when - when % 3600];
      row.resize(rates.rates.size());
      if (counts[i]) row[r] = row[r].value_or(0) + *counts[i];
    }
  }
  return hours;
}

void draw_table(Html& html, const Rates& rates, const Axis& axis) {
  html.open("details").element("summary", "The same as a table, by the hour");
  html.open(
      "div",
      {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Rates by the hour"}});
  html.open("table", {{"class", "list"}}).open("thead").open("tr");
  html.element("th", {{"scope", "col"}}, "From (UTC)");
  for (const Rate& rate : rates.rates) html.element("th", {{"scope", "col"}, {"class", "right"}}, rate.name);
  html.close("tr").close("thead").open("tbody");
  Hours hours = by_hour(rates, axis);
  for (auto hour = hours.rbegin(); hour != hours.rend(); ++hour) {
    html.open("tr").element("th", {{"scope", "row"}}, time_text(hour->first, false));
    for (std::size_t r = 0; r < hour->second.size(); ++r) {
      const auto& n = hour->second[r];
      html.element("td", {{"class", "right"}, {"data-label", rates.rates[r].name}},
                   n ? count_text(*n) : "not counted");
    }
    html.close("tr");
  }
  html.close("tbody").close("table").close("div").close("details");
}

/// The last steps alone.
Rates cut(Rates rates) {
  for (Rate& rate : rates.rates) {
    if (rate.counts.size() <= kMostBars) continue;
    rate.counts.erase(rate.counts.begin(), rate.counts.end() - static_cast<std::ptrdiff_t>(kMostBars));
  }
  return rates;
}

}  // namespace

void draw_rates(Html& html, const Rates& all) {
  if (all.rates.empty() || all.rates.front().counts.empty() || all.step.count() <= 0) return;
  Rates rates = cut(all);
  Axis axis{rates.end, static_cast<std::time_t>(rates.step.count()), rates.rates.front().counts.size()};
  html.open("div", {{"class", "rates"}});
  for (std::size_t i = 0; i < rates.rates.size(); ++i) draw_rate(html, rates.rates[i], axis, i + 1);
  html.close("div");
  draw_table(html, rates, axis);
}

}  // namespace wwwd
