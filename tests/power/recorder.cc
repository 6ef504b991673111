#include "tests/power/recorder.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace power {

static constexpr int kManyFiles = 1'000'000;
// Never synced, and promises nothing: what is in it does not count, and a thousand pages that may be lost
// would leave no states for those that matter. Its name is recorded like any other.
static constexpr std::string_view kSpare = "store/spare";

Recorder::Recorder(std::string directory, const Names& names)
    : directory_(std::move(directory)), last_file_(kManyFiles) {
  for (const auto& [path, node] : names) {
    if (!node.directory) files_[path] = node.file;
  }
}

std::optional<std::string> Recorder::path_of(int at, const char* name) const {
  std::string_view n = name;
  if (at == AT_FDCWD || n.starts_with('/')) {
    if (!n.starts_with(directory_)) return std::nullopt;
    n.remove_prefix(directory_.size());
    while (n.starts_with('/')) n.remove_prefix(1);
    return std::string(n);
  }
  auto dir = open_.find(at);
  if (dir == open_.end()) return std::nullopt;
  if (n == ".") return dir->second.path;
  if (n == "..") return parent_of(dir->second.path);
  return dir->second.path.empty() ? std::string(n) : dir->second.path + "/" + std::string(n);
}

Verdict Recorder::before(const Call& call) {
  // The name tells whether the call makes the file: afterwards it is too late to ask.
  if (call.kind == Kind::kOpen && (call.flags & O_CREAT) != 0) {
    auto path = path_of(call.fd, call.name);
    if (path && !files_.contains(*path)) {
      struct stat there {};
      bool is_new = ::fstatat(call.fd, call.name, &there, AT_SYMLINK_NOFOLLOW) != 0;
      if (is_new) log_.push_back(Linked{*path, files_[*path] = ++last_file_, false});
    }
  }
  return {};
}

void Recorder::opened(const Call& call, int fd) {
  auto path = path_of(call.fd, call.name);
  open_.erase(fd);  // of a directory that libc closed by itself
  if (!path || *path == kSpare) return;
  Open open{.path = *path, .synced_writes = (call.flags & O_DSYNC) != 0};
  auto file = files_.find(*path);
  if (file == files_.end()) {
    open.directory = true;
  } else {
    open.file = file->second;
  }
  open_[fd] = open;
}

void Recorder::wrote(const Open& open, const Call& call, long result) {
  Written w{open.file, static_cast<std::uint64_t>(call.offset), {}};
  for (const iovec& piece : call.octets)
    w.octets.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  w.octets.resize(static_cast<std::size_t>(result));
  log_.push_back(std::move(w));
  if (open.synced_writes) log_.push_back(WriteLasts{log_.size() - 1});
}

void Recorder::after(const Call& call, long result) {
  if (call.kind == Kind::kOpen) return opened(call, static_cast<int>(result));
  if (call.kind == Kind::kRename) {
    auto from = path_of(call.fd, call.name), to = path_of(call.fd, call.to);
    if (!from || !to) return;
    if (auto node = files_.extract(*from)) files_[*to] = node.mapped();
    return log_.push_back(Renamed{*from, *to});
  }
  if (call.kind == Kind::kUnlink || call.kind == Kind::kMakeDirectory) {
    auto path = path_of(call.fd, call.name);
    if (!path) return;
    if (call.kind == Kind::kMakeDirectory) return log_.push_back(Linked{*path, 0, true});
    files_.erase(*path);
    return log_.push_back(Unlinked{*path});
  }
  auto open = open_.find(call.fd);
  if (open == open_.end()) return;
  switch (call.kind) {
    case Kind::kClose:
      open_.erase(open);
      break;
    case Kind::kWrite:
      wrote(open->second, call, result);
      break;
    case Kind::kResize:
      log_.push_back(Resized{open->second.file, static_cast<std::uint64_t>(call.offset)});
      break;
    case Kind::kSync:
      if (open->second.directory) {
        log_.push_back(DirectorySynced{open->second.path});
      } else {
        log_.push_back(FileSynced{open->second.file});
      }
      break;
    default:
      break;
  }
}

}  // namespace power
