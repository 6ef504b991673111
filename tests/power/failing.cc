#include "tests/power/failing.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/power/checker.h"
#include "tests/power/load.h"

namespace power {
namespace {

constexpr std::size_t kCommits = 24;
constexpr std::size_t kShown = 20;

struct Way {
  const char* name;
  int error = 0;               ///< 0: half of a write is written
  bool made = false;           ///< it is done, and said to have failed
  bool and_all_after = false;  ///< a disk that stays full
};

constexpr Way kWays[] = {{"EIO", EIO},
                         {"done and EIO", EIO, true},
                         {"ENOSPC", ENOSPC},
                         {"done and ENOSPC", ENOSPC, true},
                         {"ENOSPC from then on", ENOSPC, false, true},
                         {"half a write"}};

class Fault final : public Watcher {
 public:
  Fault(const Way& way, std::size_t at) : way_(way), at_(at) {}

  Verdict before(const Call& call) override {
    if (call.kind == Kind::kClose) return {};  // it always closes
    std::size_t number = calls_++;
    if (number < at_ || (number > at_ && !way_.and_all_after)) return {};
    if (number > at_ && (call.kind == Kind::kUnlink || call.kind == Kind::kResize)) return {};
    if (way_.error == 0 && call.kind != Kind::kWrite) return {};
    struck_ = true;
    if (way_.error != 0) return {.error = way_.error, .made = way_.made};
    std::size_t octets = 0;
    for (const iovec& piece : call.octets) octets += piece.iov_len;
    return {.at_most = octets / 2};
  }

  void after(const Call& call, long result) override {
    bool nobody_has_it = call.kind == Kind::kOpen && way_.made && calls_ == at_ + 1;
    if (nobody_has_it) ::syscall(SYS_close, result);
  }

  [[nodiscard]] std::size_t calls() const { return calls_; }
  [[nodiscard]] bool struck() const { return struck_; }

 private:
  const Way& way_;
  std::size_t at_, calls_ = 0;
  bool struck_ = false;
};

class Runs {
 public:
  Runs(std::uint64_t seed, std::string directory) : seed_(seed), directory_(std::move(directory)) {}

  FailingCalls all() {
    Fault none(kWays[0], SIZE_MAX);
    Attempt whole = attempt(none);
    if (whole.failure) {
      std::printf("VIOLATION without a fault: %s\n", whole.failure->text.c_str());
      ++counts_.wrong;
      return counts_;
    }
    history_ = std::move(whole.history);
    counts_.calls = none.calls();
    for (std::size_t n = 0; n < counts_.calls; ++n) {
      for (const Way& way : kWays) run(way, n);
    }
    return counts_;
  }

 private:
  struct Attempt {
    History history;
    std::optional<store::Failure> failure;
    std::size_t done = 0;
  };

  Attempt attempt(Fault& fault) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
    Recorder nobody(directory_);
    Load load(seed_, directory_ + "/store", nobody);
    watch(&fault);
    for (std::size_t i = 0; i < kCommits && load.step(); ++i) {
    }
    watch(nullptr);
    return {load.history(), load.failure(), load.done_beside_failure()};
  }

  void run(const Way& way, std::size_t n) {
    Fault fault(way, n);
    Attempt tried = attempt(fault);
    if (!fault.struck()) return;  // half of something that is no write
    ++counts_.runs;
    std::string wrong = judge(tried);
    if (wrong.empty()) return;
    if (counts_.wrong++ < kShown) {
      std::printf("VIOLATION seed %llu call %zu %s: %s\n", static_cast<unsigned long long>(seed_), n,
                  way.name, wrong.c_str());
    }
  }

  /// The load is the same each time, so what it would have had answered next is known.
  std::string judge(const Attempt& tried) {
    std::size_t answered = tried.history.after.size() - 1, begun = answered;
    if (!tried.failure) {
      ++counts_.went_on;
    } else if (tried.failure->status == store::Status::kUnknown) {
      ++counts_.unknown, ++begun;
      if (tried.done > 0) return "a part is reported as done: " + tried.failure->text;
    } else if (tried.failure->status == store::Status::kUnavailable) {
      ++counts_.unavailable;
    } else {
      return "refused: " + tried.failure->text;
    }
    bool go_on = counts_.runs % 8 == 0;
    return Checker(directory_ + "/store", history_).check(answered, begun, go_on);
  }

  std::uint64_t seed_;
  std::string directory_;
  History history_;
  FailingCalls counts_;
};

}  // namespace

FailingCalls fail_each_call(std::uint64_t seed, const std::string& directory) {
  return Runs(seed, directory).all();
}

}  // namespace power
