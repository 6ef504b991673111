// The queue for a Postmaster: what waits, why and until when, by filters and in pages; counts by next host
// and by the senders' domains; one message with its envelope, attempts, header and content; and what can be
// done with many at once. What cannot be taken back is asked about first, with the number that it concerns,
// as queue counts them at that moment. Callers: add_all_pages().
#pragma once

#include <string_view>
#include <vector>

#include "wwwd/queue_query.h"
#include "wwwd/queue_rows.h"
#include "wwwd/routes.h"

namespace wwwd {

inline constexpr std::size_t kQueueRows = 40;  ///< in one page
/// Of a message's content; more is not shown.
inline constexpr std::size_t kMostContent = 32 * 1024;

/// /queue, /queue/counts
void add_queue_pages(Routes& routes);
/// /queue/ID, /queue/ID/content: queue_message_page.cc
void add_queue_message_pages(Routes& routes);
/// /queue/act: queue_act_page.cc
void add_queue_act_pages(Routes& routes);

/// What can be done with messages that wait.
struct QueueAction {
  std::string_view name;                ///< value of the form's field
  std::string_view button;              ///< "Try now"
  std::string_view question;            ///< title of the page that asks
  std::string_view effect;              ///< a sentence for that page
  std::string_view done;                ///< "will be tried now"
  std::vector<std::string_view> words;  ///< of the command behind "queue"
  bool asks = false;                    ///< also for what was selected; for all that match, every action does
  bool destroys = false;                ///< it cannot be taken back
};
[[nodiscard]] const std::vector<QueueAction>& queue_actions();
[[nodiscard]] const QueueAction* find_queue_action(std::string_view name);

/// Buttons for all of them; each sends field `action`.
void write_queue_buttons(Html& html);

/// The rows of a page. `check_boxes`: fields `id`, for a form around it.
void write_queue_table(Html& html, const std::vector<QueuedMessage>& messages, std::time_t now,
                       bool check_boxes);
/// The filter's form, with what was typed and what is wrong beside its field.
void write_queue_filter(Html& html, const QueueQuery& query);

}  // namespace wwwd
