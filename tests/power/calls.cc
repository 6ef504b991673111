#include "tests/power/calls.h"

#undef _FORTIFY_SOURCE  // its inline forms of these functions would stand in the way of ours
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <vector>

namespace power {

// A function that the linker puts in the place of libc's gets no argument from us: this is the one way to it.
static std::atomic<Watcher*> g_watcher = nullptr;

void watch(Watcher* watcher) {
  g_watcher = watcher;
}

namespace {

template <class Make>
long decide(const Call& call, Make make) {
  Watcher* watcher = g_watcher;
  if (watcher == nullptr) return make();
  Verdict verdict = watcher->before(call);
  if (verdict.error != 0 && !verdict.made) {
    errno = verdict.error;
    return -1;
  }
  long result = make();
  if (result >= 0) {
    int kept = errno;
    watcher->after(call, result);
    errno = kept;
  }
  if (verdict.error == 0) return result;
  errno = verdict.error;
  return -1;
}

std::vector<iovec> first_octets(std::span<const iovec> all, std::size_t at_most) {
  std::vector<iovec> some;
  for (iovec piece : all) {
    piece.iov_len = std::min(piece.iov_len, at_most);
    at_most -= piece.iov_len;
    some.push_back(piece);
  }
  return some;
}

/// `at` below 0: at the file's position.
ssize_t write_pieces(int fd, std::span<const iovec> pieces, off_t at) {
  Watcher* watcher = g_watcher;
  Call call{.kind = Kind::kWrite, .fd = fd, .octets = pieces, .offset = at};
  if (watcher != nullptr && at < 0) call.offset = ::syscall(SYS_lseek, fd, 0, SEEK_CUR);
  Verdict verdict = watcher != nullptr ? watcher->before(call) : Verdict{};
  if (verdict.error != 0 && !verdict.made) {
    errno = verdict.error;
    return -1;
  }
  std::vector<iovec> some = first_octets(pieces, verdict.at_most);
  ssize_t n = at < 0 ? ::syscall(SYS_writev, fd, some.data(), some.size())
                     : ::syscall(SYS_pwritev, fd, some.data(), some.size(), at, 0L);
  if (n >= 0 && watcher != nullptr) watcher->after(call, n);
  if (verdict.error == 0) return n;
  errno = verdict.error;
  return -1;
}

ssize_t write_one(int fd, const void* octets, std::size_t count, off_t at) {
  iovec piece{const_cast<void*>(octets), count};
  return write_pieces(fd, {&piece, 1}, at);
}

int open_file(int at, const char* name, int flags, mode_t mode) {
  return static_cast<int>(decide({.kind = Kind::kOpen, .fd = at, .name = name, .flags = flags},
                                 [&] { return ::syscall(SYS_openat, at, name, flags, mode); }));
}

int sync_file(int fd, long number) {
  return static_cast<int>(decide({.kind = Kind::kSync, .fd = fd, .whole = number == SYS_fsync},
                                 [&] { return ::syscall(number, fd); }));
}

int unlink_name(int at, const char* name, int flags) {
  return static_cast<int>(decide({.kind = Kind::kUnlink, .fd = at, .name = name},
                                 [&] { return ::syscall(SYS_unlinkat, at, name, flags); }));
}

int rename_name(int from_at, const char* from, int to_at, const char* to) {
  return static_cast<int>(decide({.kind = Kind::kRename, .fd = from_at, .name = from, .to = to},
                                 [&] { return ::syscall(SYS_renameat, from_at, from, to_at, to); }));
}

mode_t mode_of(int flags, va_list words) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(words, mode_t) : 0;
}

}  // namespace
}  // namespace power

// All of libc's ways to change a file that the store, liblmdb or queue take. One that is not here would be
// missed by the recorder; the states would then lack octets, and the test fail.
extern "C" {

int open(const char* name, int flags, ...) {
  va_list words;
  va_start(words, flags);
  mode_t mode = power::mode_of(flags, words);
  va_end(words);
  return power::open_file(AT_FDCWD, name, flags, mode);
}

int openat(int at, const char* name, int flags, ...) {
  va_list words;
  va_start(words, flags);
  mode_t mode = power::mode_of(flags, words);
  va_end(words);
  return power::open_file(at, name, flags, mode);
}

int close(int fd) {
  return static_cast<int>(
      power::decide({.kind = power::Kind::kClose, .fd = fd}, [&] { return ::syscall(SYS_close, fd); }));
}

ssize_t write(int fd, const void* octets, size_t count) {
  return power::write_one(fd, octets, count, -1);
}
ssize_t pwrite(int fd, const void* octets, size_t count, off_t at) {
  return power::write_one(fd, octets, count, at);
}
ssize_t writev(int fd, const iovec* pieces, int count) {
  return power::write_pieces(fd, {pieces, static_cast<std::size_t>(count)}, -1);
}
ssize_t pwritev(int fd, const iovec* pieces, int count, off_t at) {
  return power::write_pieces(fd, {pieces, static_cast<std::size_t>(count)}, at);
}

int fsync(int fd) {
  return power::sync_file(fd, SYS_fsync);
}
int fdatasync(int fd) {
  return power::sync_file(fd, SYS_fdatasync);
}

int ftruncate(int fd, off_t size) noexcept {
  return static_cast<int>(power::decide({.kind = power::Kind::kResize, .fd = fd, .offset = size},
                                        [&] { return ::syscall(SYS_ftruncate, fd, size); }));
}

int renameat(int from_at, const char* from, int to_at, const char* to) noexcept {
  return power::rename_name(from_at, from, to_at, to);
}
int rename(const char* from, const char* to) noexcept {
  return power::rename_name(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int at, const char* name, int flags) noexcept {
  return power::unlink_name(at, name, flags);
}
int unlink(const char* name) noexcept {
  return power::unlink_name(AT_FDCWD, name, 0);
}

int mkdir(const char* name, mode_t mode) noexcept {
  return static_cast<int>(power::decide({.kind = power::Kind::kMakeDirectory, .fd = AT_FDCWD, .name = name},
                                        [&] { return ::syscall(SYS_mkdirat, AT_FDCWD, name, mode); }));
}

}  // extern "C"
