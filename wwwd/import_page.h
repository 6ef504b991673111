// Forms in bulk: an import with its preview, from what is pasted or from a file of any size, and the export.
// The body of an import is passed on to accounts piece by piece and is never whole in this process; what an
// import does, `post.office import` says and does. Callers: add_all_pages().
#pragma once

#include "wwwd/html.h"
#include "wwwd/json_reader.h"
#include "wwwd/routes.h"

namespace wwwd {

/// What `import --json` would change, or did.
void write_import_effects(Html& html, const Json& report);

/// /import, /import/do, /export
void add_import_pages(Routes& routes);

}  // namespace wwwd
