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
#include <utility>

namespace unix_deliver {

using End = Attempt::End;

/// liblockfile, which mutt and others lock with, takes an older lock for forgotten.
static constexpr std::time_t kStaleAfter = 300;

static Attempt failed(std::string status, std::string text, int error) {
  if (error != 0) text += fmt::format(": {}", std::strerror(error));
  return {End::kFailed, {po::Kind::kTemporary, error, std::move(text)}, std::move(status), {}};
}

/// No place, no more quota, or a limit of this process: the words for it.
static Attempt cannot_write(const std::string& login, int error) {
  bool quota = error == EDQUOT, full = error == ENOSPC || error == EFBIG;
  return failed(quota  ? "4.2.2"
                : full ? "4.3.1"
                       : "4.3.0",
                fmt::format("the mail drop of {} cannot be written", login), error);
}

static bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
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

MailDrops::MailDrops(std::string directory)
    : path_(std::move(directory)),
      directory_(open(path_.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      why_not_(fault_of_directory(path_, directory_.get())) {}

// ---- one drop

/// Open and locked, as long as it lives.
class MailDrops::Drop {
 public:
  Drop(int directory, const std::string& login, const std::string& first)
      : directory_(directory), login_(login), first_(first), lock_(login + ".lock") {}
  Drop(const Drop&) = delete;
  Drop& operator=(const Drop&) = delete;
  ~Drop() {
    if (dot_locked_) unlinkat(directory_, lock_.c_str(), 0);
  }

  /// kWritten: it is open and locked.
  Attempt open_and_lock();
  Attempt write(const Source& source);

 private:
  [[nodiscard]] Attempt examine();
  [[nodiscard]] Attempt lock();
  [[nodiscard]] bool dot_lock();
  [[nodiscard]] Attempt on_locked();
  [[nodiscard]] bool take_back_of_a_crash();
  [[nodiscard]] bool is_last(std::string_view first, off_t from) const;
  [[nodiscard]] std::string ending() const;
  [[nodiscard]] Attempt take_back(Attempt why);

  int directory_;
  const std::string& login_;
  const std::string& first_;
  std::string lock_;
  po::Fd file_;
  off_t size_ = 0;
  bool dot_locked_ = false;
};

Attempt MailDrops::Drop::open_and_lock() {
  file_.reset(openat(directory_, login_.c_str(), O_RDWR | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!file_) {
    if (errno == ENOENT) return {End::kAbsent, {}, {}, {}};
    if (errno == ENOSYS)
      return failed("4.3.5", "mail drops are off, because the kernel of this host lacks Landlock", 0);
    return failed("4.3.5", fmt::format("the mail drop of {} cannot be opened", login_), errno);
  }
  Attempt so_far = lock();
  if (so_far.end == End::kWritten) so_far = examine();
  if (so_far.end != End::kWritten) return so_far;
  return dot_lock() ? so_far : on_locked();
}

/// What a drop has to be; and that it is still the file of this name, now that nobody changes it.
Attempt MailDrops::Drop::examine() {
  struct stat st {
  }, named{};
  if (fstat(file_.get(), &st) != 0 || fstatat(directory_, login_.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      st.st_dev != named.st_dev || st.st_ino != named.st_ino)
    return {End::kLocked, {}, {}, {}};  // another has just taken its place
  const char* fault = !S_ISREG(st.st_mode)          ? "is not a file"
                      : st.st_nlink != 1            ? "has several names"
                      : st.st_uid == 0              ? "belongs to root"
                      : (st.st_mode & S_IWGRP) == 0 ? "cannot be written by its group"
                                                    : nullptr;
  if (fault != nullptr)
    return failed("4.3.5", fmt::format("the mail drop of {} {}; it is left alone", login_, fault), 0);
  size_ = st.st_size;
  return {End::kWritten, {}, {}, {}};
}

Attempt MailDrops::Drop::lock() {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(file_.get(), F_SETLK, &whole) == 0) return {End::kWritten, {}, {}, {}};
  if (errno == EACCES || errno == EAGAIN) return {End::kLocked, {}, {}, {}};
  return failed("4.3.5", fmt::format("the mail drop of {} cannot be locked", login_), errno);
}

/// The lock says whose it is (for liblockfile, to which the lock of a dead process is none), how long the
/// drop was, and how what we are about to write begins. False with errno.
bool MailDrops::Drop::dot_lock() {
  po::Fd made(openat(directory_, lock_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (!made) return false;
  dot_locked_ = true;
  if (write_all(made.get(), fmt::format("{}\n{}\n{}", getpid(), size_, first_))) return true;
  return false;
}

/// Our process has no lock when it makes one, and the file itself is locked: a lock of ours is that of a
/// process which has died.
Attempt MailDrops::Drop::on_locked() {
  if (errno != EEXIST) return cannot_write(login_, errno);
  struct stat st {};
  if (fstatat(directory_, lock_.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
    return {End::kLocked, {}, {}, {}};
  bool ours = st.st_uid == geteuid();
  if (!ours && st.st_mtime + kStaleAfter >= std::time(nullptr)) return {End::kLocked, {}, {}, {}};
  std::string note = fmt::format("{} was forgotten and has been taken away", lock_);
  if (ours && take_back_of_a_crash()) note = "a message that a crash had left unfinished has been taken back";
  unlinkat(directory_, lock_.c_str(), 0);
  return {End::kLocked, {}, {}, std::move(note)};
}

static std::string read_at(int fd, off_t from, std::size_t most) {
  std::string out(most, '\0');
  ssize_t n = 0;
  do n = pread(fd, out.data(), most, from);
  while (n < 0 && errno == EINTR);
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

/// Only what is ours beyond doubt: it begins as the lock says, at the place that it says, and nothing is
/// behind.
bool MailDrops::Drop::take_back_of_a_crash() {
  constexpr std::size_t kMostLock = 4096;
  po::Fd lock(openat(directory_, lock_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  std::string text = lock ? read_at(lock.get(), 0, kMostLock) : std::string();
  std::size_t pid_end = text.find('\n');
  if (pid_end == std::string::npos) return false;
  off_t was = 0;
  const char* digits = text.data() + pid_end + 1;
  auto [end, bad] = std::from_chars(digits, text.data() + text.size(), was);
  if (bad != std::errc() || end == text.data() + text.size() || *end != '\n' || was < 0 || was >= size_)
    return false;
  std::string_view first(end + 1, static_cast<std::size_t>(text.data() + text.size() - end - 1));
  return first.starts_with("From ") && is_last(first, was) && ftruncate(file_.get(), was) == 0 &&
         fsync(file_.get()) == 0;
}

/// Whether what stands from there on is one message, or a part of one, that begins with that line.
bool MailDrops::Drop::is_last(std::string_view first, off_t from) const {
  constexpr std::size_t kPiece = 64 * 1024;
  constexpr std::string_view kNext = "\nFrom ";
  std::string text = read_at(file_.get(), from, first.size() + 2);
  std::size_t blank = std::min(text.find_first_not_of('\n'), text.size());
  std::string_view begins = std::string_view(text).substr(blank, first.size());
  if (!first.starts_with(begins)) return false;
  std::string seam;
  for (off_t at = from + static_cast<off_t>(blank + begins.size());; at += static_cast<off_t>(kPiece)) {
    std::string piece = read_at(file_.get(), at, kPiece);
    std::string joined = seam + piece;
    if (joined.find(kNext) != std::string::npos) return false;
    if (piece.size() < kPiece) return true;
    seam = joined.substr(joined.size() - kNext.size() + 1);
  }
}

/// What is wanting behind the last message for a blank line before this one.
std::string MailDrops::Drop::ending() const {
  if (size_ == 0) return {};
  char last[2] = {'\n', '\n'};
  std::size_t n = size_ == 1 ? 1 : 2;
  if (pread(file_.get(), last + 2 - n, n, size_ - static_cast<off_t>(n)) != static_cast<ssize_t>(n))
    return "\n\n";
  if (last[1] != '\n') return "\n\n";
  return last[0] != '\n' ? "\n" : "";
}

/// The sync is before the answer that the message was written, and the lock after it: nobody else reads or
/// changes what might be taken back.
Attempt MailDrops::Drop::write(const Source& source) {
  if (!write_all(file_.get(), ending() + first_)) return take_back(cannot_write(login_, errno));
  for (;;) {
    auto piece = source();
    if (!piece) return take_back({End::kFailed, piece.error(), "4.3.0", {}});
    if (piece->empty()) break;
    if (!write_all(file_.get(), *piece)) return take_back(cannot_write(login_, errno));
  }
  if (fsync(file_.get()) != 0) return take_back(cannot_write(login_, errno));
  return {End::kWritten, {}, {}, {}};
}

Attempt MailDrops::Drop::take_back(Attempt why) {
  if (ftruncate(file_.get(), size_) != 0 || fsync(file_.get()) != 0)
    why.note = fmt::format("what was written of it could not be taken back: {}", std::strerror(errno));
  return why;
}

Attempt MailDrops::append(const std::string& login, const std::string& first, const Source& source) {
  if (!why_not_.empty()) return failed("4.3.5", why_not_, 0);
  Drop drop(directory_.get(), login, first);
  Attempt so_far = drop.open_and_lock();
  return so_far.end == End::kWritten ? drop.write(source) : so_far;
}

}  // namespace unix_deliver
