#include "lib/story.h"

#include <algorithm>
#include <string_view>

#include "lib/text.h"

namespace po {

namespace {

struct Phrase {
  std::string_view event, words;
};

// Events of a message's life whose name does not say enough by itself.
constexpr Phrase kPhrases[] = {
    {"accepted", "accepted from the client"},
    {"message-refused", "message refused"},
    {"sender-refused", "sender refused"},
    {"rcpt-refused", "recipient refused"},
    {"refused", "session ended by us"},
    {"auth-ok", "logged in"},
    {"auth-failed", "log-in failed"},
    {"session-end", "end of the session"},
    {"stored", "on disk"},
    {"stored-late", "on disk (heard of late)"},
    {"not-stored", "not stored"},
    {"deferred", "not delivered yet"},
    {"bounced", "failed for good"},
    {"retried", "to be tried now"},
    {"returned", "returned to the sender"},
};

/// Said in the line before the fields, or of no interest to who reads it.
bool is_said(std::string_view key) {
  return key == "time" || key == "event" || key == "id" || key == "proc";
}

std::string_view phrase_of(std::string_view event) {
  auto at = std::find_if(std::begin(kPhrases), std::end(kPhrases),
                         [event](const Phrase& p) { return p.event == event; });
  return at == std::end(kPhrases) ? event : at->words;
}

/// Bare where a reader sees where it ends.
std::string shown(std::string_view value) {
  std::string out = for_terminal(value, 1000);
  bool plain = !out.empty() && out.find(' ') == std::string::npos;
  return plain ? out : "\"" + out + "\"";
}

}  // namespace

std::string story_line(const LogRecord& record) {
  std::string out = for_terminal(record.get("time"), 40);
  std::string id = for_terminal(record.get("id"), 40);
  out.append("  ").append(id).append(id.size() < 20 ? 20 - id.size() : 0, ' ');
  out.append("  ").append(for_terminal(phrase_of(record.get("event")), 80));
  for (const LogField& f : record.fields()) {
    if (is_said(f.key) || f.value.empty()) continue;
    out.append("  ").append(f.key).append("=").append(shown(f.value));
  }
  return out + "\n";
}

std::string story_json(const LogRecord& record) {
  std::string out = "{";
  for (const LogField& f : record.fields()) {
    if (out.size() > 1) out += ",";
    out.append(json_string(f.key)).append(":").append(json_string(f.value));
  }
  return out + "}\n";
}

}  // namespace po
