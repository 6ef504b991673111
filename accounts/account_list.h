// The list of accounts as an index in memory, so that a page of it is quick at 100,000 accounts: what a
// search looks at, in one piece, and the accounts in each order. It is made and kept in step with what
// changed (directory::Writer::touched_since) when it is asked for; the running system asks at its start and
// after each change, so that no page waits for it. About 150 octets for each account. Callers:
// account_commands, accounts/web_*.cc; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/directory/account.h"
#include "lib/directory/writer.h"
#include "lib/error.h"

namespace accounts {

/// A page of the list of accounts.
struct ListQuery {
  std::string search;  ///< a pattern, as `account list` takes it; matches name, addresses and log-in name
  enum class Sort : std::uint8_t { kAddress, kName, kNumber } sort = Sort::kAddress;
  bool descending = false;
  std::size_t offset = 0, limit = 50;
};
struct Listing {
  std::uint64_t total = 0;  ///< that match
  std::uint64_t all = 0;
  std::vector<directory::Account> rows;
};

class AccountList {
 public:
  /// `directory` must outlive it.
  explicit AccountList(const directory::Writer& directory) : directory_(directory) {}
  AccountList(const AccountList&) = delete;
  AccountList& operator=(const AccountList&) = delete;

  /// Takes until the index says what the directory says now.
  [[nodiscard]] po::Result<void> make_ready();

  [[nodiscard]] po::Result<Listing> list(const ListQuery& query);

  struct Found {
    std::uint64_t total = 0, all = 0;
    std::vector<std::uint64_t> ids;  ///< of the page
  };
  /// The same without reading the accounts themselves.
  [[nodiscard]] po::Result<Found> find(const ListQuery& query);

  /// Octets that it holds, to be measured by a test.
  [[nodiscard]] std::size_t memory() const;

 private:
  /// One account. What is searched and sorted by stands in text_: name, primary address, log-in name, further
  /// addresses, all in lower case and each behind a line end.
  struct Entry {
    std::uint64_t id = 0;
    std::size_t at = 0;
    std::uint32_t size = 0, name = 0, address = 0;  ///< octets: in all, of the name, of the primary address
  };
  using Index = std::uint32_t;  ///< into entries_
  using Order = std::vector<Index>;

  po::Result<void> refresh();
  po::Result<void> make();
  po::Result<void> follow(const std::vector<std::uint64_t>& touched);
  Index append(const directory::Account& account);
  void put_in_order(Index index);
  void take_out(std::uint64_t id);
  [[nodiscard]] std::string_view key(const Entry& entry, ListQuery::Sort sort) const;
  [[nodiscard]] bool before(ListQuery::Sort sort, Index a, Index b) const;
  [[nodiscard]] std::vector<bool> matching(std::string_view search) const;
  void match_text(std::string_view needle, const std::string& pattern, std::vector<bool>& matches) const;
  [[nodiscard]] bool matches_pattern(const Entry& entry, const std::string& pattern) const;

  const directory::Writer& directory_;
  mutable std::mutex mutex_;  ///< of all below
  std::uint64_t generation_ = 0;
  bool made_ = false;
  std::string text_;
  std::vector<Entry> entries_;  ///< in the order of text_; those that are gone have id 0
  std::unordered_map<std::uint64_t, Index> by_id_;
  Order orders_[3];         ///< by ListQuery::Sort
  std::size_t unused_ = 0;  ///< octets of text_ that belong to entries which are gone
};

}  // namespace accounts
