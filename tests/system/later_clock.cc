// Linked into a program: its clock of the day is as many hours ahead as the file NAME.later beside it says
// when it starts, so that a test need not wait for days. The clock that measures spans of time stays as it
// is.
#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <ctime>
#include <fstream>
#include <string>

namespace {

using Clock = int(clockid_t, timespec*);

time_t seconds_ahead() {
  std::array<char, PATH_MAX> path{};
  ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return 0;
  time_t hours = 0;
  std::ifstream(std::string(path.data(), static_cast<std::size_t>(length)) + ".later") >> hours;
  return hours * 3600;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  static const auto real = reinterpret_cast<Clock*>(::dlsym(RTLD_NEXT, "clock_gettime"));
  static const time_t ahead = seconds_ahead();  // the first call is made long before confinement
  int result = real(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead;
  return result;
}
