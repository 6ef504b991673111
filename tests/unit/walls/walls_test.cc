// Every forbidden call in every row, with Landlock and without (trial.h). The rows come from the table, so a
// new one is tried as it is; what it may do beyond the others has to be told in tests/unit/walls/calls.cc.
#include <seccomp.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "tests/unit/walls/trial.h"

// The sanitizers' build leaves openings for their reports.
#ifndef POST_OFFICE_SANITIZED

namespace {

using po::sandbox::Row;
using walls::Call;
using walls::Outcome;

constexpr uid_t kCaller = static_cast<uid_t>(-1), kSomebody = 64'123;

/// As root also as somebody else: a wall that stands before root may still have a gap where other checks
/// answer first.
std::vector<uid_t> users() {
  return geteuid() == 0 ? std::vector<uid_t>{kCaller, kSomebody} : std::vector<uid_t>{kCaller};
}

bool given(const Call& call, const Row& row, int landlock) {
  return call.given != nullptr && call.given(row, landlock);
}

/// What root is refused though nothing confines it, because this kernel has no such call, or keeps it for
/// nobody.
std::string not_shown(const std::vector<Outcome>& control) {
  std::string out;
  for (std::size_t i = 0; i < control.size(); ++i) {
    bool lacking = control[i].kind == Outcome::Kind::kErrno && control[i].value == ENOSYS;
    if (control[i].refused() && !lacking) out += walls::calls()[i].name + " (" + control[i].text() + "); ";
  }
  return out;
}

/// The names in the page's list of a set; what stands in parentheses is a condition.
std::set<std::string> documented(const std::string& page, const std::string& set) {
  std::size_t at = page.find("\n.IP " + set + "\n");
  REQUIRE(at != std::string::npos);
  std::set<std::string> out;
  std::istringstream lines(page.substr(at + 1));
  std::string line, text;
  std::getline(lines, line);
  while (std::getline(lines, line) && !line.starts_with(".")) text += line + " ";
  std::istringstream words(std::regex_replace(text, std::regex("\\([^)]*\\)|,"), " "));
  for (std::string word; words >> word;) out.insert(word);
  return out;
}

std::string name_of(int number) {
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  std::string out = name != nullptr ? name : std::to_string(number);
  free(name);
  return out;
}

}  // namespace

TEST_CASE("walls: each row is refused each forbidden call, with Landlock and without") {
  for (uid_t uid : users()) {
    walls::Scene scene(uid);
    for (const Row& row : po::sandbox::table()) {
      for (int version : walls::landlock_versions()) {
        auto outcomes = walls::try_calls(scene, {&row, version}, walls::calls());
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
          const Call& call = walls::calls()[i];
          INFO(row.executable << ", Landlock " << version << ", uid " << uid << ", " << call.group << ", "
                              << call.name << ": " << outcomes[i].text());
          CHECK(outcomes[i].refused() != given(call, row, version));
        }
      }
    }
  }
}

TEST_CASE("walls: without them the same calls are not refused") {
  walls::Scene scene(kCaller);
  auto control = walls::try_calls(scene, {}, walls::calls());
  if (geteuid() == 0) {
    CHECK(not_shown(control) == "");
  } else {
    // The kernel keeps some for root; most it does for anybody.
    auto refused =
        std::count_if(control.begin(), control.end(), [](const Outcome& o) { return o.refused(); });
    CHECK(static_cast<std::size_t>(refused) < control.size() / 4);
  }
}

TEST_CASE("walls: the calls that a row has are those that internals.7 lists, of all that there are") {
  std::ifstream file("man/internals.7");
  std::string page((std::istreambuf_iterator<char>(file)), {});
  walls::Scene scene(kCaller);
  const std::pair<po::sandbox::Calls, const char*> kSets[] = {
      {po::sandbox::kBase, "base"},         {po::sandbox::kThreads, "threads"},
      {po::sandbox::kDatabase, "database"}, {po::sandbox::kBodies, "bodies"},
      {po::sandbox::kResolver, "resolver"}, {po::sandbox::kConnect, "connect"},
      {po::sandbox::kLogs, "logs"},         {po::sandbox::kMaildrops, "maildrops"}};
  for (const Row& row : po::sandbox::table()) {
    std::set<std::string> may;
    for (auto [bit, name] : kSets) {
      if ((row.calls & bit) != 0) may.merge(documented(page, name));
    }
    for (int number : walls::reachable_calls(scene, {&row, po::sandbox::kNewestLandlock})) {
      INFO(row.executable << ": " << name_of(number));
      CHECK(may.contains(name_of(number)));
    }
  }
}

#endif

TEST_CASE("walls: what is a refusal") {
  using walls::Outcome;
  using Kind = Outcome::Kind;
  for (int value : {ENOSYS, EACCES, EPERM}) CHECK(Outcome{Kind::kErrno, value}.refused());
  for (int value : {ENOENT, EINVAL, EBADF}) CHECK_FALSE(Outcome{Kind::kErrno, value}.refused());
  CHECK(Outcome{Kind::kSignal, SIGSYS}.refused());
  CHECK_FALSE(Outcome{Kind::kSignal, SIGSEGV}.refused());
  CHECK_FALSE(Outcome{Kind::kDone, 0}.refused());
}
