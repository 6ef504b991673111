// Which of the waiting recipients a command is about, from its words: ids, and conditions that must all hold.
// Pure, for words that somebody typed; the same for showing and for changing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/error.h"
#include "lib/id.h"
#include "lib/store/store.h"

namespace queue {

/// How a waiting recipient stands.
enum class RowState : std::uint8_t {
  kNew,       ///< not tried yet
  kActive,    ///< being delivered at this moment
  kDeferred,  ///< tried; waits for its next attempt
  kHeld       ///< not tried until somebody releases it
};
inline constexpr std::size_t kRowStates = 4;
[[nodiscard]] std::string_view state_name(RowState state);
[[nodiscard]] RowState state_of(const store::Waiting& row, bool in_flight);

/// The options of a command, taken out of its words.
struct QueueFilter {
  std::vector<po::MessageId> ids;  ///< none: all messages
  std::string sender;              ///< pattern with * and ?; "<>" is the null sender. Empty: any
  std::string recipient;           ///< pattern, on where it goes and on what the client gave
  std::string domain;              ///< of the recipient: a pattern
  std::string hop;                 ///< key of the next hop: a pattern
  std::optional<std::uint64_t> older_ms;
  std::optional<RowState> state;
  bool all = false;
  store::RecipientKey after;  ///< only those behind it, as the store sorts them; zero: from the first

  /// Whether anything narrows it down, or --all says that nothing is to.
  [[nodiscard]] bool selects() const;
  [[nodiscard]] bool selects_by_more_than_ids() const;
  /// Whether the sender must be known to judge: it is in the message, not in the row.
  [[nodiscard]] bool needs_sender() const { return !sender.empty(); }
  [[nodiscard]] bool takes_sender(std::string_view address) const;
  /// All but the sender. `now_ms`: milliseconds since 1970.
  [[nodiscard]] bool takes(const store::WaitingRow& row, bool in_flight, std::uint64_t now_ms) const;
};

/// What else stood among the words.
struct QueueWords {
  QueueFilter filter;
  std::optional<std::uint64_t> limit;
  std::string to;  ///< --to of reroute
  std::vector<std::string> flags;
  [[nodiscard]] bool has(std::string_view flag) const;
};

/// `flags` are those that this command takes ("--json"); --limit, --to and --after only if they are among
/// them. A word without dashes is an id. Permanent failure with the sentence to print.
[[nodiscard]] po::Result<QueueWords> parse_queue_words(const std::vector<std::string>& words,
                                                       const std::vector<std::string_view>& flags);

/// "90s", "30m", "4h", "2d", "1w" in milliseconds.
[[nodiscard]] std::optional<std::uint64_t> parse_age(std::string_view text);

}  // namespace queue
