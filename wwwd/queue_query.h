// Which part of the queue a page is about: the filter's fields of its address or form, checked, as words for
// the queue's commands and as an address again. Pure; the fields come from a browser. Callers: the queue's
// pages.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wwwd/query.h"

namespace wwwd {

struct QueueQuery {
  std::string sender, recipient, domain, hop;  ///< patterns with * and ?; empty: any
  std::string state;                           ///< "new", "active", "deferred", "held"; empty: any
  std::string older;                           ///< "4h"; empty: any
  std::string after;                           ///< place of the last row of the page before: "ID/N"

  struct Problem {
    std::string field, rule;
  };
  std::vector<Problem> problems;

  [[nodiscard]] bool filters() const;
  [[nodiscard]] std::string_view problem_of(std::string_view field) const;
};

/// What is wrong stands in `problems`; such fields are left out of words.
[[nodiscard]] QueueQuery read_queue_query(const Parameters& from);

/// The filter's options for a command: "--sender", "*@podunk.edu". Without the place.
[[nodiscard]] std::vector<std::string> filter_words(const QueueQuery& query);
/// The same as name and value of fields, for what is hidden in a form.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> filter_fields(const QueueQuery& query);
/// "/queue?state=held&after=..." with what is not empty.
[[nodiscard]] std::string queue_address(const QueueQuery& query);
/// "sender *@podunk.edu, held, older than 4h"; empty if nothing is filtered.
[[nodiscard]] std::string filter_text(const QueueQuery& query);

/// What the form of an id of a message allows; whether there is such a message is for queue to say.
[[nodiscard]] bool is_message_id(std::string_view text);

}  // namespace wwwd
