// Routing rehearsal: where mail for an address would go, and why, by the very code that delivers. Nothing is
// sent. Callers: add_all_pages().
#pragma once

#include "wwwd/html.h"
#include "wwwd/json_reader.h"
#include "wwwd/routes.h"

namespace wwwd {

/// What `post.office route --json` says, step by step.
void write_rehearsal(Html& html, const Json& answer);

/// /route
void add_route_page(Routes& routes);

}  // namespace wwwd
