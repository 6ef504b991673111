// What becomes of the store's file and of the time that a commit takes, when messages come and go for long:
// fills a store to a live set, turns it over many times with commits like those of queue's writer (20 to 64
// messages, what users delete meanwhile, and what the writer works off beside them), and says after each few
// turnovers how large the file is beside what is live, where the rest went, and how long the commits took.
// Not a test by itself: tests/system/test_store.py runs it with --most; by hand, on the file system in
// question:
//   store_churn DIRECTORY [--live MB] [--turnovers N] [--sizes fixed|mail|small] [--order
//   oldest|random|mailbox]
//               [--bulk MESSAGES [--at-once yes]] [--report TURNOVERS] [--seed N] [--most RATIO]
// Live data are the octets of the bodies that a mailbox names, and keys and values of all other rows of those
// messages. --most: the exit status is 1 if the file was ever more than RATIO times that.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "lib/checksum.h"
#include "lib/store/lmdb_store.h"
#include "queue/release_pace.h"

using namespace store;
using Clock = std::chrono::steady_clock;

namespace {

struct Options {
  std::string directory;
  std::uint64_t live_mb = 200;
  std::uint64_t turnovers = 100;
  std::string sizes = "mail";
  std::string order = "random";
  std::uint64_t bulk = 0;
  bool at_once = false;
  std::uint64_t report = 10;
  std::uint64_t seed = 1;
  double most = 0;
};

[[noreturn]] void die(const std::string& text) {
  std::fprintf(stderr, "store_churn: %s\n", text.c_str());
  std::exit(1);
}

Options read_options(int argc, char** argv) {
  Options o;
  if (argc < 2 || argc % 2 != 0) die("usage: store_churn DIRECTORY [--OPTION VALUE]...");
  o.directory = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    std::string name = argv[i], value = argv[i + 1];
    auto number = [&] { return std::strtoull(value.c_str(), nullptr, 10); };
    if (name == "--live")
      o.live_mb = number();
    else if (name == "--turnovers")
      o.turnovers = number();
    else if (name == "--sizes")
      o.sizes = value;
    else if (name == "--order")
      o.order = value;
    else if (name == "--bulk")
      o.bulk = number();
    else if (name == "--at-once")
      o.at_once = value == "yes";
    else if (name == "--report")
      o.report = number();
    else if (name == "--seed")
      o.seed = number();
    else if (name == "--most")
      o.most = std::strtod(value.c_str(), nullptr);
    else
      die("no such option: " + name);
  }
  return o;
}

po::MessageId id_number(std::uint64_t n) {
  po::MessageId id;
  for (int i = 0; i < 8; ++i) id.octets[11 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  return id;
}

// ---- what the file holds

struct Table {
  MDB_stat stat{};
  std::uint64_t octets = 0;     ///< keys and values
  std::uint64_t in_leaves = 0;  ///< of leaf pages, in use
};

struct Walk {
  std::map<std::string, Table> tables;
  std::uint64_t free_pages = 0, free_records = 0;
  MDB_stat free_stat{};
  std::uint64_t file_octets = 0, allocated = 0;
};

void must(int rc, const char* doing) {
  if (rc != 0) die(std::string(doing) + ": " + mdb_strerror(rc));
}

Table walk_table(MDB_txn* txn, MDB_dbi dbi) {
  Table t;
  must(mdb_stat(txn, dbi, &t.stat), "stat");
  mdb::Cursor cursor;
  must(mdb::open_cursor(txn, dbi, cursor), "cursor");
  std::string_view key, value;
  while (mdb::move(cursor.get(), MDB_NEXT, key, value) == 0) {
    t.octets += key.size() + value.size();
    bool overflow = 8 + key.size() + value.size() > 2038;
    t.in_leaves += 10 + (key.size() + (overflow ? 8 : value.size()) + 1) / 2 * 2;
  }
  return t;
}

/// The store must be closed.
Walk walk(const std::string& store_path) {
  Walk w;
  MDB_env* raw = nullptr;
  must(mdb_env_create(&raw), "create");
  mdb::Env env(raw);
  must(mdb_env_set_mapsize(raw, 1ULL << 40), "map");
  must(mdb_env_set_maxdbs(raw, 16), "tables");
  must(mdb_env_open(raw, store_path.c_str(), MDB_RDONLY | MDB_NOTLS, 0600), "open");
  mdb::Txn txn;
  must(mdb::begin(raw, MDB_RDONLY, txn), "begin");
  mdb::Cursor names;
  MDB_dbi main = 0;
  must(mdb_dbi_open(txn.get(), nullptr, 0, &main), "main");
  must(mdb::open_cursor(txn.get(), main, names), "main");
  std::string_view key, value;
  while (mdb::move(names.get(), MDB_NEXT, key, value) == 0) {
    MDB_dbi dbi = 0;
    std::string name(key);
    must(mdb_dbi_open(txn.get(), name.c_str(), 0, &dbi), "table");
    w.tables[name] = walk_table(txn.get(), dbi);
  }
  mdb::Cursor free;
  must(mdb::open_cursor(txn.get(), 0, free), "free list");
  must(mdb_stat(txn.get(), 0, &w.free_stat), "free list");
  while (mdb::move(free.get(), MDB_NEXT, key, value) == 0) {
    std::size_t count = 0;
    std::memcpy(&count, value.data(), sizeof count);
    w.free_pages += count;
    ++w.free_records;
  }
  struct stat st {};
  if (::stat((store_path + "/data.mdb").c_str(), &st) != 0) die("no data.mdb");
  w.file_octets = static_cast<std::uint64_t>(st.st_size);
  w.allocated = static_cast<std::uint64_t>(st.st_blocks) * 512;
  return w;
}

void print(const Walk& w) {
  for (const auto& [name, t] : w.tables) {
    std::printf(
        "    %-9s %8zu rows %11llu octets; pages: %6zu branch %7zu leaf (%3.0f %% used) %7zu overflow\n",
        name.c_str(), t.stat.ms_entries, static_cast<unsigned long long>(t.octets), t.stat.ms_branch_pages,
        t.stat.ms_leaf_pages,
        t.stat.ms_leaf_pages == 0
            ? 0
            : 100.0 * static_cast<double>(t.in_leaves) / (4080.0 * static_cast<double>(t.stat.ms_leaf_pages)),
        t.stat.ms_overflow_pages);
  }
  std::printf("    free list %8llu records; %llu free pages, and %zu for the list itself\n",
              static_cast<unsigned long long>(w.free_records), static_cast<unsigned long long>(w.free_pages),
              w.free_stat.ms_leaf_pages + w.free_stat.ms_branch_pages + w.free_stat.ms_overflow_pages);
}

// ---- commit times

/// What this process has written so far. Unlike times it does not depend on what else the machine does.
std::uint64_t written() {
  char text[512];
  std::FILE* io = std::fopen("/proc/self/io", "r");
  std::size_t n = io == nullptr ? 0 : std::fread(text, 1, sizeof text - 1, io);
  if (io != nullptr) std::fclose(io);
  text[n] = '\0';
  const char* at = std::strstr(text, "wchar: ");
  return at == nullptr ? 0 : std::strtoull(at + 7, nullptr, 10);
}

class Times {
 public:
  void add(double seconds, std::uint64_t octets) {
    all_.push_back(seconds * 1000);
    octets_ += octets;
  }
  [[nodiscard]] double at(double part) const {
    if (all_.empty()) return 0;
    std::vector<double> s = all_;
    std::ranges::sort(s);
    return s[std::min(s.size() - 1, static_cast<std::size_t>(part * static_cast<double>(s.size())))];
  }
  [[nodiscard]] std::string text() const {
    double sum = 0;
    for (double t : all_) sum += t;
    char out[120];
    double n = all_.empty() ? 1 : static_cast<double>(all_.size());
    std::snprintf(out, sizeof out,
                  "%zu commits, ms: mean %.2f p50 %.2f p99 %.2f max %.2f; KiB written: mean %.0f",
                  all_.size(), sum / n, at(0.5), at(0.99), at(1), static_cast<double>(octets_) / 1024 / n);
    return out;
  }
  void clear() { *this = {}; }

 private:
  std::vector<double> all_;
  std::uint64_t octets_ = 0;
};

// ---- the load

struct Message {
  std::uint64_t n = 0, account = 0, size = 0;
};

class Churn {
 public:
  explicit Churn(Options options) : o_(std::move(options)), random_(o_.seed), body_(65536, 'b') {
    for (std::size_t i = 0; i < body_.size(); ++i) body_[i] = static_cast<char>('a' + i % 23);
    accounts_ = std::max<std::uint64_t>(1, o_.live_mb * 5);
    mailboxes_.resize(accounts_ + 1);
    open();
  }

  int run() {
    if (o_.bulk > 0) return run_bulk();
    std::uint64_t target = o_.live_mb << 20;
    while (live_octets_ < target) commit(0);
    report("filled");
    for (std::uint64_t t = 1; t <= o_.turnovers; ++t) {
      for (std::uint64_t until = accepted_ + target; accepted_ < until;) commit(target);
      if (t == 1 || t % o_.report == 0 || t == o_.turnovers) report("turnover " + std::to_string(t));
    }
    work_off();
    report("worked off");
    return o_.most > 0 && worst_ > o_.most ? 1 : 0;
  }

 private:
  void open() {
    auto opened = LmdbStore::open({o_.directory + "/store"});
    if (!opened) die(opened.error().text);
    store_ = std::move(*opened);
  }

  std::uint64_t a_size() {
    if (o_.sizes == "fixed") return 4096;
    if (o_.sizes == "small") return std::uniform_int_distribution<std::uint64_t>(1024, 4096)(random_);
    std::lognormal_distribution<double> mail(std::log(5000.0), 1.0);
    for (;;) {
      double size = mail(random_);
      if (size >= 500 && size <= 65536) return static_cast<std::uint64_t>(size);
    }
  }

  std::uint64_t below(std::uint64_t n) {
    return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_);
  }

  Accept make(Message& m) {
    m = {++next_, below(accounts_) + 1, a_size()};
    Accept a;
    a.id = id_number(m.n);
    a.envelope.sender = "sender" + std::to_string(m.n % 977) + "@example.org";
    a.envelope.session = "000000000001";
    a.envelope.client.family = 4;
    a.size = m.size;
    a.body = body_.substr(0, m.size);
    a.checksum = checksum(m.size);
    a.arrival_ms = m.n;
    a.deliveries.push_back({m.account, 0, "",
                            "Return-Path: <" + a.envelope.sender + ">\r\nDelivered-To: user" +
                                std::to_string(m.account) + "@example.net\r\n"});
    return a;
  }

  std::uint64_t checksum(std::uint64_t size) {
    auto [at, made] = checksums_.try_emplace(size, 0);
    if (made) {
      po::Checksum sum;
      sum.add(std::string_view(body_).substr(0, size));
      at->second = sum.value();
    }
    return at->second;
  }

  void forget(const Message& m) {
    live_octets_ -= m.size;
    --live_;
  }

  void keep(const Message& m) {
    if (o_.order == "mailbox")
      mailboxes_[m.account].push_back(m);
    else
      messages_.push_back(m);
    live_octets_ += m.size;
    accepted_ += m.size;
    ++live_;
  }

  /// What a user deletes next: the oldest of all, any one, or all that is in one mailbox.
  Expunge an_expunge() {
    if (o_.order == "mailbox") {
      std::vector<Message>* box = nullptr;
      do box = &mailboxes_[below(accounts_) + 1];
      while (box->empty());
      Expunge e{box->front().account, {}};
      for (const Message& m : *box) e.ids.push_back(id_number(m.n)), forget(m);
      box->clear();
      return e;
    }
    if (o_.order == "oldest") {
      Message m = messages_[oldest_++];
      if (oldest_ > 100'000) messages_.erase(messages_.begin(), messages_.begin() + 100'000), oldest_ = 0;
      forget(m);
      return {m.account, {id_number(m.n)}};
    }
    std::size_t i = below(messages_.size());
    Message m = messages_[i];
    messages_[i] = messages_.back();
    messages_.pop_back();
    forget(m);
    return {m.account, {id_number(m.n)}};
  }

  /// One commit as queue's writer makes it. `target` 0: nobody deletes.
  void commit(std::uint64_t target, std::uint64_t messages = 0) {
    std::vector<Change> changes;
    for (std::uint64_t i = messages > 0 ? messages : 20 + below(45); i > 0; --i) {
      Message m;
      changes.emplace_back(make(m));
      keep(m);
    }
    while (target > 0 && live_octets_ > target) changes.emplace_back(an_expunge());
    apply(changes);
  }

  void apply(std::vector<Change>& changes) {
    std::size_t at_most = pace_.beside(changes);
    if (at_most > 0) changes.emplace_back(Release{at_most});
    std::uint64_t before = written();
    auto start = Clock::now();
    auto results = store_->apply(changes);
    double took = std::chrono::duration<double>(Clock::now() - start).count();
    times_.add(took, written() - before);
    for (const auto& r : results) {
      if (!r) die(r.error().text);
    }
    pace_.on_committed(changes, results);
  }

  void work_off() {
    for (;;) {
      std::vector<Change> none;
      apply(none);
      if (!pace_.left()) return;
    }
  }

  void report(const std::string& when) {
    auto totals = store_->totals();
    if (!totals) die(totals.error().text);
    store_.reset();
    Walk w = walk(o_.directory + "/store");
    open();
    double part =
        totals->messages == 0 ? 0 : static_cast<double>(live_) / static_cast<double>(totals->messages);
    double rows =
        part * static_cast<double>(w.tables["message"].octets + w.tables["body"].octets - totals->octets) +
        static_cast<double>(w.tables["mailbox"].octets);
    double live = static_cast<double>(live_octets_) + rows;
    double ratio = static_cast<double>(w.file_octets) / live;
    if (when != "filled" || o_.turnovers == 0) worst_ = std::max(worst_, ratio);
    std::printf(
        "%-14s file %.1f MB, allocated %.1f, live %.1f (bodies %.1f): %.3f times; %llu messages, %llu to "
        "release\n",
        when.c_str(), static_cast<double>(w.file_octets) / 1e6, static_cast<double>(w.allocated) / 1e6,
        live / 1e6, static_cast<double>(live_octets_) / 1e6, ratio, static_cast<unsigned long long>(live_),
        static_cast<unsigned long long>(totals->messages - live_));
    std::printf("    %s\n", times_.text().c_str());
    print(w);
    std::fflush(stdout);
    times_.clear();
  }

  int run_bulk() {
    o_.order = "mailbox";
    while (live_ < o_.bulk) commit(0, 2000);
    report("filled");
    for (int i = 0; i < 1000; ++i) commit(0);
    report("before");
    std::uint64_t deleted = 0;
    std::vector<Change> changes;
    for (std::uint64_t a = 1; a <= accounts_; ++a) {
      Expunge e{a, {}};
      for (const Message& m : mailboxes_[a]) e.ids.push_back(id_number(m.n)), forget(m);
      mailboxes_[a].clear();
      deleted += e.ids.size();
      if (e.ids.empty()) continue;
      changes.emplace_back(std::move(e));
      if (o_.at_once && a < accounts_) continue;
      apply(changes);
      changes.clear();
    }
    std::printf("deleted %llu\n", static_cast<unsigned long long>(deleted));
    report("deletion");
    for (int i = 0; i < 1000; ++i) commit(0);
    report("thousand after");
    for (int i = 0; i < 1000; ++i) commit(0);
    report("thousand more");
    work_off();
    report("worked off");
    for (int i = 0; i < 1000; ++i) commit(0);
    report("and then");
    return 0;
  }

  Options o_;
  std::mt19937_64 random_;
  std::string body_;
  std::map<std::uint64_t, std::uint64_t> checksums_;
  std::unique_ptr<LmdbStore> store_;
  queue::ReleasePace pace_;
  std::uint64_t accounts_ = 0, next_ = 0, accepted_ = 0, live_octets_ = 0, live_ = 0;
  std::vector<Message> messages_;
  std::size_t oldest_ = 0;
  std::vector<std::vector<Message>> mailboxes_;
  Times times_;
  double worst_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return Churn(read_options(argc, argv)).run();
}
