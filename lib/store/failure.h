// Errors of system calls and of LMDB as Failures of the store. Pure. Callers: lib/store only.
#pragma once

#include <string>
#include <string_view>

#include "lib/store/store.h"

namespace store {

[[nodiscard]] tl::unexpected<Failure> refused(std::string text);
[[nodiscard]] tl::unexpected<Failure> no_room();

/// The failure of a system call on the store's files: no space and read-only are unavailable, anything that
/// casts doubt on what is on disk is unknown.
[[nodiscard]] Failure disk_failure(std::string text, int err);
[[nodiscard]] bool is_no_space(int err);

/// Of LMDB. A full map or transaction and a full disk leave the last commit as it was; so does a lack of
/// memory or reader slots. For all else we do not know what stands on the disk.
[[nodiscard]] Failure table_failure(int rc, std::string_view doing);
[[nodiscard]] tl::unexpected<Failure> failed(int rc, std::string_view doing);
[[nodiscard]] Failure damaged(std::string_view what);

}  // namespace store
