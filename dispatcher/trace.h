// `post.office trace ID | ADDRESS | MESSAGE-ID`: what the log says about a message, from the client that
// brought it to its end, or about all messages of an address, refused ones too. Here: the words, and which
// lines belong to the story. Pure: the lines are passed in, all of them twice, first to learn which messages
// and sessions are meant, then to take. Memory is bounded whatever the size of the log. Caller: TraceTask.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "lib/error.h"
#include "lib/log_parse.h"

namespace dispatcher {

struct TraceQuery {
  enum class By : std::uint8_t { kId, kAddress, kMessageId };
  By by = By::kId;
  /// The id, the addresses, or what stands between the angle brackets: one, but of addresses several.
  std::vector<std::string> texts;
  std::uint32_t days = 0;   ///< 0: as far as the log goes
  std::uint32_t limit = 0;  ///< so many lines, the newest, and the newest first; 0: all, the oldest first
  /// As whoever has these addresses may read it: of mail that others sent, only what concerns these addresses
  /// and names no other recipient.
  bool own = false;
  bool json = false;
};

inline constexpr std::size_t kMostTraceAddresses = 100;
inline constexpr std::uint32_t kMostTraceLines = 10'000;  ///< of --limit

/// Of the words behind "trace". Permanent failure with the sentence to print.
[[nodiscard]] po::Result<TraceQuery> parse_trace_words(const std::vector<std::string>& words);
inline constexpr std::string_view kTraceUsage =
    "usage: post.office trace ID | ADDRESS | '<MESSAGE-ID>' | --address A [--address B]... [--own] "
    "[--days N] [--limit N] [--json]";

/// Which lines belong to the story.
class TraceFilter {
 public:
  explicit TraceFilter(TraceQuery query);

  /// First pass.
  void learn(std::string_view line);
  /// Second pass: the record to print, or nothing.
  [[nodiscard]] std::optional<po::LogRecord> take(std::string_view line) const;
  /// More messages are meant than are kept in mind: the story has gaps.
  [[nodiscard]] bool overflowed() const { return overflowed_; }

  static constexpr std::size_t kMost = 20'000;  ///< messages, and as many sessions

 private:
  using Names = std::set<std::string, std::less<>>;
  void keep(Names& names, std::string_view name);
  [[nodiscard]] bool is_asked(std::string_view address) const;
  [[nodiscard]] bool names_asked(std::string_view list) const;
  [[nodiscard]] bool may_match(std::string_view line) const;
  [[nodiscard]] bool matches(const po::LogRecord& record) const;
  [[nodiscard]] bool is_from_asked(const po::LogRecord& record) const;
  [[nodiscard]] std::optional<po::LogRecord> own_part(po::LogRecord record) const;
  TraceQuery query_;
  std::unordered_set<std::string> addresses_;  ///< in lower case
  /// Those that stand in a line as they are, in lower case, and can be found by their @ ...
  std::unordered_set<std::string> plain_;
  /// ... and all other texts; one that the log would escape makes every line be read.
  std::vector<std::string> odd_;
  bool reads_all_ = false;
  Names ids_, sessions_;
  Names sent_;           ///< ids of messages that an asked address sent
  Names sent_sessions_;  ///< and the sessions that brought them
  bool overflowed_ = false;
};

}  // namespace dispatcher
