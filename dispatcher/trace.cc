#include "dispatcher/trace.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/id.h"
#include "lib/text.h"

namespace dispatcher {

using po::LogRecord;
using po::permanent;
using po::Result;

// ---- words

static Result<std::uint32_t> parse_count(std::string_view option, std::string_view text, std::uint32_t most) {
  std::uint64_t n = 0;
  bool ok = !text.empty() && text.size() <= 5;
  for (char c : text) {
    ok = ok && po::is_digit(c);
    n = n * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (!ok || n == 0 || n > most)
    return permanent(fmt::format("{} takes a number from 1 to {}", option, most));
  return static_cast<std::uint32_t>(n);
}

static std::string_view without_brackets(std::string_view text) {
  bool both = text.size() > 2 && text.front() == '<' && text.back() == '>';
  return both ? text.substr(1, text.size() - 2) : text;
}

static Result<void> take_address(TraceQuery& query, std::string_view word) {
  if (!query.texts.empty() && query.by != TraceQuery::By::kAddress)
    return permanent("one id or Message-ID, or addresses");
  if (word.empty()) return permanent("an empty word names nothing");
  if (query.texts.size() >= kMostTraceAddresses)
    return permanent(fmt::format("at most {} addresses at a time", kMostTraceAddresses));
  query.by = TraceQuery::By::kAddress;
  query.texts.emplace_back(word);
  return {};
}

/// An id has its own form; <a@b> is how a Message-ID is written; a@b is an address.
static Result<void> take_subject(TraceQuery& query, std::string_view word) {
  bool id = po::MessageId::parse(po::ascii_lower(word)).has_value();
  bool message_id = word.size() > 2 && word.front() == '<';
  if (!query.texts.empty()) return permanent("one id, address or Message-ID at a time");
  if (!id && !message_id) return take_address(query, word);
  query.by = id ? TraceQuery::By::kId : TraceQuery::By::kMessageId;
  query.texts.push_back(id ? po::ascii_lower(word) : std::string(without_brackets(word)));
  return {};
}

static Result<void> take_value(TraceQuery& query, std::string_view option, std::string_view value) {
  if (option == "--address") return take_address(query, value);
  constexpr std::uint32_t kMostDays = 99'999;
  bool days = option == "--days";
  auto n = parse_count(option, value, days ? kMostDays : kMostTraceLines);
  if (!n) return tl::unexpected(n.error());
  (days ? query.days : query.limit) = *n;
  return {};
}

static Result<void> take_flag(TraceQuery& query, std::string_view option) {
  bool* flag = option == "--json" ? &query.json : option == "--own" ? &query.own : nullptr;
  if (flag == nullptr) return permanent(fmt::format("there is no option {}", po::for_terminal(option, 40)));
  *flag = true;
  return {};
}

Result<TraceQuery> parse_trace_words(const std::vector<std::string>& words) {
  TraceQuery query;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    auto equals = word.find('=');
    std::string_view option = word.substr(0, equals);
    Result<void> taken;
    if (!word.starts_with("--")) {
      taken = take_subject(query, word);
    } else if (option != "--days" && option != "--limit" && option != "--address") {
      taken = take_flag(query, word);
    } else if (equals != std::string_view::npos) {
      taken = take_value(query, option, word.substr(equals + 1));
    } else if (i + 1 < words.size()) {
      taken = take_value(query, option, words[++i]);
    } else {
      taken = permanent(fmt::format("{} needs a value", option));
    }
    if (!taken) return tl::unexpected(taken.error());
  }
  if (query.texts.empty()) return permanent("whose story? An id, an address, or a <Message-ID>");
  if (query.own && query.by != TraceQuery::By::kAddress) return permanent("--own goes with addresses");
  return query;
}

// ---- which lines

/// Where a line names people. A value may hold several, with commas between.
static constexpr std::string_view kSenderKeys[] = {"from", "sender", "login"};
static constexpr std::string_view kRecipientKeys[] = {"to", "recipient", "original", "orig"};

template <class Keys, class F>
static bool any_of_keys(const Keys& keys, const F& f) {
  return std::any_of(std::begin(keys), std::end(keys), f);
}

/// Calls f with each part of a list with commas.
template <class F>
static void for_each_part(std::string_view list, const F& f) {
  while (!list.empty()) {
    auto comma = list.find(',');
    f(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
}

/// Ids and names of sessions stand bare in a line: found without reading all of it.
static std::string_view bare_field(std::string_view line, std::string_view key) {
  auto at = line.find(key);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + key.size());
  return line.substr(0, line.find(' '));
}

static bool contains_ignoring_case(std::string_view line, std::string_view text) {
  auto same = [](char a, char b) { return po::ascii_lower(a) == po::ascii_lower(b); };
  return std::search(line.begin(), line.end(), text.begin(), text.end(), same) != line.end();
}

/// In a line it stands bare, between these and no others.
static bool is_plain_address(std::string_view text) {
  return text.find('@') != std::string_view::npos && std::all_of(text.begin(), text.end(), [](char c) {
           return po::is_alnum(c) || c == '.' || c == '_' || c == '-' || c == '+' || c == '@';
         });
}

TraceFilter::TraceFilter(TraceQuery query) : query_(std::move(query)) {
  for (const std::string& text : query_.texts) {
    if (query_.by == TraceQuery::By::kId) ids_.insert(text);
    if (query_.by == TraceQuery::By::kAddress) addresses_.insert(po::ascii_lower(text));
    if (query_.by == TraceQuery::By::kAddress && is_plain_address(text)) {
      plain_.insert(po::ascii_lower(text));
    } else {
      odd_.push_back(text);
      reads_all_ = reads_all_ || !po::is_ascii(text) || text.find_first_of("\"\\") != std::string::npos;
    }
  }
}

void TraceFilter::keep(Names& names, std::string_view name) {
  if (name.empty() || names.contains(name)) return;
  if (names.size() >= kMost) {
    overflowed_ = true;
  } else {
    names.emplace(name);
  }
}

bool TraceFilter::is_asked(std::string_view address) const {
  return addresses_.contains(po::ascii_lower(address));
}

bool TraceFilter::names_asked(std::string_view list) const {
  bool found = false;
  for_each_part(list, [&](std::string_view address) { found = found || is_asked(address); });
  return found;
}

/// The address around the @ at `at`, as far as plain ones go.
static std::string_view address_around(std::string_view line, std::size_t at) {
  constexpr std::string_view kEnds = " ,=<>\"";
  std::size_t begin = line.find_last_of(kEnds, at), end = line.find_first_of(kEnds, at);
  begin = begin == std::string_view::npos ? 0 : begin + 1;
  return line.substr(begin, end == std::string_view::npos ? end : end - begin);
}

/// Spares most lines the parser. A text that the log would escape stands otherwise in the line.
bool TraceFilter::may_match(std::string_view line) const {
  if (reads_all_) return true;
  if (!plain_.empty()) {
    for (auto at = line.find('@'); at != std::string_view::npos; at = line.find('@', at + 1))
      if (plain_.contains(po::ascii_lower(address_around(line, at)))) return true;
  }
  return std::any_of(odd_.begin(), odd_.end(),
                     [line](const std::string& text) { return contains_ignoring_case(line, text); });
}

bool TraceFilter::is_from_asked(const LogRecord& record) const {
  return any_of_keys(kSenderKeys, [&](std::string_view key) { return names_asked(record.get(key)); });
}

bool TraceFilter::matches(const LogRecord& record) const {
  switch (query_.by) {
    case TraceQuery::By::kId:
      return record.get("id") == query_.texts[0];
    case TraceQuery::By::kMessageId:
      return without_brackets(record.get("message-id")) == query_.texts[0];
    case TraceQuery::By::kAddress:
      return is_from_asked(record) ||
             any_of_keys(kRecipientKeys, [&](std::string_view key) { return names_asked(record.get(key)); });
  }
  return false;
}

void TraceFilter::learn(std::string_view line) {
  std::string_view id = bare_field(line, " id=");
  std::string_view about = bare_field(line, " about=");  // a notice about one of ours
  bool known = (!id.empty() && ids_.contains(id)) || (!about.empty() && ids_.contains(about));
  if (!known && !may_match(line)) return;
  auto record = po::parse_log_line(line);
  if (!record || (!known && !matches(*record))) return;
  keep(ids_, record->get("id"));
  keep(sessions_, record->get("session"));
  if (!query_.own || !is_from_asked(*record)) return;
  keep(sent_, record->get("id"));
  keep(sent_sessions_, record->get("session"));
}

// A line of the session that is about neither this message nor another one tells who was there: the log-in,
// the end with its TLS version.
std::optional<LogRecord> TraceFilter::take(std::string_view line) const {
  std::string_view id = bare_field(line, " id="), session = bare_field(line, " session=");
  bool ours = !id.empty() && ids_.contains(id);
  bool beside = !ours && id.empty() && !session.empty() && sessions_.contains(session);
  if (!ours && !beside && !may_match(line)) return {};
  auto record = po::parse_log_line(line);
  if (!record) return {};
  bool of_session = beside && !record->has("sender") && !record->has("recipient");
  if (!ours && !of_session && !matches(*record)) return {};
  if (query_.own) return own_part(std::move(*record));
  return record;
}

// What somebody sent is his to read whole. Of what others sent he may know what reached him, and not whom
// else: there may be blind copies.
std::optional<LogRecord> TraceFilter::own_part(LogRecord record) const {
  std::string_view id = record.get("id"), session = record.get("session");
  if (!id.empty() ? sent_.contains(id) : sent_sessions_.contains(session)) return record;
  if (is_from_asked(record)) return record;
  bool concerned = false;
  std::vector<po::LogField> fields;
  for (const po::LogField& field : record.fields()) {
    std::string_view key = field.key;
    if (!any_of_keys(kRecipientKeys, [key](std::string_view k) { return k == key; })) {
      fields.push_back(field);
      continue;
    }
    std::string kept;
    for_each_part(field.value, [&](std::string_view address) {
      if (is_asked(address)) kept.append(kept.empty() ? "" : ",").append(address);
    });
    concerned = concerned || !kept.empty();
    if (!kept.empty()) fields.push_back({field.key, std::move(kept)});
  }
  if (!concerned) return {};
  return LogRecord(std::move(fields));
}

}  // namespace dispatcher
