#include "dispatcher/logs.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <vector>

namespace dispatcher {

using po::Fd;
using po::Result;

static constexpr const char* kOldPrefix = "post.office.log.";

LogFiles::LogFiles(const po::config::Config& config, bool to_stderr)
    : directory_(config.log_directory), to_stderr_(to_stderr) {
  set_limits(config);
}

void LogFiles::set_limits(const po::config::Config& config) {
  size_ = config.log_size;
  files_ = config.log_files;
  days_ = config.log_days;
}

Result<void> LogFiles::open() {
  Fd fd(to_stderr_ ? fcntl(2, F_DUPFD_CLOEXEC, 3)
                   : ::open(path().c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd)
    return po::temporary(fmt::format("log {} cannot be opened", to_stderr_ ? "to standard error" : path()),
                         errno);
  fd_ = std::move(fd);
  return {};
}

Fd LogFiles::duplicate() const {
  return Fd(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3));
}

static std::string utc_stamp() {
  std::time_t now = std::time(nullptr);
  std::tm tm{};
  gmtime_r(&now, &tm);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm);
  return text;
}

bool LogFiles::rotate_if_full() {
  struct stat st {};
  if (to_stderr_ || fstat(fd_.get(), &st) != 0 || static_cast<std::uint64_t>(st.st_size) < size_)
    return false;
  std::string old = fmt::format("{}/{}{}", directory_, kOldPrefix, utc_stamp());
  if (rename(path().c_str(), old.c_str()) != 0) return false;
  if (!open()) return false;
  remove_old();
  return true;
}

void LogFiles::remove_old() const {
  DIR* dir = opendir(directory_.c_str());
  if (dir == nullptr) return;
  std::vector<std::string> old;
  while (dirent* entry = readdir(dir)) {
    std::string name = entry->d_name;
    if (name.starts_with(kOldPrefix)) old.push_back(directory_ + "/" + name);
  }
  closedir(dir);
  std::sort(old.rbegin(), old.rend());  // the stamp in the name sorts by age: newest first
  std::time_t oldest = std::time(nullptr) - static_cast<std::time_t>(days_) * 86400;
  for (std::size_t i = 0; i < old.size(); ++i) {
    struct stat st {};
    bool too_old = lstat(old[i].c_str(), &st) == 0 && st.st_mtime < oldest;
    if (i >= files_ || too_old) unlink(old[i].c_str());
  }
}

std::string tail_of(const std::string& path, unsigned lines) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0) return {};
  std::string text(8192, '\0');
  ssize_t n = pread(fd.get(), text.data(), text.size(), std::max<off_t>(0, st.st_size - 8192));
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  std::size_t at = text.size();
  for (unsigned i = 0; i <= lines && at != std::string::npos && at > 0; ++i) at = text.rfind('\n', at - 1);
  if (at == std::string::npos || at == 0) return text;
  return text.substr(at + 1);
}

}  // namespace dispatcher
