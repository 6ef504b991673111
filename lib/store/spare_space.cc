#include "lib/store/spare_space.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>

#include "lib/fd.h"

namespace store {

static constexpr const char* kName = "spare";
static constexpr std::uint64_t kPlenty = 8 * SpareSpace::kOctets;

void SpareSpace::open(int directory) {
  directory_ = directory;
  struct stat st {};
  there_ = ::fstatat(directory, kName, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           static_cast<std::uint64_t>(st.st_size) == kOctets;
  keep();
}

bool SpareSpace::give_up() {
  if (!there_) return false;
  there_ = false;
  return ::unlinkat(directory_, kName, 0) == 0;
}

void SpareSpace::keep() {
  struct statvfs disk {};
  if (there_ || ::fstatvfs(directory_, &disk) != 0) return;
  if (static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize < kPlenty) return;
  there_ = make();
  if (!there_) (void)::unlinkat(directory_, kName, 0);
}

// Written, not asked for with fallocate(2), which not every file system has. It need not be synced: nothing
// is lost with it.
bool SpareSpace::make() {
  po::Fd fd(::openat(directory_, kName, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  static constexpr std::array<char, 65'536> kZeros{};
  for (std::uint64_t at = 0; fd && at < kOctets; at += kZeros.size()) {
    if (::write(fd.get(), kZeros.data(), kZeros.size()) != static_cast<ssize_t>(kZeros.size())) return false;
  }
  return static_cast<bool>(fd);
}

}  // namespace store
