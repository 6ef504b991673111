#include "wwwd/queue_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "lib/id.h"
#include "lib/text.h"

namespace wwwd {

namespace {

// An address has at most 320 octets; a pattern for one needs no more than twice that.
constexpr std::size_t kMostPattern = 640;
constexpr std::array<std::string_view, 4> kStates = {"new", "active", "deferred", "held"};

struct Field {
  std::string_view name;
  std::string QueueQuery::*value;
  std::string_view words;  ///< before the value, in a sentence
};
constexpr std::array<Field, 6> kFields = {{{"sender", &QueueQuery::sender, "sender "},
                                           {"recipient", &QueueQuery::recipient, "recipient "},
                                           {"domain", &QueueQuery::domain, "recipient's domain "},
                                           {"hop", &QueueQuery::hop, "next host "},
                                           {"state", &QueueQuery::state, ""},
                                           {"older", &QueueQuery::older, "older than "}}};

bool is_age(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return false;
  return std::all_of(text.begin(), text.end() - 1, [](char c) { return po::is_digit(c); }) &&
         std::string_view("smhdw").find(text.back()) != std::string_view::npos;
}

/// The rule that the value breaks; empty if it is good.
std::string_view broken_rule(std::string_view field, std::string_view value) {
  if (field == "state")
    return std::find(kStates.begin(), kStates.end(), value) == kStates.end()
               ? "One of new, active, deferred and held."
               : "";
  if (field == "older")
    return is_age(value) ? "" : "A number with s, m, h, d or w behind it, as in 90m or 4h.";
  if (value.size() > kMostPattern) return "At most 640 characters.";
  if (po::has_control(value)) return "One line, without control characters.";
  return "";
}

/// "ID" or "ID/N".
bool is_place(std::string_view text) {
  auto slash = text.find('/');
  std::string_view n = slash == std::string_view::npos ? "0" : text.substr(slash + 1);
  return is_message_id(text.substr(0, slash)) && !n.empty() && n.size() <= 10 &&
         std::all_of(n.begin(), n.end(), [](char c) { return po::is_digit(c); });
}

}  // namespace

bool is_message_id(std::string_view text) {
  return po::MessageId::parse(text).has_value();
}

bool QueueQuery::filters() const {
  return std::any_of(kFields.begin(), kFields.end(),
                     [this](const Field& f) { return !(this->*f.value).empty(); });
}

std::string_view QueueQuery::problem_of(std::string_view field) const {
  auto at =
      std::find_if(problems.begin(), problems.end(), [&](const Problem& p) { return p.field == field; });
  return at == problems.end() ? std::string_view() : at->rule;
}

QueueQuery read_queue_query(const Parameters& from) {
  QueueQuery query;
  for (const Field& f : kFields) {
    std::string_view value = po::trim(from.value(f.name));
    query.*f.value = value;
    if (value.empty()) continue;
    std::string_view rule = broken_rule(f.name, value);
    if (!rule.empty()) query.problems.push_back({std::string(f.name), std::string(rule)});
  }
  if (is_place(from.value("after"))) query.after = from.value("after");
  return query;
}

std::vector<std::string> filter_words(const QueueQuery& query) {
  std::vector<std::string> words;
  for (const Field& f : kFields) {
    const std::string& value = query.*f.value;
    // As one word, so that a value that begins with dashes is a value all the same.
    if (!value.empty() && query.problem_of(f.name).empty())
      words.push_back(fmt::format("--{}={}", f.name, value));
  }
  return words;
}

std::vector<std::pair<std::string, std::string>> filter_fields(const QueueQuery& query) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const Field& f : kFields)
    if (!(query.*f.value).empty()) fields.emplace_back(f.name, query.*f.value);
  return fields;
}

std::string queue_address(const QueueQuery& query) {
  auto fields = filter_fields(query);
  if (!query.after.empty()) fields.emplace_back("after", query.after);
  std::string out = "/queue";
  char separator = '?';
  for (const auto& [name, value] : fields) {
    out += fmt::format("{}{}={}", separator, name, encode_component(value));
    separator = '&';
  }
  return out;
}

std::string filter_text(const QueueQuery& query) {
  std::string out;
  for (const Field& f : kFields) {
    if ((query.*f.value).empty()) continue;
    out += fmt::format("{}{}{}", out.empty() ? "" : ", ", f.words, query.*f.value);
  }
  return out;
}

}  // namespace wwwd
