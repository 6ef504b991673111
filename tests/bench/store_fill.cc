// Fills a store that no queue has open, so that others can measure the suite beside much mail: MESSAGES of 1
// to 4 KiB, spread at random over the accounts FIRST to LAST, and MORE of them all into account ONE.
//   store_fill MAILBOX-DIRECTORY/store MESSAGES FIRST LAST [ONE MORE]
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "lib/checksum.h"
#include "lib/store/lmdb_store.h"

using namespace store;

namespace {

constexpr std::uint64_t kFirstId =
    1'000'000'000;  // as ids of long ago: whatever comes later sorts after them

po::MessageId id_number(std::uint64_t n) {
  po::MessageId id;
  for (int i = 0; i < 6; ++i) id.octets[5 - i] = static_cast<std::uint8_t>((kFirstId + n) >> (8 * i));
  return id;
}

Accept make_message(std::uint64_t n, std::uint64_t account, std::string body) {
  Accept a;
  a.id = id_number(n);
  a.envelope.sender = "sender@example.org";
  a.size = body.size();
  po::Checksum sum;
  sum.add(body);
  a.checksum = sum.value();
  a.body = std::move(body);
  a.deliveries.push_back({account, 0, "", "Return-Path: <sender@example.org>\r\n"});
  return a;
}

void commit(Store& store, std::vector<Change>& batch) {
  for (const auto& r : store.apply(batch)) {
    if (r) continue;
    std::fprintf(stderr, "store_fill: %s\n", r.error().text.c_str());
    std::exit(1);
  }
  batch.clear();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 7) {
    std::fprintf(stderr, "usage: store_fill STORE MESSAGES FIRST LAST [ONE MORE]\n");
    return 64;
  }
  auto number = [&](int i) { return i < argc ? std::strtoull(argv[i], nullptr, 10) : 0; };
  std::uint64_t messages = number(2), first = number(3), last = number(4), one = number(5), more = number(6);
  auto opened = LmdbStore::open({argv[1]});
  if (!opened) {
    std::fprintf(stderr, "store_fill: %s\n", opened.error().text.c_str());
    return 1;
  }
  std::mt19937_64 random(1);
  std::uniform_int_distribution<std::uint64_t> account(first, last), size(1024, 4096);
  std::string text;
  while (text.size() < 4096)
    text += "A line of a message that nobody will ever read, but that takes its place.\r\n";
  std::vector<Change> batch;
  for (std::uint64_t n = 1; n <= messages + more; ++n) {
    std::uint64_t to = n <= messages ? account(random) : one;
    batch.emplace_back(make_message(n, to, "Subject: filler\r\n\r\n" + text.substr(0, size(random))));
    if (batch.size() == 5000) commit(**opened, batch);
  }
  if (!batch.empty()) commit(**opened, batch);
  return 0;
}
