#include "lib/store/body_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "lib/checksum.h"
#include "lib/store/failure.h"

namespace store {

using po::Fd;
using po::MessageId;

static constexpr std::size_t kReadPiece = 256 * 1024;
static constexpr std::string_view kNew = ".new";

static tl::unexpected<Failure> failed_call(std::string text, int err) {
  return tl::unexpected<Failure>(disk_failure(std::move(text), err));
}

static std::string new_name(const MessageId& id) {
  return id.text().append(kNew);
}

Result<BodyFiles> BodyFiles::open(const std::string& path) {
  std::string bodies = path + "/bodies";
  if (::mkdir(bodies.c_str(), 0700) != 0 && errno != EEXIST)
    return failed_call("cannot make " + bodies, errno);
  BodyFiles files;
  files.directory_ = Fd(::open(bodies.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!files.directory_) return failed_call("cannot open " + bodies, errno);
  return files;
}

Result<Fd> BodyFiles::create(const MessageId& id) {
  Fd fd(::openat(directory(), new_name(id).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                 0600));
  if (fd) return fd;
  if (errno == EEXIST) return refused("a body with this id is being received");
  return failed_call("cannot make a file for a body", errno);
}

static Result<void> check(int fd, std::uint64_t size, std::uint64_t checksum) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return failed_call("cannot look at a body", errno);
  if (!S_ISREG(st.st_mode) || static_cast<std::uint64_t>(st.st_size) != size) {
    return refused("the body has not the size that was announced");
  }
  po::Checksum sum;
  auto piece = std::make_unique<char[]>(kReadPiece);
  for (std::uint64_t at = 0; at < size;) {
    ssize_t n = ::pread(fd, piece.get(), kReadPiece, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed_call("cannot read a body back", errno);
    if (n == 0) return refused("the body became shorter while it was read");
    sum.add({piece.get(), static_cast<std::size_t>(n)});
    at += static_cast<std::uint64_t>(n);
  }
  if (sum.value() != checksum) return refused("the body has not the checksum that was announced");
  return {};
}

// The order keeps a crash safe: the octets are on disk before the name is, the name is before the commit that
// speaks of it. A file with its name and no record is swept at start; a record without its file cannot come
// to be. Renaming onto a file that is there would take the body from under another message, so that is looked
// for first; nobody else makes names here, and one id is kept by one thread at a time.
Result<void> BodyFiles::keep(const MessageId& id, std::uint64_t size, std::uint64_t checksum) {
  std::string from = new_name(id), to = id.text();
  Fd fd(::openat(directory(), from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd)
    return errno == ENOENT ? refused("there is no body with this id")
                           : failed_call("cannot open a body", errno);
  auto checked = check(fd.get(), size, checksum);
  if (!checked) return checked;
  struct stat there {};
  if (::fstatat(directory(), to.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
    return refused("another body has this id");
  }
  if (::fdatasync(fd.get()) != 0) return failed_call("cannot sync a body", errno);
  if (::renameat(directory(), from.c_str(), directory(), to.c_str()) != 0) {
    return failed_call("cannot name a body", errno);
  }
  if (::fsync(directory()) != 0) return failed_call("cannot sync the bodies directory", errno);
  return {};
}

Fd BodyFiles::open_kept(const MessageId& id) const {
  return Fd(::openat(directory(), id.text().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

// A file that could not be unlinked costs space until the next start sweeps it.
void BodyFiles::unlink_kept(const MessageId& id) {
  (void)::unlinkat(directory(), id.text().c_str(), 0);
}
void BodyFiles::unlink_new(const MessageId& id) {
  (void)::unlinkat(directory(), new_name(id).c_str(), 0);
}

static Result<std::vector<std::string>> names_in(int directory) {
  Fd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::unique_ptr<DIR, int (*)(DIR*)> dir(copy ? ::fdopendir(copy.get()) : nullptr, ::closedir);
  if (!dir) return failed_call("cannot read the bodies directory", errno);
  (void)copy.release();  // closedir closes it
  std::vector<std::string> names;
  errno = 0;
  while (dirent* entry = ::readdir(dir.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return failed_call("cannot read the bodies directory", errno);
  return names;
}

// A name that is none of ours is left alone: it is somebody's, and does no harm.
Result<std::size_t> BodyFiles::sweep(const std::function<Result<bool>(const MessageId&)>& named) {
  auto names = names_in(directory());
  if (!names) return tl::unexpected(names.error());
  std::size_t count = 0;
  for (const std::string& name : *names) {
    bool is_new = name.ends_with(kNew);
    auto id = MessageId::parse(is_new ? name.substr(0, name.size() - kNew.size()) : name);
    if (!id) continue;
    if (!is_new) {
      auto known = named(*id);
      if (!known) return tl::unexpected(known.error());
      if (*known) continue;
    }
    if (::unlinkat(directory(), name.c_str(), 0) != 0)
      return failed_call("cannot remove a left-over body", errno);
    ++count;
  }
  return count;
}

}  // namespace store
