// Set-up check: what others find of this host in DNS, with the record to paste where one is missing; the
// ports and the certificate. Callers: add_all_pages().
#pragma once

#include <memory>
#include <vector>

#include "lib/setup_check.h"
#include "wwwd/html.h"
#include "wwwd/routes.h"
#include "wwwd/setup_desk.h"

namespace wwwd {

/// All findings, what is wrong first.
void write_findings(Html& html, const std::vector<po::SetupFinding>& findings);

/// /setup
void add_setup_page(Routes& routes, std::shared_ptr<SetupDesk> desk);

/// The domains that a check is about, from the forms; then the check. Answers the visit itself if accounts
/// refuses.
void check_setup(const std::shared_ptr<Visit>& visit, SetupDesk& desk, SetupDesk::OnFindings then);

}  // namespace wwwd
