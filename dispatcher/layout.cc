#include "dispatcher/layout.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib/fd.h"

namespace dispatcher {

using po::Fd;
using po::permanent;
using po::Result;

std::vector<Directory> layout(const po::config::Config& c) {
  return {
      {c.spool_directory, 0711, true, false},  // 0711: clients reach the sockets in run/
      {c.mailbox_directory, 0700, true, false},
      {c.log_directory, 0750, true, false},
      {c.spool_directory + "/tls", 0750, true, true},
      {c.spool_directory + "/run", 0711, false, false},
      {c.spool_directory + "/directory", 0700, false, false},
      {c.spool_directory + "/secrets", 0700, false, false},
      {c.mailbox_directory + "/store", 0700, false, false},
  };
}

/// Parents as root would make them: 0755, never given away.
static Result<void> make_parents(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    std::string parent = path.substr(0, slash);
    if (mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
      return permanent(fmt::format("directory {} cannot be made", parent), errno);
    }
  }
  return {};
}

/// Everything by descriptor: whoever owns a parent could put a symbolic link in the way between two calls by
/// name.
static Result<void> make_one(const Directory& d, uid_t uid, gid_t gid) {
  bool made = mkdir(d.path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return permanent(fmt::format("directory {} cannot be made", d.path), errno);
  Fd fd(open(d.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    return permanent(fmt::format("directory {} cannot be opened ({}); post.office check names owner and mode",
                                 d.path, std::strerror(errno)));
  }
  struct stat st {};
  if (fstat(fd.get(), &st) != 0) return permanent(d.path, errno);
  if (made && (st.st_uid != uid || st.st_gid != gid) && fchown(fd.get(), uid, gid) != 0) {
    return permanent(fmt::format("directory {} cannot be given to {}:{}", d.path, uid, gid), errno);
  }
  if (!made && st.st_uid != uid) {
    return permanent(
        fmt::format("directory {} belongs to uid {}; it must belong to uid {}: chown it, or name another in "
                    "post.office.conf",
                    d.path, st.st_uid, uid));
  }
  if ((st.st_mode & 07777) != d.mode && fchmod(fd.get(), d.mode) != 0) {
    return permanent(fmt::format("directory {} cannot be made mode {:04o}", d.path, d.mode), errno);
  }
  return {};
}

Result<void> make_top_directories(const po::config::Config& config, const Identity& who) {
  bool as_root = geteuid() == 0;
  for (const Directory& d : layout(config)) {
    if (!d.top) continue;
    if (auto made = make_parents(d.path); !made) return made;
    uid_t uid = d.root_owned && as_root ? 0 : who.uid;
    if (auto made = make_one(d, uid, who.gid); !made) return made;
  }
  return {};
}

Result<void> make_inner_directories(const po::config::Config& config, const Identity& who) {
  for (const Directory& d : layout(config)) {
    if (d.top) continue;
    if (auto made = make_one(d, who.uid, who.gid); !made) return made;
  }
  return {};
}

std::string examine_directory(const Directory& d, const Identity& who, bool private_instance) {
  struct stat st {};
  if (lstat(d.path.c_str(), &st) != 0) {
    if (errno == ENOENT) return {};  // start makes it
    return fmt::format("{}: {}", d.path, std::strerror(errno));
  }
  if (!S_ISDIR(st.st_mode)) return fmt::format("{} is not a directory; move it away", d.path);
  uid_t uid = d.root_owned && !private_instance ? 0 : who.uid;
  if (st.st_uid != uid)
    return fmt::format("{} belongs to uid {}; chown {} {}", d.path, st.st_uid, uid, d.path);
  if ((st.st_mode & 07777) != d.mode) {
    return fmt::format("{} has mode {:04o}; chmod {:04o} {}", d.path, st.st_mode & 07777, d.mode, d.path);
  }
  return {};
}

}  // namespace dispatcher
