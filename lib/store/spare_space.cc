#include "lib/store/spare_space.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "lib/disk_space.h"

namespace store {

static constexpr const char* kName = "spare";
static constexpr std::uint64_t kPlenty = 8 * SpareSpace::kOctets;

void SpareSpace::open(int directory) {
  file_ = po::Fd(::openat(directory, kName, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat st {};
  there_ = ::fstatat(directory, kName, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           static_cast<std::uint64_t>(st.st_size) == kOctets;
  keep();
}

bool SpareSpace::give_up() {
  if (!there_) return false;
  there_ = false;
  return ::ftruncate(file_.get(), 0) == 0;
}

void SpareSpace::keep() {
  if (there_ || !file_ || po::free_octets(file_.get()).value_or(0) < kPlenty) return;
  there_ = fill();
  // A disk that lets itself neither be written nor emptied is not asked again.
  if (!there_ && ::ftruncate(file_.get(), 0) != 0) file_.reset();
}

// Written, not asked for with fallocate(2), which not every file system has. It need not be synced: nothing
// is lost with it.
bool SpareSpace::fill() {
  static constexpr std::array<char, 65'536> kZeros{};
  for (std::uint64_t at = 0; at < kOctets; at += kZeros.size()) {
    ssize_t n = ::pwrite(file_.get(), kZeros.data(), kZeros.size(), static_cast<off_t>(at));
    if (n != static_cast<ssize_t>(kZeros.size())) return false;
  }
  return true;
}

}  // namespace store
