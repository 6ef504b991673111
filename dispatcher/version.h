// The release, as `post.office version` and status print it.
#pragma once

namespace dispatcher {
inline constexpr const char* kVersion = "0.1";
}  // namespace dispatcher
