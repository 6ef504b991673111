#include "dispatcher/run_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace dispatcher {

using po::Fd;
using po::permanent;
using po::Result;
using po::temporary;

static struct flock whole_file() {
  struct flock l {};
  l.l_type = F_WRLCK;
  l.l_whence = SEEK_SET;
  return l;
}

Result<PidFile> PidFile::lock(const std::string& path) {
  PidFile file;
  file.fd_ = Fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file.fd_) return permanent(fmt::format("{} cannot be opened", path), errno);
  fchmod(file.fd_.get(), 0644);  // everybody may ask the kernel who holds the lock
  struct flock l = whole_file();
  if (fcntl(file.fd_.get(), F_SETLK, &l) != 0) {
    auto holder = lock_holder(path);
    return permanent(fmt::format("post.office runs already as process {} ({} is locked); stop it first",
                                 holder.value_or(0), path));
  }
  std::string text = fmt::format("{}\n", getpid());
  if (ftruncate(file.fd_.get(), 0) != 0) return temporary(fmt::format("{} cannot be written", path), errno);
  if (pwrite(file.fd_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    // The lock tells who runs, the number is for the eye: mailboxes are served from a full disk too. What
    // must be seen is that the file is not empty, and a hole takes no space.
    if (errno != ENOSPC || ftruncate(file.fd_.get(), static_cast<off_t>(text.size())) != 0)
      return temporary(fmt::format("{} cannot be written", path), errno);
  }
  return file;
}

void PidFile::release() {
  [[maybe_unused]] int rc = ftruncate(fd_.get(), 0);  // not empty: the next start waits for its ports
  fd_.reset();
}

std::optional<pid_t> lock_holder(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  struct flock l = whole_file();
  if (fcntl(fd.get(), F_GETLK, &l) != 0 || l.l_type == F_UNLCK) return {};
  return l.l_pid;
}

Result<void> replace_file(const std::string& path, const std::string& content, mode_t mode) {
  std::string beside = path + ".new";
  Fd fd(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return temporary(fmt::format("{} cannot be made", beside), errno);
  if (write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
      fsync(fd.get()) != 0) {
    return temporary(fmt::format("{} cannot be written", beside), errno);
  }
  if (rename(beside.c_str(), path.c_str()) != 0)
    return temporary(fmt::format("{} cannot be renamed", beside), errno);
  Fd dir(open(path.substr(0, path.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir || fsync(dir.get()) != 0)
    return temporary(fmt::format("the directory of {} cannot be synced", path), errno);
  return {};
}

/// In place, for a disk that has no room for a second file: a text this short lies in one sector, which is
/// written in whole or not at all.
static Result<void> overwrite_file(const std::string& path, const std::string& content) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd || pwrite(fd.get(), content.data(), content.size(), 0) != static_cast<ssize_t>(content.size()) ||
      fsync(fd.get()) != 0) {
    return temporary(fmt::format("{} cannot be written", path), errno);
  }
  return {};
}

// 24 bits of it go into message ids; blocks of 256 let 65,536 starts pass before a number comes again.
static constexpr std::uint32_t kBlock = 256;
static constexpr std::uint32_t kMask = 0xffffff;

Result<Incarnations> Incarnations::open(std::string path) {
  Incarnations out(std::move(path));
  std::array<char, 32> text{};
  Fd fd(::open(out.path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  ssize_t n = fd ? read(fd.get(), text.data(), text.size()) : 0;
  std::uint32_t value = 1;
  if (fd) {
    auto [end, error] = std::from_chars(text.data(), text.data() + std::max<ssize_t>(n, 0), value);
    // Not ours or damaged: any place to go on from is as good, but the beginning is the likeliest to have
    // been used.
    if (error != std::errc{} && getrandom(&value, sizeof value, 0) != sizeof value) value = kMask / 2;
  }
  out.next_ = out.limit_ = value & kMask;
  if (auto r = out.reserve(); !r) return tl::unexpected(r.error());
  return out;
}

Result<void> Incarnations::reserve() {
  std::uint32_t limit = (limit_ + kBlock) & kMask;
  // Of one width, so that nothing of a longer number stays when it is written in place.
  std::string text = fmt::format("{:08}\n", limit);
  auto written = replace_file(path_, text, 0644);
  if (!written && written.error().sys_errno == ENOSPC) written = overwrite_file(path_, text);
  if (!written) return written;
  next_ = limit_;
  limit_ = limit;
  return {};
}

Result<std::uint32_t> Incarnations::next() {
  if (next_ == limit_) {
    if (auto r = reserve(); !r) return tl::unexpected(r.error());
  }
  std::uint32_t value = next_;
  next_ = (next_ + 1) & kMask;
  return value == 0 ? next() : Result<std::uint32_t>(value);  // 0 is the dispatcher itself, in notices
}

}  // namespace dispatcher
