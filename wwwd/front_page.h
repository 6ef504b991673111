// The Postmaster's first page: whether all is well, in one look. What is not well stands first, in words,
// with what to do about it; then the numbers, the rates of the last day as pictures, each module, and the
// List of Accounts, which the Guide has first. A user's first page is his account. Callers: add_all_pages().
#pragma once

#include "wwwd/routes.h"
#include "wwwd/system_status.h"

namespace wwwd {

/// What needs attention, or that nothing does.
void write_concerns(Html& html, const std::vector<Concern>& concerns);
/// The numbers: queue, disk, certificate, log-ins.
void write_tiles(Html& html, const SystemStatus& system, const QueueStatus& queue);
void write_modules(Html& html, const std::vector<ModuleStatus>& modules);

/// /
void add_front_page(Routes& routes);

}  // namespace wwwd
