// Every directory of an instance: path, owner, mode, as data. Made at start, examined by `post.office check`.
#pragma once

#include <string>
#include <vector>

#include "dispatcher/privileges.h"
#include "lib/config.h"
#include "lib/error.h"

namespace dispatcher {

struct Directory {
  std::string path;
  mode_t mode = 0700;
  bool top = false;  ///< made by root below a directory of root's; the others the suite's user makes itself
  bool root_owned = false;  ///< owner root (in a private instance: the caller), group the suite's
};

[[nodiscard]] std::vector<Directory> layout(const po::config::Config& config);

/// As root, or in a private instance: the three trees, the log directory, and tls/ for keys.
[[nodiscard]] po::Result<void> make_top_directories(const po::config::Config& config, const Identity& who);
/// As the suite's user, after the drop: everything below, and the modes of what is there already.
[[nodiscard]] po::Result<void> make_inner_directories(const po::config::Config& config, const Identity& who);
/// What is wrong with one directory, with the remedy; empty: nothing.
[[nodiscard]] std::string examine_directory(const Directory& directory, const Identity& who,
                                            bool private_instance);

}  // namespace dispatcher
