#include "wwwd/story_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "lib/text.h"
#include "wwwd/words.h"

namespace wwwd {

namespace {

constexpr std::size_t kMostValue = 1000;

std::uint64_t number_of(std::string_view text) {
  std::uint64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

StoryEvent read_event(const Json& line) {
  StoryEvent out;
  for (const auto& [key, value] : line.members())
    out.fields.emplace_back(shortened(key, 60), shortened(value.text(), kMostValue));
  out.at = parse_time(out.get("time"));
  out.event = out.get("event");
  return out;
}

template <class List>
bool is_one_of(const List& list, std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

}  // namespace

std::string_view StoryEvent::get(std::string_view key) const {
  auto at = std::find_if(fields.begin(), fields.end(), [key](const auto& f) { return f.first == key; });
  return at == fields.end() ? std::string_view() : at->second;
}

std::optional<std::time_t> MessageStory::begin() const {
  return events.empty() ? std::nullopt : events.front().at;
}

// ---- putting together

namespace {

struct Telling {
  std::vector<MessageStory> stories;
  std::map<std::string, std::size_t, std::less<>> by_id;
  std::multimap<std::string, std::size_t, std::less<>> by_session;

  std::size_t story_of_id(std::string_view id, std::string_view session) {
    auto at = by_id.find(id);
    if (at == by_id.end()) {
      at = by_id.emplace(id, stories.size()).first;
      stories.emplace_back().id = id;
    }
    MessageStory& story = stories[at->second];
    if (story.session.empty() && !session.empty()) {
      story.session = session;
      by_session.emplace(session, at->second);
    }
    return at->second;
  }
};

/// First, which messages there are and which sessions brought them: the lines before a message's acceptance
/// are its own as well.
void find_messages(Telling& telling, const std::vector<StoryEvent>& events) {
  std::set<std::string_view> abouts;
  for (const StoryEvent& e : events)
    if (e.event != "notice" && !e.get("id").empty()) abouts.insert(e.get("id"));
  for (const StoryEvent& e : events) {
    bool elsewhere = e.event == "notice" && abouts.count(e.get("about")) > 0;
    if (!e.get("id").empty() && !elsewhere) telling.story_of_id(e.get("id"), e.get("session"));
  }
}

/// Those of a session that brought no message: one story for all its lines.
std::size_t story_of_session(Telling& telling, std::string_view session) {
  auto [first, last] = telling.by_session.equal_range(session);
  if (first != last) return first->second;
  std::size_t made = telling.stories.size();
  telling.stories.emplace_back().session = session;
  telling.by_session.emplace(session, made);
  return made;
}

void place(Telling& telling, const StoryEvent& e) {
  std::string_view about = e.event == "notice" ? e.get("about") : std::string_view();
  auto at = telling.by_id.find(about.empty() || telling.by_id.find(about) == telling.by_id.end() ? e.get("id")
                                                                                                 : about);
  if (at != telling.by_id.end()) {
    telling.stories[at->second].events.push_back(e);
    return;
  }
  std::size_t own = story_of_session(telling, e.get("session"));
  bool of_message = !telling.stories[own].id.empty();
  if (!of_message) {
    telling.stories[own].events.push_back(e);
    return;
  }
  auto [first, last] = telling.by_session.equal_range(e.get("session"));
  for (; first != last; ++first) telling.stories[first->second].events.push_back(e);
}

// ---- what became of it

void name_recipient(MessageStory& story, std::string_view list) {
  while (!list.empty()) {
    auto comma = list.find(',');
    std::string_view one = list.substr(0, comma);
    bool known = is_one_of(story.recipients, one);
    if (!one.empty() && !known && story.recipients.size() < kMostNamed) story.recipients.emplace_back(one);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
}

void learn_names(MessageStory& story, const StoryEvent& e) {
  if (e.event == "notice") return;
  for (std::string_view key : {"sender", "from"})
    if (story.sender.empty()) story.sender = e.get(key);
  if (story.message_id.empty()) story.message_id = e.get("message-id");
  for (std::string_view key : {"orig", "to", "recipient"}) {
    // Where an address leads to another one, people know the first.
    if (key == "to" && !e.get("orig").empty()) continue;
    name_recipient(story, e.get(key));
  }
  for (std::string_view key : {"nrcpt", "recipients"})
    story.recipient_count = std::max(story.recipient_count, number_of(e.get(key)));
  static constexpr std::string_view kRefusals[] = {"message-refused", "sender-refused", "rcpt-refused",
                                                   "refused", "not-stored"};
  story.refused =
      story.refused || (story.id.empty() && is_one_of(kRefusals, e.event)) || e.event == "message-refused";
}

std::optional<Fate> fate_of(std::string_view event) {
  struct Word {
    std::string_view event;
    Fate fate;
  };
  static constexpr Word kWords[] = {
      {"queued", Fate::kWaiting},  {"deferred", Fate::kWaiting},    {"released", Fate::kWaiting},
      {"retried", Fate::kWaiting}, {"rerouted", Fate::kWaiting},    {"delayed", Fate::kWaiting},
      {"held", Fate::kHeld},       {"delivered", Fate::kDelivered}, {"bounced", Fate::kFailed},
      {"expired", Fate::kFailed},  {"returned", Fate::kFailed},     {"discarded", Fate::kFailed}};
  for (const Word& w : kWords)
    if (w.event == event) return w.fate;
  return {};
}

void count_fates(MessageStory& story) {
  std::map<std::string_view, Fate> fates;
  bool stored = false;
  for (const StoryEvent& e : story.events) {
    learn_names(story, e);
    stored = stored || e.event == "stored";
    auto fate = fate_of(e.event);
    if (fate && e.get("id") == story.id && !e.get("to").empty()) fates[e.get("to")] = *fate;
  }
  for (const auto& [to, fate] : fates) {
    ++(fate == Fate::kDelivered ? story.delivered
       : fate == Fate::kWaiting ? story.waiting
       : fate == Fate::kHeld    ? story.held
                                : story.failed);
  }
  story.recipient_count = std::max<std::uint64_t>(story.recipient_count, fates.size());
  // Those that were never queued went into mailboxes when it was stored.
  if (stored) story.delivered += story.recipient_count - fates.size();
}

}  // namespace

std::vector<MessageStory> tell_stories(const std::vector<Json>& lines) {
  std::vector<StoryEvent> events;
  events.reserve(lines.size());
  for (const Json& line : lines) events.push_back(read_event(line));
  Telling telling;
  find_messages(telling, events);
  for (const StoryEvent& e : events) place(telling, e);
  for (MessageStory& story : telling.stories) count_fates(story);
  std::stable_sort(telling.stories.begin(), telling.stories.end(), [](const auto& a, const auto& b) {
    return a.begin().value_or(0) > b.begin().value_or(0);
  });
  return std::move(telling.stories);
}

// ---- sentences

namespace {

/// "mail.example.org [192.0.2.1]", "local user 1000".
std::string client_text(const StoryEvent& e) {
  if (!e.get("uid").empty()) return fmt::format("local user {}", e.get("uid"));
  std::string_view name = e.get("name");
  return name.empty() ? std::string(e.get("client")) : fmt::format("{} [{}]", name, e.get("client"));
}

std::string tls_text(const StoryEvent& e) {
  std::string_view tls = e.get("tls");
  return tls.empty() || tls == "no" ? ", without TLS" : fmt::format(", {}", tls);
}

std::string said(const StoryEvent& e) {
  std::string_view host = e.get("host"), reply = e.get("reply");
  if (reply.empty()) return "";
  return host.empty() ? fmt::format(": {}", reply) : fmt::format(": {} said {}", host, reply);
}

std::string accepted(const StoryEvent& e) {
  std::string out = fmt::format("Accepted from {}", client_text(e));
  if (!e.get("login").empty()) out += fmt::format(", logged in as {}", e.get("login"));
  if (e.get("uid").empty()) out += tls_text(e);
  return out;
}

std::string stored(const StoryEvent& e) {
  std::uint64_t n = std::max<std::uint64_t>(number_of(e.get("nrcpt")), 1);
  return fmt::format("Stored for {}, {}", count_of(n, "recipient"), octets_text(number_of(e.get("size"))));
}

std::string queued(const StoryEvent& e) {
  return fmt::format("Is to go to {} by {}", e.get("to"), e.get("hop"));
}

std::string held(const StoryEvent& e) {
  std::string_view why = e.get("why");
  return fmt::format("Held for {}{}{}", e.get("to"), why.empty() ? "" : ": ", why);
}

std::string delivered(const StoryEvent& e) {
  std::string by =
      e.get("host").empty() ? std::string() : fmt::format(" through {}{}", e.get("host"), tls_text(e));
  return fmt::format("Delivered to {}{}{}{}", e.get("to"), by, e.get("reply").empty() ? "" : ": ",
                     e.get("reply"));
}

std::string deferred(const StoryEvent& e) {
  std::string out = fmt::format("Not delivered to {} yet{}", e.get("to"), said(e));
  if (!e.get("next").empty())
    out +=
        fmt::format(". Next attempt in {}", span_text(static_cast<std::int64_t>(number_of(e.get("next")))));
  return out;
}

std::string delayed(const StoryEvent& e) {
  return fmt::format("The sender is told that it is late for {}", e.get("to"));
}

std::string bounced(const StoryEvent& e) {
  return fmt::format("Cannot be delivered to {}{}. The sender is told", e.get("to"), said(e));
}

std::string expired(const StoryEvent& e) {
  return fmt::format(
      "Given up for {} after {}{}. The sender is told", e.get("to"),
      e.get("age").empty() ? "its time" : span_text(static_cast<std::int64_t>(number_of(e.get("age")))),
      said(e));
}

std::string notice(const StoryEvent& e) {
  std::string to = e.get("to").empty() ? "the sender" : std::string(e.get("to"));
  return fmt::format("A notice of this ({}) goes to {}", e.get("action"), to);
}

/// A list of the log as people write one.
std::string spaced(std::string_view list) {
  std::string out;
  for (char c : list) out += c == ',' ? std::string(", ") : std::string(1, c);
  return out;
}

std::string attempt(const StoryEvent& e) {
  return fmt::format("Attempt for {}{}{}", spaced(e.get("to")), e.get("host").empty() ? "" : tls_text(e),
                     said(e));
}

std::string by_command(const StoryEvent& e, std::string_view what) {
  return fmt::format("{} for {}: {}", what, e.get("to"), e.get("why"));
}
std::string rerouted(const StoryEvent& e) {
  return by_command(e, "Has another way");
}
std::string retried(const StoryEvent& e) {
  return by_command(e, "Is to be tried now");
}
std::string released(const StoryEvent& e) {
  return by_command(e, "Released");
}
std::string returned(const StoryEvent& e) {
  return by_command(e, "Returned to the sender");
}
std::string discarded(const StoryEvent& e) {
  return by_command(e, "Thrown away");
}

std::string message_refused(const StoryEvent& e) {
  return fmt::format("Refused from {}: {}", client_text(e), e.get("reply"));
}
std::string sender_refused(const StoryEvent& e) {
  return fmt::format("Sender {} refused from {}: {}", e.get("sender"), client_text(e), e.get("reply"));
}
std::string recipient_refused(const StoryEvent& e) {
  return fmt::format("Recipient {} refused from {}: {}", e.get("recipient"), client_text(e), e.get("reply"));
}
std::string session_refused(const StoryEvent& e) {
  return fmt::format("The session with {} was ended: {}", client_text(e), e.get("reply"));
}
std::string logged_in(const StoryEvent& e) {
  return fmt::format("{} logged in from {}{}", e.get("login"), client_text(e),
                     e.get("tls").empty() ? std::string() : tls_text(e));
}
std::string log_in_failed(const StoryEvent& e) {
  return fmt::format("Log-in failed from {}: {}", client_text(e), e.get("reply"));
}
std::string session_end(const StoryEvent& e) {
  return fmt::format("End of the session with {}{}{}", client_text(e), e.get("why").empty() ? "" : ": ",
                     e.get("why"));
}
std::string stored_late(const StoryEvent& /*e*/) {
  return "Stored; the client may not have been told in time";
}
std::string not_stored(const StoryEvent& /*e*/) {
  return "Not stored; the client was told to try again";
}
std::string braked(const StoryEvent& e) {
  return fmt::format("Held back from {}: {}", e.get("who"), e.get("why"));
}
std::string tls_failed(const StoryEvent& e) {
  return fmt::format("TLS with {} failed: {}", e.get("host"), e.get("why"));
}

struct Sentence {
  std::string_view event;
  std::string (*say)(const StoryEvent&);
  bool for_users, trouble;
};
constexpr Sentence kSentences[] = {
    {"accepted", accepted, true, false},
    {"stored", stored, true, false},
    {"queued", queued, false, false},
    {"held", held, true, true},
    {"attempt", attempt, false, false},
    {"delivered", delivered, true, false},
    {"deferred", deferred, true, true},
    {"delayed", delayed, true, true},
    {"bounced", bounced, true, true},
    {"expired", expired, true, true},
    {"notice", notice, true, false},
    {"rerouted", rerouted, false, false},
    {"retried", retried, true, false},
    {"released", released, true, false},
    {"returned", returned, true, true},
    {"discarded", discarded, true, true},
    {"message-refused", message_refused, true, true},
    {"sender-refused", sender_refused, true, true},
    {"rcpt-refused", recipient_refused, true, true},
    {"refused", session_refused, false, true},
    {"auth-ok", logged_in, false, false},
    {"auth-failed", log_in_failed, false, true},
    {"session-end", session_end, false, false},
    {"stored-late", stored_late, true, false},
    {"not-stored", not_stored, true, true},
    {"braked", braked, true, true},
    {"tls-failed", tls_failed, false, true},
};

const Sentence* find_sentence(std::string_view event) {
  auto at = std::find_if(std::begin(kSentences), std::end(kSentences),
                         [event](const Sentence& s) { return s.event == event; });
  return at == std::end(kSentences) ? nullptr : at;
}

}  // namespace

std::string event_sentence(const StoryEvent& event) {
  const Sentence* sentence = find_sentence(event.event);
  std::string out = sentence != nullptr ? sentence->say(event) : event.event;
  return shortened(out, 700);
}

bool is_for_users(const StoryEvent& event) {
  const Sentence* sentence = find_sentence(event.event);
  return sentence != nullptr && sentence->for_users;
}

bool is_trouble(const StoryEvent& event) {
  const Sentence* sentence = find_sentence(event.event);
  return sentence != nullptr && sentence->trouble;
}

std::string event_line(const StoryEvent& event) {
  std::string out;
  for (const auto& [key, value] : event.fields) {
    bool plain = !value.empty() && value.find(' ') == std::string::npos;
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", key, plain ? value : "\"" + value + "\"");
  }
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return out;
}

}  // namespace wwwd
