// Messages a second that the store alone takes, N a commit, each to one of 1,000 mailboxes, and what it then
// takes to list, read and delete them. Not a test; run it on the file system in question:
//   store_bench DIRECTORY [MESSAGES] [A-COMMIT] [OCTETS]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "lib/checksum.h"
#include "lib/store/lmdb_store.h"

using namespace store;
using Clock = std::chrono::steady_clock;

static double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

static po::MessageId id_number(std::uint64_t n) {
  po::MessageId id;
  for (int i = 0; i < 8; ++i) id.octets[11 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  return id;
}

static Accept make_message(std::uint64_t n, const std::string& body, std::uint64_t checksum) {
  Accept a;
  a.id = id_number(n);
  a.envelope.sender = "sender@example.org";
  a.size = body.size();
  a.checksum = checksum;
  a.body = body;
  a.deliveries.push_back(
      {n % 1000 + 1, 0, "", "Return-Path: <sender@example.org>\r\nDelivered-To: somebody@example.net\r\n"});
  return a;
}

static void check(const std::vector<Result<std::uint64_t>>& results) {
  for (const auto& r : results) {
    if (r) continue;
    std::fprintf(stderr, "store_bench: %s\n", r.error().text.c_str());
    std::exit(1);
  }
}

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: store_bench DIRECTORY [MESSAGES] [A-COMMIT] [OCTETS]\n");
    return 64;
  }
  std::uint64_t messages = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 50'000;
  std::size_t a_commit = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 64;
  std::string body(argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 4300, 'b');
  po::Checksum sum;
  sum.add(body);
  auto opened = LmdbStore::open({std::string(argv[1]) + "/store"});
  if (!opened) {
    std::fprintf(stderr, "store_bench: %s\n", opened.error().text.c_str());
    return 1;
  }
  Store& store = **opened;

  auto start = Clock::now();
  std::vector<Change> batch;
  for (std::uint64_t n = 1; n <= messages; ++n) {
    batch.emplace_back(make_message(n, body, sum.value()));
    if (batch.size() < a_commit && n < messages) continue;
    check(store.apply(batch));
    batch.clear();
  }
  double took = seconds_since(start);
  std::printf("accept:  %9.0f messages/s, %zu a commit\n", static_cast<double>(messages) / took, a_commit);
  auto totals = store.totals();
  if (totals) {
    std::printf("disk:    %9.0f octets a message\n",
                static_cast<double>(totals->file_octets) / static_cast<double>(messages));
  }

  start = Clock::now();
  std::uint64_t read = 0;
  std::vector<Change> expunges;
  for (std::uint64_t account = 1; account <= 1000; ++account) {
    auto items = store.list(account, {}, messages);
    if (!items) return 1;
    Expunge e{account, {}};
    for (const Item& i : *items) {
      e.ids.push_back(i.id);
      if (store.read(account, i.id)) ++read;
    }
    expunges.emplace_back(std::move(e));
  }
  std::printf("read:    %9.0f messages/s\n", static_cast<double>(read) / seconds_since(start));

  start = Clock::now();
  check(store.apply(expunges));
  std::printf("expunge: %9.0f messages/s, all in one commit\n",
              static_cast<double>(messages) / seconds_since(start));
  start = Clock::now();
  for (std::uint64_t left = messages; left > 0;) {
    Change release = Release{256};
    auto results = store.apply({&release, 1});
    check(results);
    if (*results[0] == 0) break;
    left -= std::min(left, *results[0]);
  }
  std::printf("release: %9.0f messages/s, 256 a commit\n",
              static_cast<double>(messages) / seconds_since(start));
  return 0;
}
