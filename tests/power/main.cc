// build/tests/power [--points N] [--states N] [--processes N] [--seed N] [--self-test | --failing-calls]:
// loss of power.
//
// A load runs on the real store while its writes and syncs are recorded; then, for commits spread over the
// load, the states are built that a loss of power may leave (disk.h, states.h), and each is opened and looked
// at (checker.h). --self-test shows that the test can fail: with a disk that ignores one kind of sync after
// the other, each must be found out. --failing-calls instead lets each call of a short load fail (failing.h),
// a call in one way being a test. The last line is "N passed, N failed, N skipped" with a commit (or a
// kind of sync) as a test.
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "tests/power/checker.h"
#include "tests/power/failing.h"
#include "tests/power/load.h"
#include "tests/power/states.h"

namespace {

using namespace power;

constexpr std::size_t kCommits = 240;  // of the load; the points are spread over them
constexpr unsigned kSecondsPerState = 30;
constexpr std::size_t kShown = 20;
constexpr std::size_t kGoOnEach = 64;  // states: one of so many is worked on

struct Options {
  std::size_t points = 10, states = 2000, processes = 2;
  std::uint64_t seed = 0;
  bool self_test = false, failing_calls = false;
};

struct Place {
  std::size_t point = 0, instant = 0, state = 0;
};

/// What a worker has done, in memory that outlives it: a state may be one that kills the reader.
struct Progress {
  Place now;
  std::size_t points = 0, bad_points = 0, last_bad_point = SIZE_MAX, instants = 0, states = 0, went_on = 0,
              read = 0, violations = 0, most_pending = 0;
};

struct Record {
  Log log;
  History history;
  std::vector<Window> windows;
};

/// A directory in memory, if there is one: four hundred thousand states are too many for a disk.
std::string make_directory() {
  for (const char* base : {"/dev/shm", "/var/tmp"}) {
    std::string name = std::string(base) + "/post.office-power-XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) return name;
  }
  std::perror("no place for files");
  std::exit(1);
}

Record record(const Options& options, const std::string& directory) {
  Record r;
  Recorder recorder(directory);
  watch(&recorder);
  {
    Load load(options.seed, directory + "/store", recorder);
    for (std::size_t i = 0; i < kCommits; ++i) {
      if (load.step()) continue;
      std::printf("the load failed: %s\n", load.error().c_str());
      std::exit(1);
    }
    watch(nullptr);
    r.history = load.history();
  }
  r.log = recorder.log();
  r.windows = windows_of(r.log);
  return r;
}

/// Spread evenly; the first one, which makes the store, is always among them.
std::vector<Window> pick(const std::vector<Window>& all, std::size_t count) {
  std::vector<Window> some;
  for (std::size_t i = 0; i < count; ++i) some.push_back(all[i * all.size() / count]);
  return some;
}

class Worker {
 public:
  Worker(const Options& options, const Record& record, const std::vector<Window>& points,
         const Ignored& ignored, std::string directory, Progress& progress, std::size_t number)
      : options_(options),
        record_(record),
        points_(points),
        ignored_(ignored),
        directory_(std::move(directory)),
        progress_(progress),
        number_(number),
        scene_(directory_) {}

  /// `most`: violations after which it ends.
  void run(Place from, std::size_t most) {
    from_ = from, most_ = most;
    Disk disk;
    std::size_t at = 0;
    for (std::size_t p = 0; p < points_.size(); ++p) {
      for (; at < points_[p].from; ++at) disk.take(at, record_.log[at]);
      if (p % options_.processes != number_ || p < from.point) continue;
      progress_.now.point = p;
      if (!look_at_point(disk)) return;
      ++progress_.points;
    }
  }

 private:
  bool look_at_point(Disk disk) {
    const Window& window = points_[progress_.now.point];
    std::vector<std::size_t> instants = instants_of(record_.log, window);
    std::size_t share = options_.states / std::max<std::size_t>(1, rich_instants(disk, window));
    std::size_t at = window.from, answered = window.change - 1, begun = answered;
    for (std::size_t i = 0; i < instants.size(); ++i) {
      for (; at < instants[i]; ++at) {
        disk.take(at, record_.log[at], ignored_);
        if (const auto* b = std::get_if<Begun>(&record_.log[at])) begun = b->change;
        if (const auto* a = std::get_if<Answered>(&record_.log[at])) answered = a->change;
      }
      if (progress_.now.point == from_.point && i < from_.instant) continue;
      progress_.now.instant = i;
      if (!look_at_instant(disk, answered, begun, share)) return false;
      ++progress_.instants;
    }
    return true;
  }

  /// Instants with more pending than all subsets can be built of.
  std::size_t rich_instants(Disk disk, const Window& window) const {
    std::size_t count = 0, at = window.from;
    for (std::size_t instant : instants_of(record_.log, window)) {
      for (; at < instant; ++at) disk.take(at, record_.log[at], ignored_);
      if (!Choices::few(disk.pending())) ++count;
    }
    return count;
  }

  bool look_at_instant(const Disk& disk, std::size_t answered, std::size_t begun, std::size_t share) {
    const Place& now = progress_.now;
    Choices choices(disk.pending(), options_.seed + (now.point << 32) + (now.instant << 20), share);
    progress_.most_pending = std::max(progress_.most_pending, disk.pending().size());
    scene_.stage(disk);
    bool resumed = now.point == from_.point && now.instant == from_.instant;
    for (std::size_t n = resumed ? from_.state : 0; n < choices.count(); ++n) {
      progress_.now.state = n;
      std::string wrong = look_at_state(disk, choices.at(n), answered, begun);
      ++progress_.states;
      if (!wrong.empty() && !report(wrong)) return false;
    }
    return true;
  }

  std::string look_at_state(const Disk& disk, const Choice& choice, std::size_t answered, std::size_t begun) {
    Names names = disk.names();
    Recorder touched(directory_, names);
    ::alarm(kSecondsPerState);
    watch(&touched);
    scene_.make(choice);
    Checker checker(directory_ + "/store", record_.history);
    bool go_on = progress_.now.state % kGoOnEach == 7;
    std::string wrong = checker.check(answered, begun, go_on);
    watch(nullptr);
    ::alarm(0);
    scene_.undo(touched.log());
    progress_.read += checker.messages_read();
    progress_.went_on += go_on;
    return wrong;
  }

  bool report(const std::string& wrong) {
    note_violation(progress_, wrong);
    return progress_.violations < most_;
  }

 public:
  static void note_violation(Progress& p, const std::string& wrong) {
    if (p.violations++ < kShown) {
      std::printf("VIOLATION point %zu instant %zu state %zu: %s\n", p.now.point, p.now.instant, p.now.state,
                  wrong.c_str());
      std::fflush(stdout);
    }
    if (p.last_bad_point != p.now.point) ++p.bad_points;
    p.last_bad_point = p.now.point;
  }

 private:
  const Options& options_;
  const Record& record_;
  const std::vector<Window>& points_;
  const Ignored& ignored_;
  std::string directory_;
  Progress& progress_;
  std::size_t number_;
  Scene scene_;
  Place from_;
  std::size_t most_ = 0;
};

class Run {
 public:
  Run(const Options& options, const Record& record, std::string directory)
      : options_(options), record_(record), directory_(std::move(directory)) {
    void* memory = ::mmap(nullptr, sizeof(Progress) * options_.processes, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    progress_ = static_cast<Progress*>(memory);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { ::munmap(progress_, sizeof(Progress) * options_.processes); }

  /// False: told to stop.
  bool run(const std::vector<Window>& points, const Ignored& ignored, std::size_t most) {
    points_ = &points, ignored_ = &ignored, most_ = most;
    std::vector<pid_t> pids;
    for (std::size_t n = 0; n < options_.processes; ++n) {
      new (&progress_[n]) Progress;
      pids.push_back(start(n, {}));
    }
    return wait(pids);
  }

  [[nodiscard]] Progress sum() const {
    Progress s;
    for (std::size_t n = 0; n < options_.processes; ++n) {
      const Progress& p = progress_[n];
      s.points += p.points, s.bad_points += p.bad_points, s.instants += p.instants, s.states += p.states;
      s.went_on += p.went_on, s.read += p.read, s.violations += p.violations;
      s.most_pending = std::max(s.most_pending, p.most_pending);
    }
    return s;
  }

 private:
  pid_t start(std::size_t n, Place from) {
    std::fflush(stdout);
    pid_t pid = ::fork();
    if (pid < 0) std::abort();
    if (pid > 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    Worker worker(options_, record_, *points_, *ignored_, directory_ + "/" + std::to_string(n), progress_[n],
                  n);
    worker.run(from, most_);
    std::fflush(stdout);
    ::_exit(0);
  }

  /// A state that kills its reader is a violation; the next one goes on in a new process.
  void ended(std::size_t n, int status, std::vector<pid_t>& pids) {
    pids[n] = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    Progress& p = progress_[n];
    Worker::note_violation(p, WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                                  : "exit " + std::to_string(WEXITSTATUS(status)));
    if (p.violations >= most_) return;
    Place next = p.now;
    ++next.state;
    pids[n] = start(n, next);
  }

  bool wait(std::vector<pid_t>& pids) {
    sigset_t wanted;
    ::sigemptyset(&wanted);
    for (int s : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&wanted, s);
    auto running = [&pids] { return std::ranges::any_of(pids, [](pid_t p) { return p > 0; }); };
    while (running()) {
      int signal = 0;
      ::sigwait(&wanted, &signal);
      if (signal != SIGCHLD) {
        for (pid_t pid : pids) {
          if (pid > 0) ::kill(pid, SIGKILL);
        }
        while (::wait(nullptr) > 0) {
        }
        return false;
      }
      for (std::size_t n = 0; n < pids.size(); ++n) {
        int status = 0;
        if (pids[n] > 0 && ::waitpid(pids[n], &status, WNOHANG) == pids[n]) ended(n, status, pids);
      }
    }
    return true;
  }

  const Options& options_;
  const Record& record_;
  std::string directory_;
  Progress* progress_ = nullptr;
  const std::vector<Window>* points_ = nullptr;
  const Ignored* ignored_ = nullptr;
  std::size_t most_ = 0;
};

struct Outcome {
  std::size_t passed = 0, failed = 0;
};

Outcome check_all(const Options& options, const Record& record, Run& run) {
  static constexpr std::size_t kMostViolations = 1000;  // of one process
  std::vector<Window> points = pick(record.windows, options.points);
  if (!run.run(points, {}, kMostViolations)) return {0, 1};
  Progress p = run.sum();
  std::printf(
      "seed %llu: %zu commit points, %zu instants, %zu states (at most %zu writes pending), "
      "%zu messages read, %zu states worked on; violations %zu\n",
      static_cast<unsigned long long>(options.seed), points.size(), p.instants, p.states, p.most_pending,
      p.read, p.went_on, p.violations);
  return {points.size() - p.bad_points, p.bad_points};
}

Outcome check_itself(const Record& record, Run& run) {
  struct {
    const char* name;
    Ignored ignored;
  } const lies[] = {{"the tables' file", {.tables = true}},
                    {"the commit's page", {.commit_page = true}},
                    {"the bodies' files", {.bodies = true}},
                    {"directories", {.names = true}}};
  // All but the first, before which nothing was promised: few of them keep a body in a file.
  std::vector<Window> points(record.windows.begin() + 1, record.windows.end());
  Outcome outcome;
  for (const auto& lie : lies) {
    if (!run.run(points, lie.ignored, 1)) return {0, 1};
    bool found = run.sum().violations > 0;
    std::printf("%s: a disk that ignores the sync of %s is %s after %zu states\n", found ? "ok" : "FAIL",
                lie.name, found ? "found out" : "NOT found out", run.sum().states);
    ++(found ? outcome.passed : outcome.failed);
  }
  return outcome;
}

Outcome check_failing_calls(const Options& options, const std::string& directory) {
  FailingCalls f = fail_each_call(options.seed, directory + "/failing");
  std::printf(
      "seed %llu: %zu calls, %zu runs: %zu unknown, %zu not done, %zu done all the same; violations %zu\n",
      static_cast<unsigned long long>(options.seed), f.calls, f.runs, f.unknown, f.unavailable, f.went_on,
      f.wrong);
  return {f.runs - std::min(f.runs, f.wrong), f.wrong};
}

Options parse(int argc, char** argv) {
  static const option kLong[] = {{"points", 1, nullptr, 'p'},    {"states", 1, nullptr, 's'},
                                 {"processes", 1, nullptr, 'j'}, {"seed", 1, nullptr, 'r'},
                                 {"self-test", 0, nullptr, 't'}, {"failing-calls", 0, nullptr, 'f'},
                                 {nullptr, 0, nullptr, 0}};
  Options options;
  options.seed = std::random_device()();
  for (int c; (c = ::getopt_long(argc, argv, "", kLong, nullptr)) != -1;) {
    std::uint64_t value = optarg != nullptr ? std::strtoull(optarg, nullptr, 10) : 0;
    if (c == 't')
      options.self_test = true;
    else if (c == 'f')
      options.failing_calls = true;
    else if (c == 'r')
      options.seed = value;
    else if (c == 'p')
      options.points = value;
    else if (c == 's')
      options.states = value;
    else if (c == 'j')
      options.processes = value;
    else
      std::exit(64);
  }
  if (options.self_test) options.states = std::min<std::size_t>(options.states, 60);
  if (options.points < 1 || options.points > kCommits || options.states < 1 || options.processes < 1)
    std::exit(64);
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  Options options = parse(argc, argv);
  sigset_t handled;
  ::sigemptyset(&handled);
  for (int s : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&handled, s);
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);

  std::string directory = make_directory();
  Outcome outcome;
  if (options.failing_calls) {
    outcome = check_failing_calls(options, directory);
  } else {
    Record record = ::record(options, directory);
    Run run(options, record, directory);
    outcome = options.self_test ? check_itself(record, run) : check_all(options, record, run);
  }
  std::filesystem::remove_all(directory);
  std::printf("%zu passed, %zu failed, 0 skipped\n", outcome.passed, outcome.failed);
  return outcome.failed == 0 ? 0 : 1;
}
