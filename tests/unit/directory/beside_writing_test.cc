// Reading directory/ without a lock beside a writer at full speed, in processes of their own (directory(5),
// Readers). Everything that is written says of itself what belongs to it, so that a page which was used again
// under a reader is noticed.
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>

#include "lib/checksum.h"
#include "lib/directory/reader.h"
#include "lib/directory/writer.h"

using namespace directory;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

#ifdef POST_OFFICE_SANITIZED
constexpr std::uint64_t kReads = 50'000;
#else
constexpr std::uint64_t kReads = 1'000'000;
#endif
/// Pages are used again after the second; then there must be time to notice.
constexpr std::uint64_t kRenewals = 5;
constexpr std::uint64_t kFirst = kPostmaster + 1, kAccounts = 60;
constexpr std::size_t kMap = 256U << 20;  // bounds what a young read transaction keeps from being used again

/// Shared by the processes.
struct Board {
  std::atomic<bool> stop, ready;
  std::atomic<std::uint64_t> commits, renewals, reads, pauses, wrong;
  char first[256];

  void note(const std::string& what) {
    if (wrong.fetch_add(1) == 0) strncpy(first, what.c_str(), sizeof first - 1);
  }
};

class Shared {
 public:
  Shared() : at_(::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    REQUIRE(at_ != MAP_FAILED);
    board_ = new (at_) Board{};
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(at_, sizeof(Board)); }
  Board* operator->() { return board_; }
  Board& operator*() { return *board_; }

 private:
  void* at_;
  Board* board_ = nullptr;
};

class TempFolder {
 public:
  TempFolder() : path_((std::filesystem::temp_directory_path() / "directory-test-XXXXXX").string()) {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }
  std::string directory() const { return path_ + "/directory"; }

 private:
  std::string path_;
};

// ---- what is written: account `id` at change `n`

std::string checksum_of(const Account& a) {
  po::Checksum sum;
  for (const std::string& line : a.finger) sum.add(line);
  return std::to_string(sum.value());
}

Account make(std::uint64_t id, std::uint64_t n, bool has_moving, std::mt19937_64& random) {
  Account a;
  a.id = id;
  a.addresses = {"fixed" + std::to_string(id) + "@x.org"};
  if (has_moving) a.addresses.push_back("moving@x.org");
  // Of all sizes: rows that share a page, and some that fill several.
  std::size_t octets = random() % 16 == 0 ? 9000 : random() % 900;
  a.finger = {std::to_string(n), std::string(octets, static_cast<char>('a' + n % 26))};
  a.name = checksum_of(a);
  return a;
}

Settings make_settings(std::uint64_t n) {
  Settings s;
  s.local_domains = {"x.org", "d" + std::to_string(n) + ".example"};
  s.relay_domains = {"relay.example", s.local_domains[1]};
  s.max_recipients = static_cast<std::uint32_t>(n);
  return s;
}

/// Empty: the account is as it was written, in whole.
std::string fault_of(const po::Result<std::optional<Account>>& found, std::uint64_t id) {
  if (!found) return "account " + std::to_string(id) + ": " + found.error().text;
  if (!*found) return "account " + std::to_string(id) + " is missing";
  const Account& a = **found;
  if (a.id != id || a.addresses.empty() || a.addresses[0] != "fixed" + std::to_string(id) + "@x.org") {
    return "account " + std::to_string(id) + " is another";
  }
  if (a.name != checksum_of(a) || a.finger.size() != 2) return "account " + std::to_string(id) + " is mixed";
  if (a.finger[0] != std::to_string(a.revision))
    return "account " + std::to_string(id) + " is of two changes";
  return {};
}

std::string fault_of(const Settings& s) {
  bool whole = s.local_domains.size() == 2 && s.relay_domains.size() == 2 &&
               s.local_domains[1] == s.relay_domains[1] &&
               s.local_domains[1] == "d" + std::to_string(s.revision) + ".example" &&
               s.max_recipients == s.revision;
  return whole ? "" : "the settings are of two changes";
}

// ---- the processes; each ends with _exit

/// One change: some accounts, the settings, and an address that goes from one account to another.
bool change_some(Writer& writer, std::uint64_t& holder, std::mt19937_64& random) {
  auto change = writer.begin();
  if (!change) return false;
  std::uint64_t n = writer.generation() + 1, next = kFirst + random() % kAccounts;
  bool ok = change->replace(make(holder, n, false, random)).has_value() &&
            change->replace(make(next, n, true, random)).has_value();
  for (int i = 0; ok && i < 3; ++i) {
    std::uint64_t id = kFirst + random() % kAccounts;
    if (id != next) ok = change->replace(make(id, n, false, random)).has_value();
  }
  ok = ok && change->set_settings(make_settings(n)) && change->commit();
  if (ok) holder = next;
  return ok;
}

/// As accounts does, with a period of the test's. A change that finds the map full waits until the old read
/// transactions let go of pages.
[[noreturn]] void write(const std::string& path, Board& board, milliseconds period) {
  std::mt19937_64 random(1);
  auto writer = Writer::open({.path = path, .hostname = "mx.x.org", .map_size = kMap});
  if (!writer) ::_exit(2);
  auto first = (*writer)->begin();
  bool ok = first.has_value();
  for (std::uint64_t i = 0; ok && i < kAccounts; ++i) {
    ok = first->add(make(kFirst + i, 2, i == 0, random)).has_value();
  }
  if (!ok || !first->set_settings(make_settings(2)) || !first->commit()) ::_exit(3);
  board.ready = true;
  std::uint64_t holder = kFirst;
  for (auto renew = Clock::now() + period; !board.stop;) {
    if (Clock::now() >= renew) {
      (*writer)->hold_young();
      ++board.renewals;
      renew += period;
    }
    if (change_some(**writer, holder, random)) {
      ++board.commits;
    } else {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
  ::_exit(0);
}

void look(const Reader& reader, std::uint64_t n, Board& board) {
  std::uint64_t id = kFirst + n % kAccounts;
  std::string fault;
  if (n % 4 == 0) {
    auto found = reader.resolve("FIXED" + std::to_string(id) + "@x.org");
    fault = found ? fault_of(found->account, id) : found.error().text;
  } else if (n % 4 == 1) {
    auto found = reader.resolve("moving@x.org");
    fault = found ? found->account ? fault_of(found->account, found->account->id) : "nobody has the address"
                  : found.error().text;
    if (fault.empty() && found->account->addresses.size() != 2)
      fault = "the address leads to another account";
  } else if (n % 4 == 2) {
    fault = fault_of(reader.account(id), id);
  } else {
    auto settings = reader.settings();
    fault = settings ? fault_of(**settings) : settings.error().text;
  }
  if (!fault.empty()) board.note(fault);
}

[[noreturn]] void read(const std::string& path, Board& board, std::uint64_t count) {
  auto reader = Reader::open(path, "mx.x.org");
  if (!reader) ::_exit(2);
  std::uint64_t last = 0;
  std::uint64_t n = 0;
  for (; n < count || board.renewals < kRenewals; ++n) {
    look(*reader, n, board);
    if (n % 64 != 0) continue;
    std::uint64_t now = reader->generation();
    if (now < last) board.note("the directory went back");
    last = now;
  }
  board.reads += n;
  ::_exit(0);
}

/// All that one transaction sees.
std::string fault_of_all(const lmdb::Txn& txn, const record::Tables& tables, std::uint64_t& generation) {
  auto now = record::get_number(txn, tables.meta, record::kMetaGeneration);
  if (!now) return now.error().text;
  if (generation != 0 && *now != generation) return "one transaction sees two generations";
  generation = *now;
  auto settings = record::get_settings(txn, tables);
  if (!settings) return settings.error().text;
  if (settings->revision != generation) return "the settings are not of this generation";
  if (std::string fault = fault_of(*settings); !fault.empty()) return fault;
  for (std::uint64_t id = kFirst; id < kFirst + kAccounts; ++id) {
    if (std::string fault = fault_of(record::get_account(txn, tables, id), id); !fault.empty()) return fault;
  }
  return {};
}

/// Reads all, waits within the transaction, reads all again.
[[noreturn]] void read_slowly(const std::string& path, Board& board, milliseconds longest) {
  std::mt19937_64 random(2);
  auto env = lmdb::Env::open(path, MDB_RDONLY | MDB_NOLOCK, record::kMapSize, record::kTableCount, 0600);
  if (!env) ::_exit(2);
  while (!board.stop) {
    auto txn = lmdb::Txn::begin(*env, MDB_RDONLY);
    if (!txn) ::_exit(3);
    auto tables = record::Tables::open(*txn, 0);
    if (!tables) ::_exit(4);
    std::uint64_t generation = 0;
    std::string fault = fault_of_all(*txn, *tables, generation);
    std::this_thread::sleep_for(longest / 2 + longest * static_cast<long>(random() % 50) / 100);
    if (fault.empty()) fault = fault_of_all(*txn, *tables, generation);
    if (!fault.empty()) board.note(fault);
    ++board.pauses;
  }
  ::_exit(0);
}

pid_t start(const std::function<void()>& run) {
  pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    run();
    ::_exit(9);
  }
  return pid;
}

/// The status of waitpid().
int wait_for(pid_t pid) {
  int status = -1;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

void wait_until(Board& board, pid_t writer, const std::function<bool()>& condition) {
  while (!condition()) {
    int status = 0;
    if (::waitpid(writer, &status, WNOHANG) == writer) {
      board.stop = true;
      FAIL("the writer ended with " << status);
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
}

}  // namespace

TEST_CASE("a million reads beside a writer at full speed, none wrong") {
  // The ratio of lib/directory: what a reader may take is a fifth of the period. A reader here that is kept
  // from running for a whole period would be misled, so that is not made shorter than this.
  constexpr milliseconds kPeriod{1000}, kPause{190};
  TempFolder folder;
  Shared board;
  std::string path = folder.directory();
  pid_t writer = start([&] { write(path, *board, kPeriod); });
  wait_until(*board, writer, [&] { return board->ready.load(); });
  pid_t slow = start([&] { read_slowly(path, *board, kPause); });
  pid_t fast[2];
  for (pid_t& pid : fast) pid = start([&] { read(path, *board, kReads / 2); });
  for (pid_t pid : fast) CHECK(wait_for(pid) == 0);
  board->stop = true;
  CHECK(wait_for(slow) == 0);
  CHECK(wait_for(writer) == 0);
  INFO(board->commits << " commits, " << board->pauses << " pauses; first: " << board->first);
  CHECK(board->wrong == 0);
  CHECK(board->reads >= kReads);
  CHECK(board->commits > 20);
  CHECK(board->pauses > 5);
}

TEST_CASE(
    "a reader that stays in its transaction for longer than it may is misled, and this test would see it") {
  constexpr milliseconds kPeriod{50}, kPause{600};
  TempFolder folder;
  Shared board;
  std::string path = folder.directory();
  pid_t writer = start([&] { write(path, *board, kPeriod); });
  wait_until(*board, writer, [&] { return board->ready.load(); });
  pid_t slow = start([&] { read_slowly(path, *board, kPause); });
  int status = 0;
  // LMDB may also stop at what it finds in a page that is another's now.
  wait_until(*board, writer, [&] { return board->wrong > 0 || ::waitpid(slow, &status, WNOHANG) == slow; });
  bool died = board->wrong == 0;
  board->stop = true;
  if (!died) wait_for(slow);
  wait_for(writer);
  CHECK((board->wrong > 0 || status != 0));
}
