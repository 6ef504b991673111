#include "lib/store/failure.h"

#include <lmdb.h>

#include <cerrno>
#include <cstring>

namespace store {

tl::unexpected<Failure> refused(std::string text) {
  return tl::unexpected<Failure>(Failure{Status::kRefused, false, std::move(text)});
}

tl::unexpected<Failure> no_room() {
  return tl::unexpected<Failure>(Failure{Status::kUnavailable, true, "the store's map or disk is full"});
}

bool is_no_space(int err) {
  return err == ENOSPC || err == EDQUOT || err == EFBIG || err == EROFS;
}

Failure disk_failure(std::string text, int err) {
  bool no_space = is_no_space(err);
  // ENOSYS: the process may not open files by name, on a kernel without Landlock (lib/sandbox.h).
  bool harmless = no_space || err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOSYS;
  return {harmless ? Status::kUnavailable : Status::kUnknown, no_space,
          std::move(text) + ": " + std::strerror(err)};
}

Failure table_failure(int rc, std::string_view doing) {
  bool full = rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || is_no_space(rc);
  bool harmless = full || rc == ENOMEM || rc == MDB_READERS_FULL || rc == EMFILE || rc == ENFILE;
  return {harmless ? Status::kUnavailable : Status::kUnknown, full,
          std::string(doing).append(": ").append(mdb_strerror(rc))};
}

tl::unexpected<Failure> failed(int rc, std::string_view doing) {
  return tl::unexpected<Failure>(table_failure(rc, doing));
}

Failure damaged(std::string_view what) {
  return {Status::kUnavailable, false, std::string("the store is damaged: ").append(what)};
}

}  // namespace store
