// What the log says of messages, told to people: the lines that `trace --json` prints, put together by
// message and said in sentences, with what became of each recipient. Fields hold what strangers sent; they
// are cut to what a page has room for. Pure. Caller: the story page.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wwwd/json_reader.h"

namespace wwwd {

struct StoryEvent {
  std::optional<std::time_t> at;
  std::string event;
  std::vector<std::pair<std::string, std::string>> fields;  ///< in their order, all of them

  [[nodiscard]] std::string_view get(std::string_view key) const;
};

enum class Fate : std::uint8_t { kDelivered, kWaiting, kHeld, kFailed, kRefused };

/// One message; or, where `id` is empty, a session that brought none that was accepted.
struct MessageStory {
  std::string id, session, sender, message_id;
  std::vector<std::string> recipients;  ///< at most kMostNamed, without repetition
  std::vector<StoryEvent> events;       ///< in the order of time
  std::uint64_t recipient_count = 0;
  std::uint64_t delivered = 0, waiting = 0, held = 0, failed = 0;  ///< recipients by their last word
  bool refused = false;

  [[nodiscard]] std::optional<std::time_t> begin() const;
};
inline constexpr std::size_t kMostNamed = 10;

/// Lines in the order of time give stories, the newest first. A notice stands with the message that it is
/// about; a line of a session stands with each message that the session brought.
[[nodiscard]] std::vector<MessageStory> tell_stories(const std::vector<Json>& lines);

/// What happened, as a sentence without its full stop.
[[nodiscard]] std::string event_sentence(const StoryEvent& event);
/// Whether a user is told of it: what concerns the way of the mail, not how the system went about it.
[[nodiscard]] bool is_for_users(const StoryEvent& event);
/// Whether it went wrong, or not yet right.
[[nodiscard]] bool is_trouble(const StoryEvent& event);
/// The line as the log has it, for who wants to know it exactly.
[[nodiscard]] std::string event_line(const StoryEvent& event);

}  // namespace wwwd
