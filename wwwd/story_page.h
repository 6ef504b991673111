// What became of messages: for a Postmaster by the id of a message, an address or a Message-ID, for a user by
// his own addresses. The lines come from the log, by story. Callers: add_all_pages().
#pragma once

#include "wwwd/html.h"
#include "wwwd/routes.h"
#include "wwwd/story_events.h"

namespace wwwd {

inline constexpr std::size_t kStoriesInPage = 20;
/// Of one message in a list; its own page has more.
inline constexpr std::size_t kEventsInList = 12;
inline constexpr std::size_t kEventsInPage = 150;

/// One message with what happened to it. `postmaster`: links to the queue; `alone`: for him all that the log
/// says.
void write_story(Html& html, const MessageStory& story, bool postmaster, bool alone);

/// /story
void add_story_page(Routes& routes);

}  // namespace wwwd
