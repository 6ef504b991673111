// A store in a directory of its own that goes when the test does, and messages to put into it.
#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "lib/checksum.h"
#include "lib/store/lmdb_store.h"

namespace store::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "store-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class TemporaryStore {
 public:
  explicit TemporaryStore(std::uint64_t map_octets = 64ULL << 20) : map_octets_(map_octets) { reopen(); }
  void reopen() {
    store_.reset();
    auto opened = LmdbStore::open({path(), map_octets_});
    if (!opened) FAIL(opened.error().text);
    store_ = std::move(*opened);
  }
  void close() { store_.reset(); }
  [[nodiscard]] std::string path() const { return directory_.path() + "/store"; }
  [[nodiscard]] std::string body_path(const po::MessageId& id) const {
    return path() + "/bodies/" + id.text();
  }
  LmdbStore& operator*() { return *store_; }
  LmdbStore* operator->() { return store_.get(); }

 private:
  TemporaryDirectory directory_;
  std::uint64_t map_octets_;
  std::unique_ptr<LmdbStore> store_;
};

inline po::MessageId id_number(std::uint64_t n) {
  po::MessageId id;
  for (int i = 0; i < 8; ++i) id.octets[11 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  id.octets[0] = 1;
  return id;
}

inline std::uint64_t checksum(std::string_view body) {
  po::Checksum sum;
  sum.add(body);
  return sum.value();
}

inline Accept message(std::uint64_t n, std::string body, std::initializer_list<std::uint64_t> accounts) {
  Accept a;
  a.id = id_number(n);
  a.envelope.sender = "sender@example.org";
  a.size = body.size();
  a.checksum = checksum(body);
  a.arrival_ms = 1'700'000'000'000 + n;
  a.body = std::move(body);
  for (std::uint64_t account : accounts) {
    a.deliveries.push_back({account, 0, "", "Delivered-To: " + std::to_string(account) + "@example.org\r\n"});
  }
  return a;
}

inline Waiting recipient(std::string address, std::string hop, std::uint8_t lane, std::uint64_t next_ms) {
  Waiting w;
  w.address = std::move(address);
  w.hop = std::move(hop);
  w.lane = lane;
  w.next_ms = next_ms;
  return w;
}

/// One change alone.
inline Result<std::uint64_t> do_one(Store& store, Change change) {
  auto results = store.apply(std::span<const Change>(&change, 1));
  REQUIRE(results.size() == 1);
  return results[0];
}

inline void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    REQUIRE(n > 0);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace store::testing
