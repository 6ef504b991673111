// What an administrator may ask queue: `post.office queue status` and `post.office mailbox ADDRESS`, each
// with
// --json. The command has been authorised by accounts; its words are still text that somebody typed. Reads
// only.
#pragma once

#include <span>
#include <string>

#include "lib/messages.h"
#include "queue/office.h"

namespace queue {

[[nodiscard]] po::messages::CommandOutput run_command(Office& office, std::span<const std::string> words);

}  // namespace queue
