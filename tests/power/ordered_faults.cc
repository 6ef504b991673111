// Linked into a queue of the tests (build/tests/queue_faulty): its disk fails when a test orders it. The
// orders stand in a file beside the program, PROGRAM.faults, which the test writes and this maps before the
// process confines itself; without the file nothing fails. An order survives the process that it ends: it is
// counted down in that file. tests/system/test_faulty_disk.py gives the orders.
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>

#include "tests/power/calls.h"

namespace power {
namespace {

enum class Step : std::uint32_t {
  kNone,
  kTables,      ///< writes of the tables, but the commit's page
  kCommitPage,  ///< the write that makes a commit
  kTablesSync,
  kBodyFile,  ///< a body's file is made
  kBodySync,
  kBodyName,  ///< and gets its name
  kNameSync,
  kUnlink,
  kSteps
};

/// The file, in this machine's byte order.
struct Orders {
  std::atomic<std::uint32_t> step;    ///< that is to fail
  std::atomic<std::uint32_t> after;   ///< so many that do not
  std::atomic<std::uint32_t> times;   ///< and then so many that do; 0: no order
  std::atomic<std::uint32_t> error;   ///< errno; 0: half is written
  std::atomic<std::uint32_t> made;    ///< 1: it is done, and said to have failed
  std::atomic<std::uint32_t> failed;  ///< how many did
  std::atomic<std::uint32_t> seen[static_cast<std::size_t>(Step::kSteps)];
};
static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

class OrderedFaults final : public Watcher {
 public:
  explicit OrderedFaults(Orders& orders) : orders_(orders) {}

  Verdict before(const Call& call) override {
    Step step = step_of(call);
    if (step == Step::kNone) return {};
    ++orders_.seen[static_cast<std::size_t>(step)];
    if (orders_.times == 0 || orders_.step != static_cast<std::uint32_t>(step)) return {};
    if (orders_.after > 0) {
      --orders_.after;
      return {};
    }
    --orders_.times;
    ++orders_.failed;
    Verdict verdict{.error = static_cast<int>(orders_.error.load()), .made = orders_.made != 0};
    if (verdict.error == 0) verdict.at_most = 2048;
    return verdict;
  }

  void after(const Call& call, long result) override {
    if (call.kind != Kind::kOpen || !std::string_view(call.name).ends_with("/data.mdb")) return;
    if (std::string_view(call.name).find("/store/") == std::string_view::npos) return;
    ((call.flags & O_DSYNC) != 0 ? commit_page_ : tables_) = static_cast<int>(result);
  }

 private:
  [[nodiscard]] Step step_of(const Call& call) const {
    bool is_new_body = call.kind == Kind::kOpen && (call.flags & O_CREAT) != 0 &&
                       std::string_view(call.name).ends_with(".new");
    if (is_new_body) return Step::kBodyFile;
    if (call.kind == Kind::kWrite && call.fd == commit_page_) return Step::kCommitPage;
    if (call.kind == Kind::kWrite && call.fd == tables_) return Step::kTables;
    if (call.kind == Kind::kRename) return Step::kBodyName;
    if (call.kind == Kind::kUnlink) return Step::kUnlink;
    if (call.kind != Kind::kSync) return Step::kNone;
    if (call.fd == tables_) return Step::kTablesSync;
    return call.whole ? Step::kNameSync : Step::kBodySync;
  }

  Orders& orders_;
  std::atomic<int> tables_ = -1, commit_page_ = -1;
};

// Before main(): queue's own main knows nothing of this.
[[gnu::constructor]] void obey() {
  std::string name(reinterpret_cast<const char*>(::getauxval(AT_EXECFN)));
  name += ".faults";
  long fd = ::syscall(SYS_openat, AT_FDCWD, name.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* memory = ::mmap(nullptr, sizeof(Orders), PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(fd), 0);
  ::syscall(SYS_close, fd);
  if (memory == MAP_FAILED) return;
  static OrderedFaults faults(*static_cast<Orders*>(memory));
  watch(&faults);
}

}  // namespace
}  // namespace power
