// What the store alone takes for mail that leaves: messages relayed a second (accepted for one recipient in
// one commit, delivered in a later one), and a queue of many recipients over many next hops: how long it
// takes to accept it, to open it, to find the hops and what is due of one, to put all of it off, and what
// memory of its own the process takes for that. Not a test; run it on the file system in question:
//   store_waiting DIRECTORY [RECIPIENTS] [HOPS] [LANES] [A-COMMIT]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "lib/checksum.h"
#include "lib/store/lmdb_store.h"

using namespace store;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::uint64_t kRelayed = 50'000, kToEach = 100, kNow = 1'800'000'000'000;
constexpr std::size_t kOctets = 4300;

struct Options {
  std::string path;
  std::uint64_t recipients = 1'000'000, hops = 10'000, lanes = 64;
  std::size_t a_commit = 64;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// A value of a file of lines "name: number ..." below /proc/self.
double proc_value(const char* file, const std::string& name) {
  std::ifstream in(std::string("/proc/self/") + file);
  for (std::string word; in >> word;) {
    double value = 0;
    if (word == name && in >> value) return value;
  }
  return 0;
}

/// MiB of memory that no file backs.
double own_memory() {
  return proc_value("smaps_rollup", "Anonymous:") / 1024;
}

po::MessageId id_number(std::uint64_t n) {
  po::MessageId id;
  for (int i = 0; i < 8; ++i)
    id.octets[static_cast<std::size_t>(11 - i)] = static_cast<std::uint8_t>(n >> (8 * i));
  return id;
}

void commit(Store& store, std::vector<Change>& batch) {
  auto results = store.apply(batch);
  batch.clear();
  for (const auto& r : results) {
    if (r) continue;
    std::fprintf(stderr, "store_waiting: %s\n", r.error().text.c_str());
    std::exit(1);
  }
}

template <class T>
T value(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "store_waiting: %s\n", result.error().text.c_str());
  std::exit(1);
}

std::unique_ptr<LmdbStore> open_store(const Options& options) {
  return value(LmdbStore::open({options.path}));
}

class Mail {
 public:
  explicit Mail(const Options& options) : options_(options), body_(kOctets, 'b') { sum_.add(body_); }

  Accept message(std::uint64_t recipients) {
    Accept a;
    a.id = id_number(++number_);
    a.envelope.sender = "sender@example.org";
    a.size = body_.size();
    a.checksum = sum_.value();
    a.body = body_;
    for (std::uint64_t i = 0; i < recipients; ++i) a.waiting.push_back(recipient());
    return a;
  }

 private:
  Waiting recipient() {
    std::uint64_t n = recipients_++;
    Waiting w;
    w.hop = "domain" + std::to_string(n * 7919 % options_.hops) + ".example";
    w.address = "user" + std::to_string(n) + "@" + w.hop;
    w.lane = static_cast<std::uint8_t>(number_ % options_.lanes);
    w.next_ms = kNow - 1'000'000 + n;
    return w;
  }

  const Options& options_;
  std::string body_;
  po::Checksum sum_;
  std::uint64_t number_ = 0, recipients_ = 0;
};

/// As under steady load: a commit accepts some, settles what came in the commit before, and works off.
void relay(const Options& options) {
  auto store = open_store(options);
  Mail mail(options);
  std::vector<Change> batch, settles;
  double cpu = cpu_seconds(), written = proc_value("io", "write_bytes:");
  auto start = Clock::now();
  for (std::uint64_t n = 0; n < kRelayed || !settles.empty();) {
    batch = std::move(settles);
    settles.clear();
    for (std::size_t i = 0; i < options.a_commit && n < kRelayed; ++i, ++n) {
      Accept a = mail.message(1);
      settles.emplace_back(Settle{a.id, {0}, {}, {}});
      batch.emplace_back(std::move(a));
    }
    batch.emplace_back(Release{options.a_commit * 4});
    commit(*store, batch);
  }
  double took = seconds_since(start), each = static_cast<double>(kRelayed);
  std::printf("relay:       %9.0f messages/s, %zu a commit; CPU %.0f us, %.1f pages written for each\n",
              each / took, options.a_commit, (cpu_seconds() - cpu) * 1e6 / each,
              (proc_value("io", "write_bytes:") - written) / 4096 / each);
  std::printf("             %llu messages left, file of %.1f MiB\n",
              static_cast<unsigned long long>(store->totals()->messages),
              static_cast<double>(store->totals()->file_octets) / 1048576);
}

void fill(const Options& options) {
  auto store = open_store(options);
  Mail mail(options);
  std::vector<Change> batch;
  double memory = own_memory();
  auto start = Clock::now();
  for (std::uint64_t n = 0; n < options.recipients; n += kToEach) {
    batch.emplace_back(mail.message(std::min(kToEach, options.recipients - n)));
    if (batch.size() >= options.a_commit) commit(*store, batch);
  }
  if (!batch.empty()) commit(*store, batch);
  std::printf("accept:      %9.0f recipients/s, %llu each of a message; own memory %+.1f MiB\n",
              static_cast<double>(options.recipients) / seconds_since(start),
              static_cast<unsigned long long>(kToEach), own_memory() - memory);
  std::printf("disk:        %9.0f octets a recipient, bodies in it\n",
              static_cast<double>(store->totals()->file_octets) / static_cast<double>(options.recipients));
}

void schedule(const Options& options) {
  double memory = own_memory();
  auto start = Clock::now();
  auto store = open_store(options);
  std::printf("open:        %9.3f s\n", seconds_since(start));
  auto none = [](const RecipientKey&) { return false; };
  start = Clock::now();
  std::string first = value(store->hops("", 1)).at(0).hop;
  std::size_t rows = value(store->due(first, kNow, 100, none)).rows.size();
  std::printf("first due:   %9.3f ms, %zu rows\n", seconds_since(start) * 1e3, rows);
  start = Clock::now();
  std::vector<std::string> hops;
  for (std::string after;;) {
    auto some = value(store->hops(after, 1000));
    if (some.empty()) break;
    for (HopHead& h : some) hops.push_back(std::move(h.hop));
    after = hops.back();
  }
  std::printf("hops:        %9.3f s, %zu hops\n", seconds_since(start), hops.size());
  start = Clock::now();
  rows = 0;
  for (const std::string& hop : hops) rows += value(store->due(hop, kNow, 100, none)).rows.size();
  std::printf("due:         %9.1f us a hop, %zu rows in all\n",
              seconds_since(start) * 1e6 / static_cast<double>(hops.size()), rows);
  start = Clock::now();
  rows = 0;
  for (RecipientKey after;;) {
    auto some = value(store->all_waiting(after, 1000));
    if (some.empty()) break;
    rows += some.size();
    after = some.back().key;
  }
  std::printf("all waiting: %9.0f recipients/s\n", static_cast<double>(rows) / seconds_since(start));
  std::printf("own memory:  %+9.1f MiB since before it was opened\n", own_memory() - memory);
}

/// As when all of a dead half is tried: hop by hop, each recipient with a reply more.
void put_off(const Options& options) {
  auto store = open_store(options);
  double memory = own_memory();
  auto start = Clock::now();
  std::vector<Change> batch;
  std::uint64_t done = 0;
  for (const HopHead& hop : value(store->hops("", options.hops / 2))) {
    for (const DueRow& row : value(store->due(hop.hop, kNow, 100, [](const auto&) { return false; })).rows) {
      Waiting w = std::move(value(store->waiting(row.key.id, row.key.n, 1)).at(0).row);
      w.next_ms = kNow + 300'000 + done++;
      w.attempts = 1;
      w.last = {{kNow, "mx1." + w.hop, "451 4.7.1 Greylisted, please try again in five minutes"}};
      Settle settle{row.key.id, {}, {}, {}};
      settle.later.push_back({row.key.n, std::move(w)});
      batch.emplace_back(std::move(settle));
      if (batch.size() >= options.a_commit) commit(*store, batch);
    }
  }
  if (!batch.empty()) commit(*store, batch);
  std::printf("put off:     %9.0f recipients/s, %zu a commit, hop by hop; own memory %+.1f MiB\n",
              static_cast<double>(done) / seconds_since(start), options.a_commit, own_memory() - memory);
}

void large_message(const Options& options) {
  auto store = open_store(options);
  std::vector<Change> batch;
  Mail mail(options);
  Accept a = mail.message(100'000);
  a.id = id_number(1ULL << 40);
  batch.emplace_back(std::move(a));
  double memory = own_memory();
  auto start = Clock::now();
  commit(*store, batch);
  std::printf("one message: %9.3f s for 100,000 recipients; own memory %+.1f MiB\n", seconds_since(start),
              own_memory() - memory);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: store_waiting DIRECTORY [RECIPIENTS] [HOPS] [LANES] [A-COMMIT]\n");
    return 64;
  }
  auto number = [&](int i, std::uint64_t otherwise) {
    return i < argc ? std::max<std::uint64_t>(1, std::strtoull(argv[i], nullptr, 10)) : otherwise;
  };
  Options options;
  options.recipients = number(2, options.recipients);
  options.hops = number(3, options.hops);
  options.lanes = std::min<std::uint64_t>(256, number(4, options.lanes));
  options.a_commit = number(5, options.a_commit);
  options.path = std::string(argv[1]) + "/relay";
  relay(options);
  options.path = std::string(argv[1]) + "/waiting";
  fill(options);
  schedule(options);
  put_off(options);
  large_message(options);
  return 0;
}
