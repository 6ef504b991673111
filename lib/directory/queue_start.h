// Queue-Start-Permissions: who may have the mail sent that waits for a domain (qsnd and ETRN). A line is
// "domain access-restriction": the domain with all under it, and where its clients come from (lib/access.h).
// Pure; the text comes from forms. Callers: smtpd; the forms, to check.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/access.h"
#include "lib/error.h"

namespace directory {

struct QueueStart {
  std::string domain;  ///< lower-case A-labels
  po::AccessRule from;
};

/// Permanent failure with a sentence that names what is wrong.
[[nodiscard]] po::Result<QueueStart> parse_queue_start(std::string_view text);
/// How parse_queue_start() would like it written; the restriction as it was typed, if it is a network.
[[nodiscard]] po::Result<std::string> tidy_queue_start(std::string_view text);

/// From where mail for `domain` (lower-case A-labels) may be started: the restrictions of all lines that
/// speak of it or of a domain above it. Lines that do not parse permit nothing.
[[nodiscard]] std::vector<po::AccessRule> who_may_start(const std::vector<std::string>& lines,
                                                        std::string_view domain);

}  // namespace directory
