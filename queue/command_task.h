// The tasks of queue are those of lib/command_task.h.
#pragma once

#include "lib/command_task.h"

namespace queue {

using po::CommandTask;
using po::kExitRefused;
using po::kExitTemporary;
using po::kExitUsage;
using po::ReadyAnswer;

}  // namespace queue
