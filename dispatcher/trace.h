// `post.office trace ID | ADDRESS | MESSAGE-ID`: what the log says about a message, from the client that
// brought it to its end, or about all messages of an address, refused ones too. Reads the log files
// themselves, twice: first to learn which messages and sessions are meant, then to print. Memory is bounded
// whatever the size of the log. Nothing of the running system is asked, so it works on a stopped one as well.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/config.h"
#include "lib/error.h"
#include "lib/log_parse.h"

namespace dispatcher {

struct TraceQuery {
  enum class By : std::uint8_t { kId, kAddress, kMessageId };
  By by = By::kId;
  std::string text;        ///< the id, the address, or what stands between the angle brackets
  std::uint32_t days = 0;  ///< 0: as far as the log goes
  bool json = false;
};

/// Of the words behind "trace". Permanent failure with the sentence to print.
[[nodiscard]] po::Result<TraceQuery> parse_trace_words(const std::vector<std::string>& words);

/// Which lines belong to the story. Pure: the lines are passed in, all of them twice.
class TraceFilter {
 public:
  explicit TraceFilter(TraceQuery query) : query_(std::move(query)) { learn_id(query_); }

  /// First pass.
  void learn(std::string_view line);
  /// Second pass: the record to print, or nothing.
  [[nodiscard]] std::optional<po::LogRecord> take(std::string_view line) const;
  /// More messages are meant than are kept in mind: the story has gaps.
  [[nodiscard]] bool overflowed() const { return overflowed_; }

  static constexpr std::size_t kMost = 20'000;  ///< messages, and as many sessions

 private:
  using Names = std::set<std::string, std::less<>>;
  void learn_id(const TraceQuery& query);
  void keep(Names& names, std::string_view name);
  [[nodiscard]] bool may_match(std::string_view line) const;
  [[nodiscard]] bool matches(const po::LogRecord& record) const;
  TraceQuery query_;
  Names ids_, sessions_;
  bool overflowed_ = false;
};

[[nodiscard]] int run_trace(const po::config::Config& config, const std::vector<std::string>& words);

}  // namespace dispatcher
