// What an administrator may ask queue: `post.office queue ...`, `route ADDRESS`, `mailbox ADDRESS`. The
// command has been authorised by accounts; its words are still text that somebody typed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/command_task.h"
#include "queue/delivery_control.h"
#include "queue/office.h"
#include "queue/queue_watch.h"

namespace queue {

/// What commands work with; all of it outlives them.
struct CommandParts {
  Office& office;
  DeliveryControl& control;
  Watchers& watchers;
};

/// Those commands alone that ask nothing but the store: `queue status` and `mailbox`.
[[nodiscard]] po::messages::CommandOutput run_command(Office& office, const std::vector<std::string>& words);

/// Words that are wrong make a task that says so. Never null.
[[nodiscard]] std::unique_ptr<po::CommandTask> make_task(const CommandParts& parts,
                                                         const std::vector<std::string>& words);

}  // namespace queue
