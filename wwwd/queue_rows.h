// Rows of the queue as `queue list --json` and `queue show --json` print them, and how pages show them. What
// strangers wrote (addresses, replies) is cut to what a page has room for. Pure. Callers: the queue's pages.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wwwd/html.h"
#include "wwwd/json_reader.h"

namespace wwwd {

struct QueueAttempt {
  std::optional<std::time_t> at;
  std::string host, reply;
};

/// One recipient that waits.
struct QueueRecipient {
  std::uint64_t n = 0;
  std::string address, original, state, hop, reply;
  std::uint64_t attempts = 0;
  std::optional<std::time_t> next;  ///< nothing: held
  std::vector<QueueAttempt> last;   ///< of one message alone: the last attempts, the oldest first
};

/// One message with those of its recipients that were asked for.
struct QueuedMessage {
  std::string id, sender;
  std::optional<std::time_t> arrival;
  std::uint64_t size = 0;
  std::vector<QueueRecipient> recipients;
};

/// Neighbouring rows of one message become one.
[[nodiscard]] std::vector<QueuedMessage> read_queue_list(const std::vector<Json>& rows);
[[nodiscard]] QueueRecipient read_queue_recipient(const Json& row);

/// "<>" for the null sender.
[[nodiscard]] std::string shown_sender(std::string_view sender);

/// A badge with the state, in words that say what it means.
void write_state(Html& html, std::string_view state);
/// "in 20 min" with the time, "now", or why there is none.
void write_next(Html& html, const QueueRecipient& recipient, std::time_t now);
/// A time with its machine form: <time>.
void write_time(Html& html, std::optional<std::time_t> when);

}  // namespace wwwd
