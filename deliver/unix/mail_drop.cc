#include "deliver/unix/mail_drop.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>

namespace unix_deliver {

using End = Attempt::End;

/// liblockfile, which mutt and others lock with, takes an older lock for forgotten.
static constexpr std::time_t kStaleAfter = 300;
static constexpr std::size_t kMostLock = 8192, kPiece = 64 * 1024;

static Attempt failed(std::string status, std::string text, int error) {
  if (error != 0) text += fmt::format(": {}", std::strerror(error));
  return {End::kFailed, {po::Kind::kTemporary, error, std::move(text)}, std::move(status), {}};
}

/// No place, no more quota, or a limit of this process: the words for it.
static Attempt cannot_write(const std::string& login, int error) {
  const char* status = error == EDQUOT ? "4.2.2" : error == ENOSPC || error == EFBIG ? "4.3.1" : "4.3.0";
  return failed(status, fmt::format("the mail drop of {} cannot be written", login), error);
}

static Attempt simply(End end, std::string note = {}) {
  return {end, {}, {}, std::move(note)};
}

// ---- files

static bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// What stands there, up to the end of the file; shorter if it cannot be read.
static std::string read_at(int fd, off_t from, std::size_t most) {
  std::string out(most, '\0');
  std::size_t have = 0;
  while (have < most) {
    ssize_t n = ::pread(fd, out.data() + have, most - have, from + static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  out.resize(have);
  return out;
}

/// Whether `text` stands in the file between `from` and `end`; nothing if all of it could not be read.
static std::optional<bool> stands_in(int fd, off_t from, off_t end, std::string_view text, std::string seam) {
  while (from < end) {
    auto want = static_cast<std::size_t>(std::min<off_t>(end - from, static_cast<off_t>(kPiece)));
    std::string piece = read_at(fd, from, want);
    if (piece.size() != want) return std::nullopt;
    seam += piece;
    if (seam.find(text) != std::string::npos) return true;
    if (seam.size() >= text.size()) seam.erase(0, seam.size() - text.size() + 1);
    from += static_cast<off_t>(want);
  }
  return false;
}

// ---- the directory

static std::string fault_of_directory(const std::string& path, int fd) {
  if (fd < 0) return fmt::format("{}: {}", path, std::strerror(errno));
  struct stat st {};
  if (fstat(fd, &st) != 0) return fmt::format("{}: {}", path, std::strerror(errno));
  if (st.st_uid != 0) return fmt::format("{} does not belong to root", path);
  if ((st.st_mode & S_IWOTH) != 0)
    return fmt::format("{} can be written by everybody: chmod o-w {}", path, path);
  return {};
}

/// A new one at each start of the host.
static std::string boot_id() {
  po::Fd file(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::string out = file ? read_at(file.get(), 0, 64) : std::string();
  return out.substr(0, out.find('\n'));
}

MailDrops::MailDrops(std::string directory)
    : path_(std::move(directory)),
      boot_(boot_id()),
      directory_(open(path_.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      why_not_(fault_of_directory(path_, directory_.get())) {}

// ---- one drop

/// Open and locked, as long as it lives.
class MailDrops::Drop {
 public:
  Drop(int directory, const std::string& boot, const std::string& login, const Message& message)
      : directory_(directory), boot_(boot), login_(login), message_(message), lock_(login + ".lock") {}
  Drop(const Drop&) = delete;
  Drop& operator=(const Drop&) = delete;
  ~Drop() { (void)unlock(); }

  /// kWritten: it is open and locked.
  [[nodiscard]] Attempt open_and_lock();
  [[nodiscard]] Attempt write();

 private:
  [[nodiscard]] Attempt examine();
  [[nodiscard]] Attempt lock();
  [[nodiscard]] Attempt dot_lock();
  [[nodiscard]] Attempt on_locked();
  [[nodiscard]] bool take_back_of_a_crash();
  [[nodiscard]] bool is_last(std::string_view begins, off_t from) const;
  [[nodiscard]] std::string ending() const;
  [[nodiscard]] Attempt take_back(Attempt why);
  [[nodiscard]] bool unlock();

  int directory_;
  const std::string &boot_, &login_;
  const Message& message_;
  std::string lock_;
  po::Fd file_;
  off_t size_ = 0;
  bool dot_locked_ = false;
};

Attempt MailDrops::Drop::open_and_lock() {
  file_.reset(openat(directory_, login_.c_str(), O_RDWR | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!file_ && errno == ENOENT) return simply(End::kAbsent);
  if (!file_ && errno == ENOSYS)
    return failed("4.3.5", "mail drops are off, because the kernel of this host lacks Landlock", 0);
  if (!file_) return failed("4.3.5", fmt::format("the mail drop of {} cannot be opened", login_), errno);
  Attempt so_far = lock();
  if (so_far.end == End::kWritten) so_far = examine();
  return so_far.end == End::kWritten ? dot_lock() : so_far;
}

Attempt MailDrops::Drop::lock() {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(file_.get(), F_SETLK, &whole) == 0) return simply(End::kWritten);
  if (errno == EACCES || errno == EAGAIN) return simply(End::kLocked);
  return failed("4.3.5", fmt::format("the mail drop of {} cannot be locked", login_), errno);
}

/// What a drop has to be; and that it is still the file of this name.
Attempt MailDrops::Drop::examine() {
  struct stat st {
  }, named{};
  if (fstat(file_.get(), &st) != 0 || fstatat(directory_, login_.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      st.st_dev != named.st_dev || st.st_ino != named.st_ino)
    return simply(End::kLocked);  // another has just taken its place
  const char* fault = !S_ISREG(st.st_mode)          ? "is not a file"
                      : st.st_nlink != 1            ? "has several names"
                      : st.st_uid == 0              ? "belongs to root"
                      : (st.st_mode & S_IWGRP) == 0 ? "cannot be written by its group"
                                                    : nullptr;
  if (fault != nullptr)
    return failed("4.3.5", fmt::format("the mail drop of {} {}; it is left alone", login_, fault), 0);
  size_ = st.st_size;
  return simply(End::kWritten);
}

/// The size is that of the drop when both locks hold: some programs take this one alone. Readable by us
/// alone: to others, for whom a lock of a dead process is none, it counts as long as it is young.
Attempt MailDrops::Drop::dot_lock() {
  po::Fd made(openat(directory_, lock_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
  if (!made && errno == EEXIST) return on_locked();
  if (!made) return cannot_write(login_, errno);
  dot_locked_ = true;
  Attempt so_far = examine();
  if (so_far.end != End::kWritten) return so_far;
  if (write_all(made.get(), fmt::format("{}\n{}\n{}\n{}", getpid(), boot_, size_, message_.begins)))
    return so_far;
  return cannot_write(login_, errno);
}

/// Our process has no lock when it makes one, and the file itself is locked: a lock of ours is that of a
/// process which has died.
Attempt MailDrops::Drop::on_locked() {
  struct stat st {};
  if (fstatat(directory_, lock_.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
    return simply(End::kLocked);
  bool ours = st.st_uid == geteuid();
  if (!ours && st.st_mtime + kStaleAfter >= std::time(nullptr)) return simply(End::kLocked);
  std::string note = fmt::format("{} was forgotten and has been taken away", lock_);
  if (ours && take_back_of_a_crash()) note = "a message that a crash had left unfinished has been taken back";
  unlinkat(directory_, lock_.c_str(), 0);
  return simply(End::kLocked, std::move(note));
}

/// Takes a line off the front; false if there is no whole one.
static bool take_line(std::string_view& text, std::string_view& line) {
  std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

/// Only what is ours beyond doubt: of this boot, begun as the lock says at the place that it says, and
/// nothing behind it.
bool MailDrops::Drop::take_back_of_a_crash() {
  po::Fd lock(openat(directory_, lock_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  std::string all = lock ? read_at(lock.get(), 0, kMostLock) : std::string();
  std::string_view text = all, pid, boot, size;
  if (!take_line(text, pid) || !take_line(text, boot) || !take_line(text, size)) return false;
  off_t was = 0;
  auto [end, bad] = std::from_chars(size.data(), size.data() + size.size(), was);
  bool number = bad == std::errc() && end == size.data() + size.size();
  if (boot.empty() || boot != boot_ || !number || was < 0 || was >= size_ || !text.starts_with("From "))
    return false;
  return is_last(text, was) && ftruncate(file_.get(), was) == 0 && fsync(file_.get()) == 0;
}

/// Whether what stands from there on is one message, or a part of one, that begins so.
bool MailDrops::Drop::is_last(std::string_view begins, off_t from) const {
  std::string text = read_at(file_.get(), from, begins.size() + 2);
  std::size_t blank = std::min({text.find_first_not_of('\n'), text.size(), std::size_t{2}});
  std::string_view there = std::string_view(text).substr(blank, begins.size());
  if (!begins.starts_with(there)) return false;
  auto behind = from + static_cast<off_t>(blank + there.size());
  // A whole beginning ends with a line: what stands right behind it may be another's first.
  std::string seam = there.size() == begins.size() && there.ends_with('\n') ? "\n" : "";
  auto another = stands_in(file_.get(), behind, size_, "\nFrom ", std::move(seam));
  return another && !*another;
}

/// What is wanting behind the last message for a blank line before this one.
std::string MailDrops::Drop::ending() const {
  if (size_ == 0) return {};
  std::string last = read_at(file_.get(), std::max<off_t>(0, size_ - 2), 2);
  if (!last.ends_with('\n')) return "\n\n";
  return last.size() == 2 && last[0] != '\n' ? "\n" : "";
}

/// The sync, and the end of the lock that tells where this message began, are before the answer that it was
/// written: what was answered is never taken back.
Attempt MailDrops::Drop::write() {
  if (message_.again) {
    auto there = stands_in(file_.get(), 0, size_, message_.begins, {});
    if (!there) return failed("4.3.0", fmt::format("the mail drop of {} cannot be read", login_), 0);
    if (*there) return simply(End::kWritten, "it was there already");
  }
  if (!write_all(file_.get(), ending() + message_.begins)) return take_back(cannot_write(login_, errno));
  for (;;) {
    auto piece = message_.rest();
    if (!piece) return take_back({End::kFailed, piece.error(), "4.3.0", {}});
    if (piece->empty()) break;
    if (!write_all(file_.get(), *piece)) return take_back(cannot_write(login_, errno));
  }
  if (fsync(file_.get()) != 0) return take_back(cannot_write(login_, errno));
  if (!unlock()) return take_back(cannot_write(login_, errno));
  return simply(End::kWritten);
}

/// What cannot be taken back now, the next attempt does, by the lock that stays.
Attempt MailDrops::Drop::take_back(Attempt why) {
  if (ftruncate(file_.get(), size_) == 0 && fsync(file_.get()) == 0) return why;
  why.note = fmt::format("what was written of it cannot be taken back yet: {}", std::strerror(errno));
  dot_locked_ = false;
  return why;
}

bool MailDrops::Drop::unlock() {
  if (!dot_locked_) return true;
  if (unlinkat(directory_, lock_.c_str(), 0) != 0 && errno != ENOENT) return false;
  dot_locked_ = false;
  return true;
}

Attempt MailDrops::append(const std::string& login, const Message& message) {
  if (!why_not_.empty()) return failed("4.3.5", why_not_, 0);
  Drop drop(directory_.get(), boot_, login, message);
  Attempt so_far = drop.open_and_lock();
  return so_far.end == End::kWritten ? drop.write() : so_far;
}

}  // namespace unix_deliver
