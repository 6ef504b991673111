#include "queue/queue_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "lib/text.h"
#include "queue/routing.h"

namespace queue {

using po::messages::CommandOutput;

static constexpr std::string_view kOthers = "(others)";

QueueSummary::QueueSummary(std::unique_ptr<QueueScan> scan, Options options, std::uint64_t now_ms)
    : scan_(std::move(scan)), options_(options), now_ms_(now_ms) {}

template <class Counts>
static std::uint64_t sum(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

static std::size_t column_of(std::uint64_t made, std::uint64_t now_ms) {
  std::uint64_t minutes = now_ms > made ? (now_ms - made) / 60'000 : 0;
  const auto& bounds = QueueSummary::kMinutes;
  return static_cast<std::size_t>(std::upper_bound(bounds.begin(), bounds.end(), minutes) - bounds.begin());
}

void QueueSummary::count(const FoundRow& row) {
  std::size_t column = column_of(row.waiting.key.id.made_ms(), now_ms_);
  ++total_[column];
  ++states_[static_cast<std::size_t>(row.state)];
  if (row.waiting.key.id != last_) ++messages_;
  last_ = row.waiting.key.id;
  std::string_view key = row.waiting.row.hop;
  if (options_.by == By::kSenderDomain) {
    key = domain_part(row.head->envelope.sender);
    if (key.empty()) key = row.head->envelope.sender.empty() ? "<>" : "(no domain)";
  }
  auto at = by_key_.find(key);
  if (at == by_key_.end()) at = by_key_.emplace(by_key_.size() < kMostKeys ? key : kOthers, Counts{}).first;
  ++at->second[column];
}

QueueSummary::Lines QueueSummary::sorted() const {
  Lines lines(by_key_.begin(), by_key_.end());
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return sum(a.second) > sum(b.second); });
  if (options_.limit > 0 && lines.size() > options_.limit) lines.resize(options_.limit);
  return lines;
}

template <class Counts>
static std::string line_text(std::string_view key, const Counts& counts) {
  std::string out = fmt::format("{:>40} {:>8}", po::for_terminal(key, 40), sum(counts));
  for (std::uint64_t n : counts) out += fmt::format(" {:>6}", n);
  return out + "\n";
}

void QueueSummary::print_text(std::string& out) const {
  out += line_text("TOTAL", total_);
  Lines lines = sorted();
  for (const auto& [key, counts] : lines) out += line_text(key, counts);
  if (lines.size() < by_key_.size()) {
    out += fmt::format("{} more; --limit 0 shows all\n", by_key_.size() - lines.size());
  }
}

template <class Counts>
static std::string line_json(std::string_view name, std::string_view key, const Counts& counts) {
  std::string out =
      fmt::format("{{\"{}\":{},\"recipients\":{},\"ages\":[", name, po::json_string(key), sum(counts));
  for (std::size_t i = 0; i < counts.size(); ++i) out += fmt::format("{}{}", i == 0 ? "" : ",", counts[i]);
  return out + "]}";
}

void QueueSummary::print_json(std::string& out) const {
  std::string_view name = options_.by == By::kHop ? "hop" : "sender_domain";
  out += fmt::format("{{\"minutes\":[{}],\"recipients\":{},\"messages\":{},\"states\":{{",
                     fmt::join(kMinutes, ","), sum(total_), messages_);
  const char* comma = "";
  for (std::size_t i = 0; i < states_.size(); ++i) {
    out += fmt::format("{}\"{}\":{}", comma, state_name(static_cast<RowState>(i)), states_[i]);
    comma = ",";
  }
  out += "},\"lines\":[";
  comma = "";
  for (const auto& [key, counts] : sorted()) {
    out += comma + line_json(name, key, counts);
    comma = ",\n";
  }
  out += "]}\n";
}

po::CommandTask::Step QueueSummary::step(CommandOutput& out) {
  if (!begun_ && !options_.json) {
    out.out += fmt::format("{:>40} {:>8}", "", "T");
    for (unsigned m : kMinutes) out.out += fmt::format(" {:>6}", m);
    out.out += fmt::format(" {:>6}\n", fmt::format("{}+", kMinutes.back()));
  }
  begun_ = true;
  auto found = scan_->next();
  if (!found) return fail(out, po::kExitTemporary, found.error().text);
  for (const FoundRow& row : *found) count(row);
  if (!scan_->done()) return Step::kMore;
  if (options_.json) {
    print_json(out.out);
  } else {
    print_text(out.out);
  }
  return Step::kEnd;
}

}  // namespace queue
