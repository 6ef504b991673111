#include "queue/queue_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "lib/text.h"
#include "queue/routing.h"

namespace queue {

using po::permanent;
using po::Result;

static constexpr std::size_t kMostIds = 10'000;

std::string_view state_name(RowState state) {
  static constexpr std::string_view kNames[] = {"new", "active", "deferred", "held"};
  return kNames[static_cast<std::size_t>(state)];
}

static std::optional<RowState> parse_state(std::string_view name) {
  for (RowState s : {RowState::kNew, RowState::kActive, RowState::kDeferred, RowState::kHeld})
    if (state_name(s) == name) return s;
  return {};
}

RowState state_of(const store::Waiting& row, bool in_flight) {
  if (in_flight) return RowState::kActive;
  if (row.held) return RowState::kHeld;
  return row.attempts > 0 ? RowState::kDeferred : RowState::kNew;
}

// ---- judging

bool QueueFilter::selects() const {
  return !ids.empty() || selects_by_more_than_ids();
}

bool QueueFilter::selects_by_more_than_ids() const {
  return all || !sender.empty() || !recipient.empty() || !domain.empty() || !hop.empty() || older_ms || state;
}

bool QueueFilter::takes_sender(std::string_view address) const {
  if (sender.empty()) return true;
  if (sender == "<>") return address.empty();
  return po::matches_wildcards(sender, address);
}

bool QueueFilter::takes(const store::WaitingRow& row, bool in_flight, std::uint64_t now_ms) const {
  const store::Waiting& w = row.row;
  if (older_ms && row.key.id.made_ms() + *older_ms > now_ms) return false;
  if (state && *state != state_of(w, in_flight)) return false;
  if (!hop.empty() && !po::matches_wildcards(hop, w.hop)) return false;
  if (!domain.empty() && !po::matches_wildcards(domain, domain_part(w.address))) return false;
  return recipient.empty() || po::matches_wildcards(recipient, w.address) ||
         (!w.original.empty() && po::matches_wildcards(recipient, w.original));
}

// ---- words

std::optional<std::uint64_t> parse_age(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return {};
  std::uint64_t n = 0;
  for (char c : text.substr(0, text.size() - 1)) {
    if (!po::is_digit(c)) return {};
    n = n * 10 + static_cast<std::uint64_t>(c - '0');
  }
  switch (text.back()) {
    case 's':
      return n * 1000;
    case 'm':
      return n * 60'000;
    case 'h':
      return n * 3'600'000;
    case 'd':
      return n * 86'400'000;
    case 'w':
      return n * 7 * 86'400'000;
    default:
      return {};
  }
}

static std::optional<std::uint64_t> parse_count(std::string_view text) {
  if (text.empty() || text.size() > 12) return {};
  std::uint64_t n = 0;
  for (char c : text) {
    if (!po::is_digit(c)) return {};
    n = n * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return n;
}

/// "ID/N" is that recipient of the message, "ID" its last one, whatever number that has.
static std::optional<store::RecipientKey> parse_place(std::string_view text) {
  auto slash = text.find('/');
  auto id = po::MessageId::parse(po::ascii_lower(text.substr(0, slash)));
  if (!id) return {};
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint32_t>::max();
  auto n = slash == std::string_view::npos ? kLast : parse_count(text.substr(slash + 1));
  if (!n || *n > kLast) return {};
  return store::RecipientKey{*id, static_cast<std::uint32_t>(*n)};
}

/// "<jane@podunk.edu>" is what many logs print; "<>" keeps its meaning.
static std::string without_brackets(std::string_view text) {
  if (text.size() > 2 && text.front() == '<' && text.back() == '>') text = text.substr(1, text.size() - 2);
  return std::string(text);
}

/// False: `option` is none that has a value.
static Result<bool> take_value(QueueWords& out, std::string_view option, std::string_view value) {
  QueueFilter& f = out.filter;
  struct Pattern {
    std::string_view option;
    std::string* where;
  };
  for (const Pattern& p : {Pattern{"--sender", &f.sender},
                           {"--recipient", &f.recipient},
                           {"--domain", &f.domain},
                           {"--hop", &f.hop},
                           {"--to", &out.to}}) {
    if (p.option != option) continue;
    if (value.empty()) return permanent(fmt::format("{} needs a value", option));
    *p.where = without_brackets(value);
    return true;
  }
  if (option == "--older") {
    f.older_ms = parse_age(value);
    if (f.older_ms) return true;
    return permanent("--older takes a number with s, m, h, d or w behind it, as in 4h");
  }
  if (option == "--state") {
    f.state = parse_state(value);
    if (f.state) return true;
    return permanent("--state takes new, active, deferred or held");
  }
  if (option == "--limit") {
    out.limit = parse_count(value);
    if (out.limit) return true;
    return permanent("--limit takes a number");
  }
  if (option == "--after") {
    auto place = parse_place(value);
    if (!place) return permanent("--after takes the id of a message, or ID/N for its recipient number N");
    f.after = *place;
    return true;
  }
  return false;
}

static bool has_value(std::string_view option) {
  static constexpr std::string_view kOptions[] = {"--sender", "--recipient", "--domain", "--hop",  "--to",
                                                  "--older",  "--state",     "--limit",  "--after"};
  return std::find(std::begin(kOptions), std::end(kOptions), option) != std::end(kOptions);
}

static Result<void> take_id(QueueWords& out, const std::string& word) {
  auto id = po::MessageId::parse(po::ascii_lower(word));
  if (!id) return permanent(fmt::format("{} is no message id", po::for_terminal(word, 80)));
  if (out.filter.ids.size() >= kMostIds) return permanent("too many ids in one command");
  out.filter.ids.push_back(*id);
  return {};
}

bool QueueWords::has(std::string_view flag) const {
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

static bool is_allowed(std::string_view option, const std::vector<std::string_view>& flags) {
  bool general = has_value(option) && option != "--limit" && option != "--to" && option != "--after";
  return general || option == "--all" || std::find(flags.begin(), flags.end(), option) != flags.end();
}

Result<QueueWords> parse_queue_words(const std::vector<std::string>& words,
                                     const std::vector<std::string_view>& flags) {
  QueueWords out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with("--")) {
      if (auto taken = take_id(out, word); !taken) return tl::unexpected(taken.error());
      continue;
    }
    auto equals = word.find('=');
    std::string option = word.substr(0, equals);
    if (!is_allowed(option, flags))
      return permanent(fmt::format("there is no option {}", po::for_terminal(option, 40)));
    if (!has_value(option)) {
      if (equals != std::string::npos) return permanent(fmt::format("{} takes no value", option));
      out.flags.push_back(option);
      out.filter.all = out.filter.all || option == "--all";
      continue;
    }
    if (equals == std::string::npos && i + 1 >= words.size())
      return permanent(fmt::format("{} needs a value", option));
    std::string value = equals != std::string::npos ? word.substr(equals + 1) : words[++i];
    if (auto taken = take_value(out, option, value); !taken) return tl::unexpected(taken.error());
  }
  if (!out.filter.ids.empty() && out.filter.after.id != po::MessageId{})
    return permanent("--after and ids do not go together");
  return out;
}

}  // namespace queue
